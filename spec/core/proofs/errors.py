"""What can be wrong with the proofs, as objects that name file, theorem, lemmas and the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Citations = Mapping[str, Sequence[str]]  # theorem -> identifiers of the lemmas that cite it


@dataclass(frozen=True)
class Problem:
    """One thing that does not hold.

    Attributes:
        what: the finding, in a few words.
        file: the Coq or JSON file to look at, such as ``spec/proofs/TLap.v``.
        theorem: its name without the file, or "" where no theorem is concerned.
        lemmas: identifiers of the lemmas that cite the theorem.
        difference: what was expected and what was found, possibly several lines; or "".
    """

    what: str
    file: str
    theorem: str = ""
    lemmas: tuple[str, ...] = ()
    difference: str = ""

    def __str__(self) -> str:
        where = f"{self.file}  {self.theorem}".rstrip()
        cited = f" (cited by {', '.join(self.lemmas)})" if self.lemmas else ""
        lines = [f"{where}: {self.what}{cited}", *self.difference.splitlines()]
        return "\n      ".join(lines)


class ProofsRejected(RuntimeError):
    """The proofs, the snapshot, the lemmas or the formulas do not fit together.

    Attributes: ``problems``, each a :class:`Problem`.
    """

    def __init__(self, problems: Sequence[Problem], advice: str = "") -> None:
        self.problems, self.advice = tuple(problems), advice
        count = f"{len(self.problems)} problem{'s' if len(self.problems) != 1 else ''} with the proofs:"
        lines = [count, *(f"  {problem}" for problem in self.problems)]
        super().__init__("\n".join(lines + ([advice] if advice else [])))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.problems, self.advice)


class CoqMissing(RuntimeError):
    """Coq or one of its libraries is not installed; nothing was rechecked."""


def reject(problems: Sequence[Problem], advice: str = "") -> None:
    """Raise :class:`ProofsRejected` if there is any problem."""
    if problems:
        raise ProofsRejected(problems, advice)

"""Exhibits: published statements that fail when read literally, each with an executable counterexample.

An exhibit is not a lemma: it has no guard, cannot be enforced, and never counts as evidence.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType, ModuleType

from dpverify.spec.core.comparison import Comparison
from dpverify.spec.core.lemma import PACKAGE, Source

FOLDER = "exhibit"


@dataclass(frozen=True)
class Exhibit:
    """A statement that was published and fails when read literally.

    Attributes:
        module: ``__name__`` of the file that shows it; the identifier is derived from it.
        statement: what was claimed, in one or two sentences.
        published: where.
        counterexample: returns the published inequality at one instance, where it does not hold.
        corrected: identifier of the lemma that holds instead.
    """

    module: str
    statement: str
    published: Source
    counterexample: Callable[[], Comparison]
    corrected: str

    @property
    def id(self) -> str:
        """Such as ``exhibit.relative_error_signed``."""
        return self.module.removeprefix(PACKAGE)

    @property
    def refuted(self) -> bool:
        """Whether the counterexample really violates the published statement."""
        return not self.counterexample().holds

    def describe(self) -> str:
        """The statement, where it fails (with numbers), and the lemma that holds instead."""
        comparison = self.counterexample()
        verdict = "fails at " if not comparison.holds else "holds at "
        lines = [
            f"{self.id}: {self.statement}",
            f"  published: {self.published}",
            f"  {verdict}{comparison.describe()}",
            f"  holds instead: {self.corrected}",
        ]
        return "\n".join(lines)


@cache
def exhibits() -> Mapping[str, Exhibit]:
    """Every exhibit by identifier, in order of name.

    Raises:
        ImportError: a file of the folder shows no exhibit, or one without source; it names the file.
    """
    package = importlib.import_module(PACKAGE + FOLDER)
    found: dict[str, Exhibit] = {}
    for entry in pkgutil.iter_modules(package.__path__):
        if not entry.name.startswith("_"):
            shown = _shown(importlib.import_module(f"{package.__name__}.{entry.name}"))
            found[shown.id] = shown
    return MappingProxyType(found)


def _shown(module: ModuleType) -> Exhibit:
    shown = getattr(module, "EXHIBIT", None)
    if not isinstance(shown, Exhibit):
        raise ImportError(f"{module.__file__} must define EXHIBIT, the statement that it refutes")
    if shown.module != module.__name__:
        raise ImportError(f"{module.__file__}: EXHIBIT.module is {shown.module!r}; write module=__name__")
    if not shown.published.document or not shown.statement or not shown.corrected:
        raise ImportError(f"{module.__file__}: EXHIBIT needs a statement, a source and the corrected lemma")
    return shown

"""What a lemma is: a statement with its source, hypotheses, domain, oracle and checkable conclusion."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dpverify.spec.core.comparison import Comparison
from dpverify.spec.core.domain import Domain
from dpverify.spec.core.enclosure import Enclosure
from dpverify.spec.core.errors import ConclusionViolated, HypothesisNotMet

Conclusion = Comparison | Sequence[Comparison]
PACKAGE = "dpverify.spec."


@dataclass(frozen=True)
class Source:
    """Where a statement was published: document, version, and number within it."""

    document: str
    version: str
    number: str

    def __str__(self) -> str:
        return ", ".join(part for part in (self.document, self.version, self.number) if part)


@dataclass(frozen=True)
class Hypothesis:
    """One condition: its text, the parameters it speaks of, and a predicate on the parameters."""

    text: str
    names: tuple[str, ...]
    met: Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True)
class Lemma:
    """A statement that can be checked at a point, over its domain, and on what an implementation built.

    Attributes:
        module: ``__name__`` of the file that states it; the identifier is derived from it.
        statement: one or two sentences of plain English.
        claim: the formula.
        source: where it was published, or "derived here".
        hypotheses: what must hold before the conclusion is owed.
        domain: where it is checked.
        formula: the function that implementations call and that the check compares with ``oracle``.
        oracle: the same quantity from its definition.
        conclude: the comparison at one point of the domain.
        guard: the cheap comparison on what an implementation built (for enforcement), or None.
        theorems: machine-checked theorems, as "File.theorem".
        unproved: why there is none ("" if there is one).
        enclosure: what interval arithmetic shows over a box of parameters, or None.
        trusts: what no check here covers.
    """

    module: str
    statement: str
    claim: str
    source: Source
    domain: Domain
    formula: Callable[..., Any]
    oracle: Callable[..., Any]
    conclude: Callable[..., Conclusion]
    hypotheses: tuple[Hypothesis, ...] = ()
    guard: Callable[..., Comparison] | None = None
    theorems: tuple[str, ...] = ()
    unproved: str = ""
    trusts: tuple[str, ...] = field(default=())
    enclosure: Enclosure | None = None

    def __reduce__(self) -> tuple[Any, ...]:  # functions stay where they are: another process imports them
        return _stated_in, (self.module,)

    @property
    def id(self) -> str:
        """Chapter and name, such as ``noise.truncated_laplace_variance``."""
        return self.module.removeprefix(PACKAGE)

    def require(self, **parameters: Any) -> None:
        """Check every hypothesis whose parameters are given; a lemma is not to be used outside them.

        Raises:
            HypothesisNotMet: naming the hypothesis and the values.
        """
        for hypothesis in self.hypotheses:
            if set(hypothesis.names) <= set(parameters) and not hypothesis.met(parameters):
                raise HypothesisNotMet(self, hypothesis, parameters)

    def check(self, **parameters: Any) -> tuple[Comparison, ...]:
        """Check the lemma at one point of its domain against its oracle.

        Raises:
            TypeError: a parameter is missing or unknown.
            HypothesisNotMet: the point lies outside the hypotheses.
            ConclusionViolated: the conclusion fails there.
        """
        missing, unknown = set(self.domain) - set(parameters), set(parameters) - set(self.domain)
        if missing or unknown:
            raise TypeError(
                f"{self.id} takes the parameters {sorted(self.domain)}"
                + (f"; missing: {sorted(missing)}" if missing else "")
                + (f"; unknown: {sorted(unknown)}" if unknown else "")
            )
        self.require(**parameters)
        return self._checked(self.conclude(**parameters), parameters)

    def enclose(self) -> tuple[Comparison, ...]:
        """Show by interval arithmetic what :attr:`enclosure` claims over its whole box.

        Raises:
            TypeError: the lemma has no enclosure.
            ConclusionViolated: some part of the box does not show it.
        """
        if self.enclosure is None:
            raise TypeError(f"{self.id} has no enclosure: its oracle checks points, not boxes")
        return self._checked(self.enclosure.holds(), {})

    def enforce(self, **observed: Any) -> Comparison:
        """Apply the cheap conclusion to what an implementation built; refuse to go on if it fails.

        Raises:
            ConclusionViolated: with the observed numbers.
        """
        if self.guard is None:
            raise TypeError(f"{self.id} has no guard: it can be relied on, but not enforced")
        comparison = self.guard(**observed)
        if not comparison.holds:
            raise ConclusionViolated(self, comparison, {})
        return comparison

    def _checked(self, concluded: Conclusion, parameters: Mapping[str, Any]) -> tuple[Comparison, ...]:
        comparisons = (concluded,) if isinstance(concluded, Comparison) else tuple(concluded)
        if not comparisons:
            raise RuntimeError(f"{self.id} concluded nothing at {dict(parameters)}")
        for comparison in comparisons:
            if not comparison.holds:
                raise ConclusionViolated(self, comparison, parameters)
        return comparisons


def _stated_in(module: str) -> Lemma:
    stated: Lemma = importlib.import_module(module).LEMMA
    return stated

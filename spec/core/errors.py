"""The three ways a lemma can fail, each carrying the objects it speaks of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dpverify.spec.core.comparison import Comparison
    from dpverify.spec.core.lemma import Hypothesis, Lemma


class HypothesisNotMet(ValueError):
    """The caller's mistake: a lemma was used outside its hypotheses.

    Attributes: ``lemma``, ``hypothesis``, ``parameters``.
    """

    def __init__(self, lemma: Lemma, hypothesis: Hypothesis, parameters: Mapping[str, Any]) -> None:
        self.lemma = lemma
        self.hypothesis = hypothesis
        self.parameters = dict(parameters)
        values = ", ".join(f"{name} = {parameters[name]!r}" for name in hypothesis.names)
        super().__init__(f"{lemma.id}: hypothesis not met: it needs {hypothesis.text}, but {values}")

    def __reduce__(self) -> tuple[Any, ...]:  # so that a worker process can send it home
        return _hypothesis_not_met, (self.lemma, self.lemma.hypotheses.index(self.hypothesis), self.parameters)


class ConclusionViolated(RuntimeError):
    """Our mistake: the hypotheses held and the conclusion did not.

    Attributes: ``lemma``, ``comparison``, ``parameters``.
    """

    def __init__(self, lemma: Lemma, comparison: Comparison, parameters: Mapping[str, Any]) -> None:
        self.lemma = lemma
        self.comparison = comparison
        self.parameters = dict(parameters)
        lines = [
            f"{lemma.id}: conclusion violated at {comparison.describe()}",
            f"  claim:  {lemma.claim}",
        ]
        if self.parameters and set(self.parameters) <= set(lemma.domain):
            at = " ".join(f"{name}={_literal(value)}" for name, value in self.parameters.items())
            lines.append(f"  repro:  dpverify lemma {lemma.id} --at {at}")
        for theorem in lemma.theorems:
            file, name = theorem.rsplit(".", 1)
            lines.append(f"  proof:  spec/proofs/{file}.v  {name}")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.lemma, self.comparison, self.parameters)


class OracleUnreliable(RuntimeError):
    """An oracle disagrees with itself at two precisions, or is not a number: it proves nothing."""


def _hypothesis_not_met(lemma: Lemma, number: int, parameters: Mapping[str, Any]) -> HypothesisNotMet:
    return HypothesisNotMet(lemma, lemma.hypotheses[number], parameters)


def _literal(value: Any) -> str:
    """A number as the command line takes it: plain Python, whatever numpy would have printed."""
    return repr(value.item() if hasattr(value, "item") else value)

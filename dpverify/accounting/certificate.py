"""Certificates: does a composition keep an (epsilon, delta) claim?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from dpverify.accounting.bracket import Bracket
from dpverify.accounting.brackets import delta_bracket, epsilon_bracket
from dpverify.accounting.loss import PrivacyLoss, from_approx_dp
from dpverify.errors import InvalidArgument
from dpverify.guarantees import Adjacency, ApproxDP


@runtime_checkable
class HasPrivacyLoss(Protocol):
    """A mechanism that knows its worst pair of output distributions."""

    @property
    def adjacency(self) -> Adjacency | None:
        """Between which datasets the pair is worst; None if its sensitivity was given for any one relation."""

    def privacy_loss(self) -> PrivacyLoss:
        """The loss of the worst pair (P, Q). Under add-remove, P is the output on the larger dataset."""


Part = HasPrivacyLoss | ApproxDP
Counted = Part | tuple[Part, int]


@dataclass(frozen=True)
class CompositionCertificate:
    """What was found out about a claim.

    Attributes:
        claim: the (epsilon, delta) in question.
        delta_bracket: of delta at the claimed epsilon.
        epsilon_bracket: of epsilon at the claimed delta.
        adjacency: None if no part names one (black boxes only): then it is whatever the boxes were claimed for.
        parts: the mechanisms, each with its count.
        idealised: parts whose certified law is not that of a program: black boxes, taken at their word.
    """

    claim: ApproxDP
    delta_bracket: Bracket
    epsilon_bracket: Bracket
    adjacency: Adjacency | None
    parts: tuple[tuple[Part, int], ...]
    idealised: tuple[Part, ...]

    @property
    def satisfied(self) -> bool:
        """Certainly private: the upper bound of delta is at most the claimed one."""
        return self.delta_bracket.upper <= self.claim.delta

    @property
    def refuted(self) -> bool:
        """Certainly not private on the worst pair (of black boxes: for the worst boxes of that claim)."""
        return self.delta_bracket.lower > self.claim.delta

    def __str__(self) -> str:
        verdict = "satisfied" if self.satisfied else "refuted" if self.refuted else "undecided"
        d, e = self.delta_bracket, self.epsilon_bracket
        return (
            f"({self.claim.epsilon:g}, {self.claim.delta:g})-DP {verdict}: "
            f"delta({self.claim.epsilon:g}) in [{d.lower:.6g}, {d.upper:.6g}], "
            f"epsilon({self.claim.delta:g}) in [{e.lower:.6g}, {e.upper:.6g}], "
            f"{self.adjacency.value if self.adjacency else 'adjacency of the boxes'}, "
            f"{sum(count for _, count in self.parts)} parts"
        )


def certify(
    parts: Counted | Sequence[Counted], claim: ApproxDP, *, relative_width: float = 2e-4
) -> CompositionCertificate:
    """Check a claim against the exact composition of mechanisms, adaptively chosen or not.

    Args:
        parts: a mechanism, or a sequence of mechanisms and (mechanism, count): objects with ``privacy_loss()``
            and ``adjacency``, or :class:`ApproxDP` for black boxes of which nothing else is known.
        claim: what is to hold.
        relative_width: how narrow the brackets are meant to be.

    Raises:
        InvalidArgument: two parts name different adjacencies.
    """
    counted = _counted(parts)
    adjacency = _common_adjacency([part for part, _ in counted])
    losses = [
        (from_approx_dp(p.epsilon, p.delta) if isinstance(p, ApproxDP) else p.privacy_loss(), n) for p, n in counted
    ]
    # only add-remove orders a pair (with the row, without it); otherwise parts may disagree on which is P
    tied = adjacency is Adjacency.ADD_REMOVE
    return CompositionCertificate(
        claim,
        delta_bracket(losses, claim.epsilon, relative_width=relative_width, tied=tied),
        epsilon_bracket(losses, claim.delta, relative_width=relative_width, tied=tied),
        adjacency,
        counted,
        tuple(part for part, _ in counted if isinstance(part, ApproxDP)),
    )


def _counted(parts: Counted | Sequence[Counted]) -> tuple[tuple[Part, int], ...]:
    if isinstance(parts, (ApproxDP, HasPrivacyLoss)) or _is_pair(parts):
        parts = [parts]  # type: ignore[list-item]
    out = []
    for entry in parts:
        part, count = entry if isinstance(entry, tuple) else (entry, 1)
        if not isinstance(part, (ApproxDP, HasPrivacyLoss)):
            raise InvalidArgument("parts", part, "mechanisms with privacy_loss() and adjacency, or ApproxDP")
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise InvalidArgument("count", count, "an integer of at least 1")
        out.append((part, count))
    if not out:
        raise InvalidArgument("parts", "empty", "at least one mechanism")
    return tuple(out)


def _is_pair(parts: object) -> bool:
    return isinstance(parts, tuple) and len(parts) == 2 and not isinstance(parts[1], (ApproxDP, HasPrivacyLoss, tuple))


def _common_adjacency(parts: Sequence[Part]) -> Adjacency | None:
    named: dict[Adjacency, Part] = {}
    for part in parts:
        if not isinstance(part, ApproxDP) and part.adjacency is not None:
            named[part.adjacency] = part
    if len(named) > 1:
        shown = " and ".join(f"{type(part).__name__} for {name.value}" for name, part in named.items())
        raise InvalidArgument(
            "parts", shown, "all for one adjacency", "state every mechanism's sensitivity for the same neighbours"
        )
    return next(iter(named), None)

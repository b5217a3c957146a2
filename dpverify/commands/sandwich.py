"""The sandwich: for every shipped mechanism the claimed epsilon, a certified upper and an observed lower bound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from joblib import Parallel, delayed

from dpverify.accounting import certify
from dpverify.audits import audit
from dpverify.audits.shipped import shipped
from dpverify.guarantees import ApproxDP

CLAIM = ApproxDP(1.0, 1e-6)
ALPHA = 1e-3  # of each audit: with this probability a correct mechanism is rejected, or its lower bound too high
PAIRS = 30_000  # of outputs


@dataclass(frozen=True)
class Slice:
    """One mechanism.

    Attributes:
        upper: certified: epsilon at the claim's delta is at most this.
        lower: observed: it is at least this, with probability 1 - ALPHA; an audit that finds nothing says 0.
        pairs: of outputs that the audit drew.
        of: how many mechanisms there are.
        witness: the event that betrays a violation, in words ("" without one).
    """

    name: str
    claim: ApproxDP
    upper: float
    lower: float
    pairs: int
    violated: bool
    witness: str
    of: int


def run(workers: int) -> Iterator[Slice]:
    """All mechanisms, as they finish; the audits' outputs come from a seeded source, so they repeat."""
    count = len(shipped(CLAIM))
    if workers == 1:
        yield from map(_slice, range(count))
        return
    yield from Parallel(n_jobs=workers, return_as="generator_unordered")(delayed(_slice)(i) for i in range(count))


def _slice(index: int) -> Slice:
    mechanisms = shipped(CLAIM)
    mechanism = mechanisms[index]
    certificate = certify((mechanism.noise, mechanism.parts), CLAIM)
    found = audit(mechanism.mechanism, *mechanism.pair, CLAIM, alpha=ALPHA, max_pairs=PAIRS, stop_early=False)
    return Slice(
        name=mechanism.name,
        claim=CLAIM,
        upper=certificate.epsilon_bracket.upper,
        lower=found.epsilon_lower,
        pairs=found.pairs,
        violated=found.violated,
        witness=str(found.witness) if found.violated else "",
        of=len(mechanisms),
    )

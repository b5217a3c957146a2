"""The sandwich: for every shipped mechanism the claimed epsilon, a certified upper and observed lower bounds.

Two audits look at a pair of neighbours on which the loss is largest, or nearly so. One sees outputs only. The other
knows their law: it finds a lower bound close to the pair's own epsilon, and has to reject a claim of 0.8 of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from joblib import Parallel, delayed

from dpverify.audits import audit, audit_likelihood
from dpverify.audits.shipped import BUILDERS
from dpverify.guarantees import ApproxDP

CLAIM = ApproxDP(1.0, 1e-6)
ALPHA = 1e-3  # of each audit: with this probability a correct mechanism is rejected, or its lower bound too high
PAIRS = 30_000  # of outputs, black box
TIGHTENED = 0.8  # of the pair's own epsilon: a claim that is too strong
TIGHTENED_ALPHA = 1e-9
DRAWS = 5_000  # outputs on either dataset, density known


@dataclass(frozen=True)
class Slice:
    """One mechanism.

    Attributes:
        upper: certified: epsilon at the claim's delta is at most this, whatever the neighbours.
        pair: epsilon at the claim's delta of the pair audited, a certified lower bound.
        lower: observed, black box: it is at least this, with probability 1 - ALPHA; an audit that finds nothing says 0.
        pairs: of outputs that this audit drew.
        violated: either audit rejects the mechanism's own claim.
        witness: the event that betrays a violation, in words ("" without one).
        lower_likelihood: observed with the density known, with probability 1 - TIGHTENED_ALPHA.
        tightened_after: outputs after which the claim TIGHTENED * pair was rejected at TIGHTENED_ALPHA; None: never.
        of: how many mechanisms there are.
    """

    name: str
    claim: ApproxDP
    upper: float
    pair: float
    lower: float
    pairs: int
    violated: bool
    witness: str
    lower_likelihood: float
    tightened_after: int | None
    of: int

    @property
    def failed(self) -> bool:
        """The claim is rejected, or one that is too strong is not."""
        return self.violated or self.tightened_after is None


def run(workers: int) -> Iterator[Slice]:
    """All mechanisms, as they finish; the audits' outputs come from a seeded source, so they repeat."""
    if workers == 1:
        yield from map(_slice, BUILDERS)
        return
    yield from Parallel(n_jobs=workers, return_as="generator_unordered")(delayed(_slice)(name) for name in BUILDERS)


def in_order(slices: Sequence[Slice]) -> list[Slice]:
    """As the mechanisms are listed, whichever finished first."""
    place = list(BUILDERS)
    return sorted(slices, key=lambda found: place.index(found.name))


def _slice(name: str) -> Slice:
    mechanism = BUILDERS[name](name, CLAIM)
    found = audit(mechanism.mechanism, *mechanism.pair, CLAIM, alpha=ALPHA, max_pairs=PAIRS, stop_early=False)
    pair = mechanism.epsilon_of_pair()
    tightened = ApproxDP(TIGHTENED * pair, CLAIM.delta)
    known = audit_likelihood(mechanism.whole, *mechanism.pair, tightened, alpha=TIGHTENED_ALPHA, draws=DRAWS)
    own = known.rejects(CLAIM.epsilon, ALPHA)
    witness = str(found.witness) if found.violated else ""
    return Slice(
        name=mechanism.name,
        claim=CLAIM,
        upper=mechanism.epsilon_certified(),
        pair=pair,
        lower=found.epsilon_lower,
        pairs=found.pairs,
        violated=found.violated or own is not None,
        witness=witness if own is None else f"{witness} by its density, after {own:,} outputs".strip(),
        lower_likelihood=known.epsilon_lower,
        tightened_after=known.rejected_after,
        of=len(BUILDERS),
    )

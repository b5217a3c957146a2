"""A second opinion by classical means: an event chosen on one half of a fixed sample, tested on the other.

Clopper-Pearson bounds on the event's two probabilities, and a likelihood-ratio test of the claim, for both orders of
the datasets, corrected for looking at both. Nothing here may be repeated until it gives the answer one likes; ``audit``
may.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import chdtrc

from dpverify.audits.bets import best_bet
from dpverify.audits.experts import Family
from dpverify.audits.process import Memory, coordinate_family, score_family
from dpverify.audits.sampling import SIDES, Encoder, Mechanism, check_pair, sample_block
from dpverify.audits.witness import Witness, witness_of
from dpverify.errors import InvalidArgument
from dpverify.guarantees import ApproxDP


@dataclass(frozen=True)
class FixedSampleResult:
    """Outcome of :func:`fixed_sample`.

    Attributes:
        violated: ``epsilon_lower`` exceeds the claim.
        epsilon_lower: lower bound on epsilon at the claimed delta, confidence 1 - alpha for both orders together.
        p_value: of the likelihood-ratio test, Bonferroni-corrected (asymptotic: trust it for counts above five).
        witness: the event of the larger lower bound, with its frequencies on the second half.
    """

    violated: bool
    epsilon_lower: float
    p_value: float
    witness: Witness | None
    pairs: int
    alpha: float


def fixed_sample(
    mechanism: Mechanism,
    d0: Any,
    d1: Any,
    claim: ApproxDP,
    *,
    alpha: float = 0.05,
    pairs: int = 20_000,
    seed: int = 0,
    n_jobs: int | None = 1,
) -> FixedSampleResult:
    """Draw ``pairs`` pairs, choose events on the first half, test them on the second."""
    if not 0.0 < alpha < 1.0:
        raise InvalidArgument("alpha", alpha, "greater than 0 and less than 1")
    if pairs < 200:
        raise InvalidArgument("pairs", pairs, "at least 200")
    check_pair(d0, d1)
    encoder = Encoder()
    ((x, y),) = sample_block(mechanism, [(d0, d1)], pairs, seed, (5,), n_jobs, encoder)
    half = pairs // 2
    memory = Memory(x[:half], y[:half])
    families = [family for family in (coordinate_family(memory), score_family(memory)) if family is not None]
    best = FixedSampleResult(False, 0.0, 1.0, None, pairs, alpha)
    p_value = 1.0
    for side in (0, 1):
        chosen = _choose(families, side, claim.delta, alpha)
        if chosen is None:
            continue
        family, event, complement = chosen
        counts = family.observe(x[half:], y[half:])
        hits = [abs(float(c[event]) - complement * counts.pairs) for c in (counts.x, counts.y)]
        mine, other = hits[side], hits[1 - side]
        low = _lower(mine, other, counts.pairs, claim.delta, alpha)
        p_value = min(p_value, _likelihood_ratio(mine, other, counts.pairs, claim))
        if low > best.epsilon_lower or best.witness is None:
            tested = Family(family.columns, family.table, counts)
            witness = witness_of(tested, event, bool(complement), SIDES[side], False, encoder)
            best = FixedSampleResult(low > claim.epsilon, low, 1.0, witness, pairs, alpha)
    final = min(1.0, 2.0 * p_value)
    return FixedSampleResult(best.violated, best.epsilon_lower, final, best.witness, pairs, alpha)


def _choose(families: list[Family], side: int, delta: float, alpha: float) -> tuple[Family, int, int] | None:
    """The event with the largest lower bound on the first half; (family, event, is it the complement)."""
    best: tuple[float, tuple[Family, int, int]] | None = None
    for family in families:
        for complement in (0, 1):
            x, y = (np.abs(c - complement * family.past.pairs) for c in (family.past.x, family.past.y))
            mine, other = (x, y) if side == 0 else (y, x)
            if not len(mine):
                continue
            bounds = _lower(mine, other, family.past.pairs, delta, alpha)
            event = int(np.argmax(bounds))
            if best is None or bounds[event] > best[0]:
                best = (float(bounds[event]), (family, event, complement))
    return None if best is None else best[1]


def _lower(mine: Any, other: Any, pairs: int, delta: float, alpha: float) -> Any:
    """``ln((p_low - delta) / q_high)`` by Clopper-Pearson, alpha / 4 for each of four bounds; 0 where none."""
    from statsmodels.stats.proportion import proportion_confint

    low, _ = proportion_confint(mine, pairs, alpha=alpha / 2.0, method="beta")
    _, high = proportion_confint(other, pairs, alpha=alpha / 2.0, method="beta")
    low, high = np.nan_to_num(np.asarray(low), nan=0.0), np.nan_to_num(np.asarray(high), nan=1.0)
    bound = np.log(np.maximum(low - delta, 1e-300) / np.maximum(high, 1e-300))
    bound = np.maximum(bound, 0.0)
    return float(bound) if np.ndim(bound) == 0 else bound


def _likelihood_ratio(mine: float, other: float, pairs: int, claim: ApproxDP) -> float:
    """p-value of one order: twice the likelihood ratio is a half-and-half mixture of 0 and chi-square(1) at worst."""
    p, q = (np.array([(hits + 0.5) / (pairs + 1)]) for hits in (mine, other))
    ratio = np.exp(np.array([claim.epsilon]))
    if not p[0] > ratio[0] * q[0] + claim.delta:
        return 1.0
    zero, one = np.zeros(1), np.ones(1)
    growth = best_bet(p, q, zero, zero, ratio, claim.delta, one, zero).growth(p, q, zero, zero)
    return float(0.5 * chdtrc(1, 2.0 * pairs * float(growth[0])))

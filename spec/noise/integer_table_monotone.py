"""Integer tables: only the largest shift needs checking.

If the weights are log-concave (w_k^2 >= w_(k-1) w_(k+1), no gap), delta_t grows with t >= 0; if they are
symmetric too, delta_(-t) = delta_t, so the worst shift within s steps is s. Proof idea: the likelihood ratio
w_k/w_(k-t) falls in k, so the best event is {k <= c}, and F(c) - E F(c - t) grows with t. Rounding a log-linear
tail to integers breaks log-concavity by one unit: a table within total variation tau of a law that has it pays 2
tau (1 + E) more.

Source: derived here.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.rounding import exp_lower
from dpverify.spec.noise._integer_table import random_log_concave
from dpverify.spec.noise.integer_table_delta import delta_at_shift


def is_symmetric_log_concave(weights: Sequence[int]) -> bool:
    """The hypothesis, exactly: w_k = w_(-k), w_k^2 >= w_(k-1) w_(k+1), and no zero between positive weights."""
    table = [int(w) for w in weights]
    positive = [k for k, w in enumerate(table) if w > 0]
    gapless = bool(positive) and positive[-1] - positive[0] + 1 == len(positive) and min(table) >= 0
    concave = all(b * b >= a * c for a, b, c in zip(table, table[1:], table[2:], strict=False))
    return gapless and concave and table == table[::-1]


def worst_delta(
    weights: Sequence[int], steps: int, exp_epsilon_lower: Fraction, total_variation: Fraction = Fraction(0)
) -> Fraction:
    """The largest delta over all shifts of at most ``steps``, of a table that is symmetric and log-concave.

    Args:
        total_variation: distance of the table to a symmetric log-concave law; the result is then an upper bound.
    """
    return delta_at_shift(weights, steps, exp_epsilon_lower) + 2 * total_variation * (1 + exp_epsilon_lower)


def oracle(weights: Sequence[int], steps: int, exp_epsilon_lower: Fraction) -> Fraction:
    """Every shift within ``steps``, every k of the union of supports, in fractions."""
    at, total = dict(enumerate(weights)), sum(weights)
    return max(
        sum(
            (max(Fraction(0), at.get(k, 0) - exp_epsilon_lower * at.get(k - t, 0)) for k in range(len(weights))),
            Fraction(0),
        )
        / total
        for t in range(-steps, steps + 1)
    )


def conclude(*, factors: int, steps: int, epsilon: float, seed: int) -> list[Comparison]:
    rng = np.random.default_rng(seed)
    weights = random_log_concave(rng, factors)
    lower = Fraction(int(exp_lower(epsilon, bits=96) * 64), 64)
    dented: list[int] = [w + int(x) for w, x in zip(weights, rng.integers(0, 3, len(weights)), strict=True)]
    tau = _total_variation(dented, weights)
    return [
        equal(int(is_symmetric_log_concave(weights)), 1, slack=0, label="hypothesis"),
        equal(worst_delta(weights, steps, lower), oracle(weights, steps, lower), slack=0, unit="probability"),
        at_most(oracle(dented, steps, lower), worst_delta(dented, steps, lower, tau), label="near a log-concave law"),
    ]


def _total_variation(p: Sequence[int], q: Sequence[int]) -> Fraction:
    return sum((abs(Fraction(a, sum(p)) - Fraction(b, sum(q))) for a, b in zip(p, q, strict=True)), Fraction(0)) / 2


LEMMA = Lemma(
    module=__name__,
    statement="For a symmetric log-concave table the largest shift has the largest delta.",
    claim="max over |t| <= s of delta_t(eps) = delta_s(eps)",
    source=Source("derived here", "", ""),
    domain={
        "factors": Integer(0, 4),
        "steps": Integer(1, 6),
        "epsilon": Real(1e-6, 50.0, log=True),
        "seed": Integer(0, 2**32 - 1),
    },
    formula=worst_delta,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(Hypothesis("1 <= steps", ("steps",), lambda p: p["steps"] >= 1),),
    theorems=("TableMonotone.table_delta_monotone",),
)

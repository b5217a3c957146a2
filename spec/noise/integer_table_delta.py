"""Noise drawn from a table of integer weights: its exact delta at a shift, by integer arithmetic.

For weights w_k with sum W and a shift of t grid steps, the divergence is ``(1/W) sum_k max(0, w_k - E w_(k-t))``
over all k, E = e^epsilon; weights outside the table are 0. With a rational E below e^epsilon it is an upper
bound. Proof idea: the best event keeps the outcomes where the summand is positive. Unit: probability; shifts in
grid steps.

Source: derived here (the definition of the hockey-stick divergence, for a table).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.oracle import context
from dpverify.spec.core.rounding import exp_lower
from dpverify.spec.noise._integer_table import event_gains, random_table, shifted_laws
from dpverify.spec.privacy._finite import best_event, number


def delta_at_shift(weights: Sequence[int] | np.ndarray[Any, Any], shift: int, exp_epsilon_lower: Fraction) -> Fraction:
    """The divergence, exactly, of the table against itself moved by ``shift`` steps (either sign).

    An upper bound on delta when ``exp_epsilon_lower <= e^epsilon``. About 0.3 microseconds a weight.
    """
    table = np.asarray(weights, dtype=object)
    moved = np.zeros(len(table), dtype=object)  # moved[k] = table[k - shift], on the support of the table
    if abs(shift) < len(table):
        overlap = len(table) - abs(shift)
        moved[max(0, shift) :][:overlap] = table[max(0, -shift) :][:overlap]
    excess = exp_epsilon_lower.denominator * table - exp_epsilon_lower.numerator * moved
    return Fraction(sum(excess[excess > 0].tolist()), exp_epsilon_lower.denominator * sum(table.tolist()))


def oracle(weights: Sequence[int], shift: int, exponential: Fraction) -> Fraction:
    """The best of all events over the union of both supports at E = exponential, every one evaluated, in fractions."""
    return max(event_gains(*shifted_laws(weights, shift), exponential))


def conclude(*, size: int, shift: int, epsilon: float, seed: int) -> list[Comparison]:
    weights = random_table(np.random.default_rng(seed), size)
    lower = exp_lower(epsilon, bits=96)
    ctx = context(60)
    coarse = Fraction(int(lower * 8), 8)  # small numbers, for the exact enumeration
    made = delta_at_shift(weights, shift, lower)
    true = best_event(ctx, *shifted_laws(weights, shift), epsilon)
    return [
        equal(delta_at_shift(weights, shift, coarse), oracle(weights, shift, coarse), slack=0, label="exact"),
        at_most(true, number(ctx, made), slack=1e-50, unit="probability", label="an upper bound"),
        at_most(made, true, slack=2.0**-80, unit="probability", label="by less than 2^-80"),
    ]


def guard(delta_upper: Fraction, delta: float) -> Comparison:
    """What a table must satisfy before it is sampled from."""
    return at_most(delta_upper, delta, slack=0, unit="probability", label="the table's own delta")


LEMMA = Lemma(
    module=__name__,
    statement="The delta of a table of integer weights is a finite integer sum, for every shift.",
    claim="delta_t(eps) = (1/W) sum_k max(0, w_k - e^eps w_(k-t)) over all integers k",
    source=Source("derived here", "", ""),
    domain={
        "size": Integer(1, 6),
        "shift": Integer(-7, 7),
        "epsilon": Real(1e-6, 50.0, log=True),
        "seed": Integer(0, 2**32 - 1),
    },
    formula=delta_at_shift,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(Hypothesis("0 <= epsilon < 700", ("epsilon",), lambda p: 0 <= p["epsilon"] < 700),),
    guard=guard,
    theorems=(
        "IntegerTable.table_ok_sound",
        "SmallTable.small_table_dp",
    ),
)

"""What (epsilon, delta) means: the hockey-stick divergence is the best event's advantage.

``H(P||Q) = sum_x max(0, P(x) - e^epsilon Q(x)) = sup_E P(E) - e^epsilon Q(E)``. A mechanism is (epsilon,
delta)-DP iff H <= delta in both directions for all neighbours. Proof idea: the best event keeps exactly the
outcomes with P(x) > e^epsilon Q(x). Unit: probability.

Source: Barthe, Olmedo, Beyond differential privacy, ICALP 2013; Balle, Barthe, Gaboardi, NeurIPS 2018.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.spec.core.comparison import Comparison, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions
from dpverify.spec.privacy._finite import best_event, random_law

SLACK = 2.0**-49  # absolute: only outcomes with P(x) > e^epsilon Q(x) count, and their P sums to at most one


def hockey_stick(p: npt.ArrayLike, q: npt.ArrayLike, epsilon: float) -> float:
    """H(P||Q) of two laws on the same outcomes, arrays of one shape; absolute error below 2^-49.

    Outcomes that only P can produce count in full. One direction only: take both for a verdict.
    """
    here, there = np.asarray(p, dtype=float), np.asarray(q, dtype=float)
    if here.shape != there.shape:
        raise ValueError(f"p has shape {here.shape}, q has {there.shape}: list the same outcomes in both")
    return math.fsum(np.maximum(0.0, here - math.exp(epsilon) * there).ravel().tolist())


def oracle(epsilon: float, outcomes: int, seed: int) -> tuple[Any, Any]:
    """The supremum over all events, both directions, by enumeration."""
    p, q = pair(outcomes, seed)
    return (
        at_two_precisions(lambda ctx: best_event(ctx, p, q, epsilon)),
        at_two_precisions(lambda ctx: best_event(ctx, q, p, epsilon)),
    )


def pair(outcomes: int, seed: int) -> tuple[Any, Any]:
    """Two laws on the same outcomes, as exact fractions."""
    rng = np.random.default_rng(seed)
    return random_law(rng, outcomes), random_law(rng, outcomes)


def conclude(*, epsilon: float, outcomes: int, seed: int) -> Comparison:
    p, q = pair(outcomes, seed)
    here, there = [float(x) for x in p], [float(x) for x in q]
    both = [hockey_stick(here, there, epsilon), hockey_stick(there, here, epsilon)]
    return equal(both, oracle(epsilon, outcomes, seed), slack=SLACK, unit="probability")


LEMMA = Lemma(
    module=__name__,
    statement="The largest advantage of any event is the sum of the positive parts of P - e^eps Q.",
    claim="sup_E P(E) - e^eps Q(E) = sum_x max(0, P(x) - e^eps Q(x))",
    source=Source("Balle, Barthe, Gaboardi", "NeurIPS 2018", "Definition 1, Theorem 1"),
    domain={"epsilon": Real(0.0, 50.0), "outcomes": Integer(1, 8), "seed": Integer(0, 2**32 - 1)},
    formula=hockey_stick,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(Hypothesis("0 <= epsilon", ("epsilon",), lambda p: p["epsilon"] >= 0),),
    theorems=(
        "HockeyStick.hockey_stick_iff_dp",
        "HockeyStick.hockey_stick_attained",
    ),
    trusts=("float64 evaluation within the stated slack",),
)

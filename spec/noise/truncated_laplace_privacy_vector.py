"""Truncated Laplace noise is (epsilon, delta)-private for a vector of that l1 sensitivity, unsplit.

Independent noise with the same B on every coordinate; for a shift (t_1, ..., t_m) with sum |t_j| <= sensitivity
the divergence is exactly ``1 - prod (1 - T(|t_j|)) <= sum T(|t_j|) <= T(sum |t_j|) <= delta``. Proof idea: where
both vectors can land the losses add up to at most epsilon; T is convex with T(0) = 0, hence superadditive.
Attained when one coordinate takes the whole shift. Unit: probability.

Source: derived here (the scalar case is arXiv 2407.14717v3, Lemma 3.6).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer
from dpverify.spec.core.errors import OracleUnreliable
from dpverify.spec.core.lemma import Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions
from dpverify.spec.noise._shifted import sides
from dpverify.spec.noise._truncated_laplace import DOMAIN, HYPOTHESES, SUBNORMAL
from dpverify.spec.noise.truncated_laplace_tail import tail

RELATIVE_SLACK = 2.0**-44


def delta_at_shifts(shifts: Sequence[float], sensitivity: float, epsilon: float, delta: float) -> float:
    """The divergence at epsilon for a vector of shifts, sum |t_j| <= sensitivity; relative error below 2^-44."""
    return -math.expm1(math.fsum(math.log1p(-tail(abs(t), sensitivity, epsilon, delta)) for t in shifts))


def oracle(shifts: Sequence[Fraction], sensitivity: float, epsilon: float, delta: float) -> Any:
    """Integral of (p - e^epsilon q)_+ over the 2^m boxes of the support, by quadrature of each side."""

    def divergence(ctx: Any) -> Any:
        parts = [sides(ctx, t, sensitivity, epsilon, delta) for t in shifts]
        if sum(part.worst_loss for part in parts) > Fraction(epsilon):
            raise OracleUnreliable(f"the privacy loss exceeds epsilon = {epsilon} where both vectors can land")
        boxes = list(itertools.product(*((part.unreached, part.reached) for part in parts)))
        return ctx.fsum(ctx.fprod(box) for box in boxes[:-1])  # the last box is the one within Q's reach

    return at_two_precisions(divergence, digits=45)


def conclude(*, dimension: int, seed: int, sensitivity: float, epsilon: float, delta: float) -> list[Comparison]:
    odds = np.random.default_rng(seed).integers(1, 1000, dimension)
    shifts = [Fraction(int(x), int(odds.sum())) * Fraction(sensitivity) for x in odds]
    exact = oracle(shifts, sensitivity, epsilon, delta)
    made = delta_at_shifts([float(t) for t in shifts], sensitivity, epsilon, delta)
    alone = delta_at_shifts([sensitivity] + [0.0] * (dimension - 1), sensitivity, epsilon, delta)
    return [
        equal(
            made,
            exact,
            slack=RELATIVE_SLACK * exact + SUBNORMAL,
            unit="probability",
            label="divergence at a shift",
        ),
        at_most(exact, delta, slack=1e-19 * exact, unit="probability", label="private"),
        equal(alone, delta, slack=RELATIVE_SLACK * exact + SUBNORMAL, unit="probability", label="attained"),
    ]


LEMMA = Lemma(
    module=__name__,
    statement="Truncated Laplace noise on every coordinate is (eps, delta)-DP for a vector of that l1 sensitivity.",
    claim="H_eps(z || z + t) = 1 - prod_j (1 - T(|t_j|)) <= delta for sum_j |t_j| <= Delta",
    source=Source("derived here", "", ""),
    domain={"dimension": Integer(1, 3), "seed": Integer(0, 2**32 - 1), **DOMAIN},
    formula=delta_at_shifts,
    oracle=oracle,
    conclude=conclude,
    hypotheses=HYPOTHESES,
    theorems=(
        "VectorTLap.tlap_dp_vector",
        "VectorTLap.tail_superadditive",
    ),
    trusts=("float64 evaluation within the stated slack",),
)

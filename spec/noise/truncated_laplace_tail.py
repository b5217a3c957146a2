"""Truncated Laplace noise: the mass near the end of its support, and why delta is what it is.

``T(t) = P[z > B - t] = (e^(epsilon t / sensitivity) - 1) / (2 (e^L - 1))`` for 0 <= t <= B, and T(sensitivity) =
delta exactly. Proof idea: a geometric integral, and e^L - 1 = (e^epsilon - 1)/(2 delta). T is convex with T(0) =
0. t has the unit of the data, T is a probability.

Source: arXiv 2407.14717v3, Definition 3.4 and Lemma 3.6; Geng, Ding, Guo, Kumar, AISTATS 2020.
"""

from __future__ import annotations

import math
from typing import Any

from dpverify.spec.core.comparison import Comparison, equal
from dpverify.spec.core.domain import Real
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions
from dpverify.spec.noise._truncated_laplace import DOMAIN, HYPOTHESES, SUBNORMAL, exact_bound, integral, mass

RELATIVE_SLACK = 2.0**-45  # expm1 of up to 50, whose argument carries two roundings


def tail(t: float, sensitivity: float, epsilon: float, delta: float) -> float:
    """T(t) for 0 <= t <= sensitivity (never more than B); relative error below 2^-45 (plus 2^-1073)."""
    return delta * (math.expm1(epsilon * (t / sensitivity)) / math.expm1(epsilon))


def tail_mass(sensitivity: float, epsilon: float, delta: float) -> float:
    """P[z > B - sensitivity], which is delta."""
    return tail(sensitivity, sensitivity, epsilon, delta)


def oracle(t: float, sensitivity: float, epsilon: float, delta: float) -> Any:
    """The density's integral over [B - t, B], by quadrature."""

    def near(ctx: Any) -> Any:
        bound = exact_bound(ctx, sensitivity, epsilon, delta)
        rate = ctx.mpf(epsilon) / ctx.mpf(sensitivity)
        return integral(ctx, 0, rate, bound - ctx.mpf(t), bound) / mass(ctx, sensitivity, epsilon, delta)

    return at_two_precisions(near, digits=45)


def conclude(*, fraction: float, sensitivity: float, epsilon: float, delta: float) -> list[Comparison]:
    t = fraction * sensitivity
    partial, exact = oracle(t, sensitivity, epsilon, delta), oracle(sensitivity, sensitivity, epsilon, delta)
    made, whole = tail(t, sensitivity, epsilon, delta), tail_mass(sensitivity, epsilon, delta)
    return [
        equal(made, partial, slack=RELATIVE_SLACK * partial + SUBNORMAL, unit="probability", label="T(t)"),
        equal(whole, exact, slack=RELATIVE_SLACK * exact + SUBNORMAL, unit="probability", label="T(sensitivity)"),
        equal(delta, exact, slack=1e-19 * exact, unit="probability", label="T(sensitivity) = delta"),
    ]


LEMMA = Lemma(
    module=__name__,
    statement="Exactly delta of the noise lies within one sensitivity of the end of its support.",
    claim="P[z > B - t] = delta (e^(eps t/Delta) - 1)/(e^eps - 1);  P[z > B - Delta] = delta",
    source=Source("arXiv 2407.14717", "v3", "Definition 3.4, Lemma 3.6"),
    domain={"fraction": Real(1e-3, 1.0), **DOMAIN},
    formula=tail,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(Hypothesis("0 < fraction <= 1", ("fraction",), lambda p: 0 < p["fraction"] <= 1), *HYPOTHESES),
    theorems=(
        "TLap.tlap_tail_mass",
        "TLap.tlap_tail_mass_left",
        "VectorTLap.tlap_tail_mass_at",
    ),
    trusts=("float64 evaluation within the stated slack", "the theorems cover t = sensitivity only"),
)

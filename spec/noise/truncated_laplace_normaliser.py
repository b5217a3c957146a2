"""Truncated Laplace noise: its support bound B and normaliser C.

Density ``C exp(-epsilon |z| / sensitivity)`` on [-B, B], with ``B = (sensitivity / epsilon) L`` and
``L = ln(1 + (e^epsilon - 1) / (2 delta))``. It integrates to one for ``C = epsilon / (2 sensitivity (1 - e^-L))``.
Proof idea: each half of the density is a geometric integral. B and the sensitivity have the unit of the data.

Source: arXiv 2407.14717v3, Definition 3.4; Geng, Ding, Guo, Kumar, AISTATS 2020.
"""

from __future__ import annotations

import math
from typing import Any

from dpverify.spec.core.comparison import Comparison, equal
from dpverify.spec.core.domain import Real
from dpverify.spec.core.lemma import Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions
from dpverify.spec.noise._truncated_laplace import HYPOTHESES, exact_bound

RELATIVE_SLACK = 2.0**-49  # float64 evaluation of log1p, expm1 and three products


def log_term(epsilon: float, delta: float) -> float:
    """L, the support bound in units of sensitivity / epsilon; relative error below 2^-50."""
    return math.log1p(math.expm1(epsilon) / (2.0 * delta))


def support_bound(sensitivity: float, epsilon: float, delta: float) -> float:
    """B: the noise lies in [-B, B]; relative error below 2^-49."""
    return sensitivity / epsilon * log_term(epsilon, delta)


def normaliser(sensitivity: float, epsilon: float, delta: float) -> float:
    """C, the density at zero; relative error below 2^-49."""
    return epsilon / (2.0 * sensitivity * -math.expm1(-log_term(epsilon, delta)))


def oracle(sensitivity: float, epsilon: float, delta: float) -> Any:
    """One over the integral of exp(-epsilon |z| / sensitivity) over [-B, B], by quadrature."""

    def inverse_mass(ctx: Any) -> Any:
        bound = exact_bound(ctx, sensitivity, epsilon, delta)
        rate = ctx.mpf(epsilon) / ctx.mpf(sensitivity)
        pieces = [bound * j / 8 for j in range(9)]
        return 1 / (2 * ctx.quad(lambda z: ctx.exp(-rate * z), pieces))

    return at_two_precisions(inverse_mass)


def conclude(*, sensitivity: float, epsilon: float, delta: float) -> Comparison:
    exact = oracle(sensitivity, epsilon, delta)
    return equal(
        normaliser(sensitivity, epsilon, delta),
        exact,
        slack=RELATIVE_SLACK * exact,
        unit="1 / unit of the data",
    )


LEMMA = Lemma(
    module=__name__,
    statement="The truncated Laplace density integrates to one over its support [-B, B].",
    claim="C = eps / (2 Delta (1 - e^-L)),  B = (Delta/eps) L,  L = ln(1 + (e^eps - 1)/(2 delta))",
    source=Source("arXiv 2407.14717", "v3", "Definition 3.4"),
    domain={
        "sensitivity": Real(1e-3, 1e3, log=True),
        "epsilon": Real(1e-6, 50.0, log=True),
        "delta": Real(1e-300, 0.5, log=True),
    },
    formula=normaliser,
    oracle=oracle,
    conclude=conclude,
    hypotheses=HYPOTHESES,
    theorems=("TLap.tlap_total_mass",),
    trusts=("float64 evaluation within the stated slack",),
)

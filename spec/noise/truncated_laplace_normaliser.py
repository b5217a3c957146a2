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
from dpverify.spec.core.enclosure import Enclosure, identity
from dpverify.spec.core.lemma import Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions, context
from dpverify.spec.noise._length import BOX, ENDS, TOLERANCE, at_ends, half_density
from dpverify.spec.noise._truncated_laplace import DOMAIN, HYPOTHESES, exact_bound, mass

RELATIVE_SLACK = 2.0**-49  # float64 evaluation of log1p, expm1 and three products


def log_term(epsilon: float, delta: float) -> float:
    """L, the support bound in units of sensitivity / epsilon; relative error below 2^-50, no overflow."""
    log_ratio = epsilon + math.log(-math.expm1(-epsilon)) - math.log(2.0 * delta)
    return math.log1p(math.expm1(epsilon) / (2.0 * delta)) if log_ratio < 600.0 else log_ratio


def support_bound(sensitivity: float, epsilon: float, delta: float) -> float:
    """B: the noise lies in [-B, B]; relative error below 2^-49."""
    return sensitivity / epsilon * log_term(epsilon, delta)


def normaliser(sensitivity: float, epsilon: float, delta: float) -> float:
    """C, the density at zero; relative error below 2^-49."""
    return epsilon / (2.0 * sensitivity * -math.expm1(-log_term(epsilon, delta)))


def oracle(sensitivity: float, epsilon: float, delta: float) -> Any:
    """One over the integral of exp(-epsilon |z| / sensitivity) over [-B, B], by quadrature."""
    return at_two_precisions(lambda ctx: 1 / mass(ctx, sensitivity, epsilon, delta))


def conclude(*, sensitivity: float, epsilon: float, delta: float) -> list[Comparison]:
    exact = oracle(sensitivity, epsilon, delta)
    bound = exact_bound(context(60), sensitivity, epsilon, delta)
    made, wide = normaliser(sensitivity, epsilon, delta), support_bound(sensitivity, epsilon, delta)
    return [
        equal(made, exact, slack=RELATIVE_SLACK * exact, unit="1 / unit of the data", label="C"),
        equal(wide, bound, slack=RELATIVE_SLACK * bound, unit="unit of the data", label="B, in floats"),
    ]


def enclosed() -> tuple[Comparison, ...]:
    """``int_0^L e^-u du = 1 - e^-L``, which is 1 / (2 C) in units of sensitivity / epsilon, for all L of the box."""
    return (
        identity(lambda x, mass: [(1 - (-x).exp(), mass)], ENDS, (half_density,), tolerance=TOLERANCE, label="1/(2C)"),
        at_ends(lambda *at: normaliser(*at), lambda length, decay: 1 / (2 * (1 - decay)), power=-1),
    )


LEMMA = Lemma(
    module=__name__,
    statement="The truncated Laplace density integrates to one over its support [-B, B].",
    claim="C = eps / (2 Delta (1 - e^-L)),  B = (Delta/eps) L,  L = ln(1 + (e^eps - 1)/(2 delta))",
    source=Source("arXiv 2407.14717", "v3", "Definition 3.4"),
    domain=DOMAIN,
    formula=normaliser,
    oracle=oracle,
    conclude=conclude,
    hypotheses=HYPOTHESES,
    theorems=("TLap.tlap_total_mass",),
    enclosure=Enclosure(BOX, f"2 C Delta/eps within a relative {TOLERANCE:g} of 1 over its integral", enclosed),
    trusts=("float64 evaluation within the stated slack",),
)

"""Truncated Laplace noise: its variance.

``Var = (2 sensitivity^2 / epsilon^2) (1 - delta (L^2 + 2 L)/(e^epsilon - 1))``. Evaluated as written it cancels
to nothing for small L; the same number is ``(2 sensitivity^2 / epsilon^2) P(3, L)/(1 - e^-L)``, P the regularised
lower incomplete gamma function. Proof idea: integrate z^2 by parts twice. Unit: that of the data, squared.

Source: arXiv 2407.14717v3, Fact 3.5.
"""

from __future__ import annotations

import math
from typing import Any

from scipy.special import gammainc

from dpverify.spec.core.comparison import Comparison, equal
from dpverify.spec.core.lemma import Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions, context
from dpverify.spec.noise._length import moment_enclosure
from dpverify.spec.noise._truncated_laplace import DOMAIN, HYPOTHESES, exact_bound, integral, mass
from dpverify.spec.noise.truncated_laplace_normaliser import log_term

RELATIVE_SLACK = 2.0**-46  # the incomplete gamma function's error dominates


def variance(sensitivity: float, epsilon: float, delta: float) -> float:
    """Var[z]; relative error below 2^-46 (at most 2 sensitivity^2 / epsilon^2, the untruncated variance)."""
    length = log_term(epsilon, delta)
    return 2.0 * (sensitivity / epsilon) ** 2 * float(gammainc(3.0, length)) / -math.expm1(-length)


def published(ctx: Any, sensitivity: float, epsilon: float, delta: float) -> Any:
    """The formula as published, evaluated with enough digits for it."""
    length = exact_bound(ctx, sensitivity, epsilon, delta) * ctx.mpf(epsilon) / ctx.mpf(sensitivity)
    lost = ctx.mpf(delta) * (length**2 + 2 * length) / ctx.expm1(ctx.mpf(epsilon))
    return 2 * (ctx.mpf(sensitivity) / ctx.mpf(epsilon)) ** 2 * (1 - lost)


def oracle(sensitivity: float, epsilon: float, delta: float) -> Any:
    """Integral of z^2 against the density, by quadrature."""

    def second_moment(ctx: Any) -> Any:
        bound = exact_bound(ctx, sensitivity, epsilon, delta)
        rate = ctx.mpf(epsilon) / ctx.mpf(sensitivity)
        half = integral(ctx, 2, rate, ctx.mpf(0), bound)
        return 2 * half / mass(ctx, sensitivity, epsilon, delta)

    return at_two_precisions(second_moment)


def conclude(*, sensitivity: float, epsilon: float, delta: float) -> list[Comparison]:
    exact = oracle(sensitivity, epsilon, delta)
    made, wide = variance(sensitivity, epsilon, delta), published(context(60), sensitivity, epsilon, delta)
    return [
        equal(made, exact, slack=RELATIVE_SLACK * exact, unit="unit of the data, squared"),
        equal(wide, exact, slack=1e-19 * exact, unit="unit of the data, squared", label="the published form"),
    ]


LEMMA = Lemma(
    module=__name__,
    statement="The variance of truncated Laplace noise, in a form that survives floating point.",
    claim="Var[z] = (2 Delta^2/eps^2)(1 - delta (L^2 + 2L)/(e^eps - 1)) = (2 Delta^2/eps^2) P(3, L)/(1 - e^-L)",
    source=Source("arXiv 2407.14717", "v3", "Fact 3.5"),
    domain=DOMAIN,
    formula=variance,
    oracle=oracle,
    conclude=conclude,
    hypotheses=HYPOTHESES,
    theorems=("TLap.tlap_variance",),
    enclosure=moment_enclosure(
        "Var[z] (eps/Delta)^2",
        2,
        lambda length, decay: 2 * (1 - decay) - decay * (length * length + 2 * length),
        lambda *at: variance(*at),  # looked up when called, so that a changed formula is seen
    ),
    trusts=("scipy.special.gammainc within the stated slack",),
)

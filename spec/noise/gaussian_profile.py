"""Gaussian noise: its exact privacy profile, and the smallest sigma for a claim.

``delta(epsilon) = Phi(r/2 - epsilon/r) - e^epsilon Phi(-r/2 - epsilon/r)``, r = sensitivity / sigma (l2). Proof
idea: only the direction of the shift matters, and there the privacy loss is monotone. The difference cancels for
small r; the code uses phi(x) (m(x) - m(x + r)), m Mills' ratio, x = epsilon/r - r/2. sigma has the unit of the
data.

Source: Balle, Wang, Improving the Gaussian mechanism, ICML 2018, Theorems 8 and 9.
"""

from __future__ import annotations

import math
from typing import Any

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Real
from dpverify.spec.core.lemma import Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions, context
from dpverify.spec.noise._gaussian import divergence, profile
from dpverify.spec.noise._truncated_laplace import DOMAIN, HYPOTHESES

RELATIVE_SLACK = 2.0**-38  # e^(-x^2/2) turns the rounding of x, up to 38, into a relative 2^-40


def delta(epsilon: float, sensitivity: float, sigma: float) -> float:
    """The divergence at epsilon, 0 if below 1e-308; relative error below 2^-38 for deltas in [1e-300, 1/2]."""
    return profile(epsilon, sensitivity / sigma)


def sigma(epsilon: float, delta: float, sensitivity: float) -> float:
    """The least sigma that keeps the claim, rounded up: its true delta lies in [delta (1 - 2^-36), delta]."""
    target = delta * (1.0 - 2.0**-37)
    low = high = sensitivity
    while profile(epsilon, sensitivity / high) > target:
        low, high = high, 2.0 * high
    while profile(epsilon, sensitivity / low) <= target:
        low, high = low / 2.0, low
    while high - low > 2.0**-50 * high:
        middle = math.sqrt(low * high) if high > 2.0 * low else (low + high) / 2.0
        low, high = (low, middle) if profile(epsilon, sensitivity / middle) <= target else (middle, high)
    return high


def oracle(epsilon: float, sensitivity: float, sigma: float) -> Any:
    """Integral of (p - e^epsilon q)_+ by quadrature."""
    return at_two_precisions(lambda ctx: divergence(ctx, epsilon, ctx.mpf(sensitivity) / ctx.mpf(sigma)), digits=40)


def _profile(epsilon: float, sensitivity: float, sigma: float) -> float:
    """``delta``, whose name the claim's delta takes in ``conclude``."""
    return delta(epsilon, sensitivity, sigma)


def conclude(*, stretch: float, sensitivity: float, epsilon: float, delta: float) -> list[Comparison]:
    least = sigma(epsilon, delta, sensitivity)
    ctx = context(40)
    exact = divergence(ctx, epsilon, ctx.mpf(sensitivity) / ctx.mpf(least))
    near = oracle(epsilon, sensitivity, stretch * least)
    made = _profile(epsilon, sensitivity, stretch * least)
    return [
        equal(made, near, slack=RELATIVE_SLACK * near, unit="probability", label="profile"),
        at_most(exact, delta, unit="probability", label="calibrated"),
        at_most(delta * (1.0 - 2.0**-36), exact, unit="probability", label="calibrated, attained"),
    ]


LEMMA = Lemma(
    module=__name__,
    statement="Gaussian noise has an exactly known delta at every epsilon, from which sigma is calibrated.",
    claim="delta(eps) = Phi(r/2 - eps/r) - e^eps Phi(-r/2 - eps/r),  r = Delta_2 / sigma",
    source=Source("Balle, Wang", "ICML 2018", "Theorem 8"),
    domain={"stretch": Real(0.7, 1.0), **DOMAIN},
    formula=delta,
    oracle=oracle,
    conclude=conclude,
    unproved="needs the Gaussian or chi-square law (improper integrals), which the proof libraries do not have",
    hypotheses=HYPOTHESES,
    trusts=("scipy.special.erfcx and ndtr within the stated slack",),
)

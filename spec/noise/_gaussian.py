"""The Gaussian's hockey-stick divergence from its definition, and Mills' ratio in floats without cancellation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import erfcx, ndtr

from dpverify.spec.noise._truncated_laplace import nodes

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)


def divergence(ctx: Any, epsilon: Any, shift: Any) -> Any:
    """Integral of (p - e^epsilon q)_+ for P = N(0, 1), Q = N(shift, 1), by quadrature.

    The privacy loss shift^2/2 - shift z falls in z, so p > e^epsilon q exactly below z0 = shift/2 -
    epsilon/shift. With z = z0 - u the integrand is p(z0) e^(z0 u - u^2/2) (1 - e^(-shift u)), scaled by its peak
    for the quadrature and cut 12 standard deviations (72 nats) from it, where less than 1e-30 of it remains. 1 -
    e^(-shift u) costs digits.
    """
    epsilon, shift = ctx.mpf(epsilon), ctx.mpf(shift)
    edge = shift / 2 - epsilon / shift
    peak, reach = max(edge, ctx.mpf(0)), ctx.mpf(12)
    start, end = max(peak - reach, ctx.mpf(0)), min(peak + reach, reach**2 / max(-edge, ctx.mpf("1e-9")))
    deviations, nats = (4, 8) if ctx.dps <= 30 else (6, 20)  # what the nodes can take in one piece
    count = int((end - start) / min(deviations, nats / max(abs(edge), shift))) + 1
    width, top, total = (end - start) / count, edge * peak - peak**2 / 2, ctx.mpf(0)
    for left in (start + width * j for j in range(count)):
        for node, weight in nodes(ctx.dps):
            u = left + width * node
            total += weight * ctx.exp(edge * u - u * u / 2 - top) * (1 - ctx.exp(-shift * u))
    return total * width * ctx.exp(top - edge * edge / 2) / ctx.sqrt(2 * ctx.pi)


def mills_difference(x: float, gap: float) -> float:
    """m(x) - m(x + gap), m(x) = (1 - Phi(x))/phi(x), for x >= -0.5; relative error below 2^-44 for gap > 0.

    It equals the integral of e^(-x t - t^2/2) (1 - e^(-gap t)) over t >= 0, whose terms are all positive.
    """
    if gap >= 1.0:
        return math.sqrt(math.pi / 2.0) * float(erfcx(x / math.sqrt(2.0)) - erfcx((x + gap) / math.sqrt(2.0)))
    end = min(9.5, 45.0 / max(x, 1e-9))
    t = (_NODES + 1.0) * (end / 2.0)
    return float(np.sum(_WEIGHTS * np.exp(-x * t - t * t / 2.0) * -np.expm1(-gap * t)) * (end / 2.0))


def profile(epsilon: float, shift: float) -> float:
    """The divergence at epsilon of N(0, 1) and N(shift, 1) in floats, shift > 0."""
    x = epsilon / shift - shift / 2.0
    density = math.exp(-x * x / 2.0) / math.sqrt(2.0 * math.pi)
    if x < -0.5:
        return float(ndtr(-x)) - density * math.sqrt(math.pi / 2.0) * float(erfcx((x + shift) / math.sqrt(2.0)))
    return density * mills_difference(x, shift)

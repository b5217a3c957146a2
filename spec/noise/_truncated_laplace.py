"""What the truncated Laplace lemmas share: their hypotheses and the definition at high precision."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any

import mpmath

from dpverify.spec.core.domain import Parameter, Real
from dpverify.spec.core.lemma import Hypothesis
from dpverify.spec.core.oracle import context

HYPOTHESES = (
    Hypothesis("0 < sensitivity", ("sensitivity",), lambda p: p["sensitivity"] > 0),
    Hypothesis("0 < epsilon", ("epsilon",), lambda p: p["epsilon"] > 0),
    Hypothesis("0 < delta <= 1/2", ("delta",), lambda p: 0 < p["delta"] <= 0.5),
)
DOMAIN: dict[str, Parameter] = {
    "sensitivity": Real(1e-3, 1e3, log=True),
    "epsilon": Real(1e-6, 50.0, log=True),
    "delta": Real(1e-300, 0.5, log=True),
}
SUBNORMAL = 2.0**-1073  # a result below 1e-308 is a multiple of 2^-1074


def exact_bound(ctx: Any, sensitivity: float, epsilon: float, delta: float) -> Any:
    """B of the definition, in the given high-precision context."""
    ratio = ctx.expm1(ctx.mpf(epsilon)) / (2 * ctx.mpf(delta))
    return ctx.mpf(sensitivity) / ctx.mpf(epsilon) * ctx.log1p(ratio)


def integral(ctx: Any, power: int, rate: Any, low: Any, high: Any) -> Any:
    """Integral of |z|^power exp(-rate |z|) over [low, high], an interval on one side of zero.

    Gauss-Legendre on pieces of at most 8 or 20 nats, each scaled by its largest value (mpmath's own quadrature stops
    at an *absolute* error, so it returns nonsense for integrals of 1e-300). Pieces 250 nats below the first are left
    out: they hold less than 1e-100 of the whole.
    """
    near, far = sorted((abs(low), abs(high)))
    count = max(1, int(ctx.ceil(rate * (far - near) / (8 if ctx.dps <= 30 else 20))))
    width, total = (far - near) / count, ctx.mpf(0)
    scaled = [(width * u, w * ctx.exp(-rate * width * u)) for u, w in nodes(ctx.dps)]
    moments = [ctx.fsum(w * u**k for u, w in scaled) for k in range(power + 1)]  # the same in every piece
    for start in (near + width * j for j in range(min(count, 32))):
        part = sum(ctx.binomial(power, k) * start ** (power - k) * moments[k] for k in range(power + 1))
        total += part * ctx.exp(-rate * start)
    return total * width


def mass(ctx: Any, sensitivity: float, epsilon: float, delta: float) -> Any:
    """Integral of exp(-epsilon |z| / sensitivity) over the support: one over the normaliser C."""
    return _mass(ctx.dps, sensitivity, epsilon, delta)


@lru_cache(maxsize=64)
def _mass(digits: int, sensitivity: float, epsilon: float, delta: float) -> Any:
    ctx = context(digits)
    rate, bound = ctx.mpf(epsilon) / ctx.mpf(sensitivity), exact_bound(ctx, sensitivity, epsilon, delta)
    return 2 * integral(ctx, 0, rate, ctx.mpf(0), bound)


@lru_cache(maxsize=8)
def nodes(digits: int) -> tuple[tuple[Any, Any], ...]:
    """Gauss-Legendre nodes and weights on [0, 1], enough for 8 (20) nats or 4 (6) standard deviations."""
    ctx = context(digits)
    degree = 4 if digits <= 30 else 5  # 24 or 48 nodes
    return tuple(((1 + x) / 2, weight / 2) for x, weight in _legendre(ctx, degree))


def _legendre(ctx: Any, degree: int) -> list[tuple[Any, Any]]:
    return list(mpmath.calculus.quadrature.GaussLegendre(ctx).calc_nodes(degree, ctx.prec + 20))


def rational(value: Any) -> Fraction:
    """The exact value of an mpf (a dyadic rational), int, float or Fraction."""
    if hasattr(value, "man_exp"):
        mantissa, exponent = value.man_exp
        return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
    return Fraction(value)

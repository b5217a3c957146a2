"""The norm of the polynomial features, which is what privacy rests on.

``|P(x)|^2 = p_s(scale |x|^2)``, so on the ball of radius R it is at most ``p_s(scale R^2)``, attained on the
sphere. Proof idea: the feature identity with q = k. Without unit.

Source: derived here from the feature identity (arXiv 2407.14717v3, polynomial kernel approximation).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.hypotheses import positive
from dpverify.spec.core.lemma import Lemma, Source
from dpverify.spec.core.oracle import context
from dpverify.spec.core.rounding import round_up
from dpverify.spec.kernel._polynomial import exact
from dpverify.spec.kernel.feature_identity import multi_indices


def norm_squared_bound(degree: int, scale: float, radius: float) -> float:
    """Largest |P(x)|^2 over |x|_2 <= radius: p_s(scale radius^2), rounded up to the next float."""
    return round_up(exact(degree, Fraction(scale) * Fraction(radius) ** 2))


def guard(norms_squared: npt.ArrayLike, bound: float) -> Comparison:
    """Every observed |P(x)|^2 (any exact numbers: integers, floats) is at most ``bound``; no slack."""
    return at_most(np.max(np.asarray(norms_squared)), bound, label="squared feature norms")


def oracle(x: list[Any], degree: int, scale: float) -> Any:
    """|P(x)|^2 as the sum of the squared features, by definition, at 60 digits."""
    ctx = context(60)
    total = ctx.mpf(0)
    for exponents in multi_indices(len(x), degree).tolist():
        square = ctx.mpf(scale) ** sum(exponents)
        for value, exponent in zip(x, exponents, strict=True):
            square *= value ** (2 * exponent) / ctx.factorial(exponent)
        total += square
    return total


def conclude(*, dimension: int, degree: int, scale: float, radius: float, seed: int) -> tuple[Comparison, ...]:
    ctx = context(60)
    direction = [ctx.mpf(float(g)) for g in np.random.default_rng(seed).normal(size=dimension)]
    length = ctx.sqrt(ctx.fsum(g * g for g in direction))
    on_sphere = oracle([ctx.mpf(radius) * g / length for g in direction], degree, scale)
    inside = oracle([ctx.mpf(radius) * g / (2 * length) for g in direction], degree, scale)
    bound = norm_squared_bound(degree, scale, radius)
    rounding = on_sphere * ctx.mpf(10) ** -50  # of the 60-digit oracle
    return (
        at_most([inside, on_sphere], bound, slack=rounding, label="never above"),
        equal(on_sphere, bound, slack=rounding + on_sphere * 2.0**-52, label="attained on the sphere"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="On the ball of radius R the squared norm of the features is at most p_s(scale R^2), attained.",
    claim="|P(x)|^2 = p_s(scale |x|^2) <= p_s(scale R^2)",
    source=Source("derived here; arXiv 2407.14717", "v3", "polynomial kernel approximation"),
    domain={
        "dimension": Integer(1, 4),
        "degree": Integer(0, 7),
        "scale": Real(1e-3, 20.0, log=True),
        "radius": Real(1e-3, 5.0, log=True),
        "seed": Integer(0, 2**31),
    },
    formula=norm_squared_bound,
    oracle=oracle,
    conclude=conclude,
    guard=guard,
    hypotheses=positive("scale", "radius"),
    theorems=("Features.feature_norm",),
)

"""What the kernel lemmas share: p_s(x) = sum_{j<=s} x^j / j!, exactly and at high precision."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from dpverify.spec.core.hypotheses import at_least, positive

HYPOTHESES = (
    *at_least(0, "degree"),
    *positive("x_max"),
)


def exact(degree: int, x: Fraction) -> Fraction:
    """p_s(x) as a rational number; Horner's rule on integers, reduced once at the end."""
    numerator, denominator = 1, 1
    for j in range(degree, 0, -1):
        common = j * x.denominator * denominator
        numerator, denominator = common + x.numerator * numerator, common
    return Fraction(numerator, denominator)


def taylor_sum(ctx: Any, degree: int, x: Any) -> Any:
    """p_s(x) by its definition, in the given high-precision context."""
    term = total = ctx.mpf(1)
    for j in range(1, degree + 1):
        term = term * x / j
        total += term
    return total


def digits_for(degree: int, x_max: float) -> int:
    """Working digits at which e^x - p_s(x) keeps at least 40 of them for |x| near x_max."""
    lost = 0.0
    for j in range(1, degree + 2):
        lost += max(0.0, math.log10(j / x_max))
    return 40 + int(lost + 0.9 * x_max)

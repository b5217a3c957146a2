"""Directed rounding: exact rationals to floats, always to the safe side."""

from __future__ import annotations

import math
from fractions import Fraction


def round_up(value: Fraction) -> float:
    """The smallest float that is at least ``value`` (infinity beyond the largest float)."""
    try:
        nearest = float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.nextafter(math.inf, 0.0)
    return nearest if Fraction(nearest) >= value else math.nextafter(nearest, math.inf)


def round_down(value: Fraction) -> float:
    """The largest float that is at most ``value`` (minus infinity below the smallest float)."""
    return -round_up(-value)


def sqrt_up(value: Fraction) -> float:
    """A float at least sqrt(value), above it by less than two units in the last place."""
    if value < 0:
        raise ValueError(f"value must be at least 0, but it is {value}; there is no real square root")
    # 4^shift brings the radicand above 2^120, so that the integer root carries more than 59 bits
    shift = max(0, (121 - value.numerator.bit_length() + value.denominator.bit_length()) // 2 + 1)
    scaled = value * 4**shift
    root = math.isqrt(math.floor(scaled))
    return round_up(Fraction(root if root * root == scaled else root + 1, 2**shift))


def exp_lower(x: Fraction | float, bits: int = 256) -> Fraction:
    """A rational at or just below e^x with ``bits`` fractional bits, for x in [0, 700).

    Only integers are used, so the side is certain: every term of the series is positive, so dropping terms and
    rounding each one down stays below. Relative error below 2^(8 - bits).
    """
    if not 0 <= x < 700:
        raise ValueError(f"x must be in [0, 700), but it is {float(x)!r}; above it, e^x does not fit a float")
    exact, spare = Fraction(x), 64
    term = total = 1 << (bits + spare)
    step = 0
    while term:
        step += 1
        term = term * exact.numerator // (exact.denominator * step)
        total += term
    return Fraction(total >> spare, 1 << bits)

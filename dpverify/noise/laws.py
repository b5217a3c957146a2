"""Integer weights of the *rounded continuous law*: P[k] is the mass of the law on [(k - 1/2) g, (k + 1/2) g).

On data that lies on the grid, adding rounded noise is a post-processing of adding the continuous noise
(lemma ``noise.rounded_law``), so these tables inherit the continuous mechanism's privacy. Everything is
fixed-point arithmetic on Python integers with 64 (Gaussian: 32) bits more than the table keeps.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Any

import mpmath
import numpy as np
import numpy.typing as npt

from dpverify.noise.composed import GeometricDigits, OneTable
from dpverify.noise.table import IntegerTable
from dpverify.spec.core.rounding import exp_lower

Objects = npt.NDArray[np.object_]
GUARD = 64  # extra fixed-point bits: chains of a million products lose 40
GAUSSIAN_GUARD = 32  # no chain here: every value is within 4 units
KEPT = 16  # tables at hand for the next noise of the same law; the largest takes some 50 MB


@lru_cache(maxsize=KEPT)
def truncated_laplace(rate: Fraction, half_width: int, bits: int) -> OneTable:
    """The law with density proportional to exp(-rate |z|) on [-(M + 1/2), M + 1/2], rounded to integers.

    Args:
        rate: decay per grid step, > 0.
        half_width: M >= 1; the table has 2 M + 1 entries.
        bits: the weights sum to 2^bits.

    With h = e^(rate/2) the masses are in proportion 2 : (1 + h) r : (1 + h) r^2 : ... for r = e^-rate.
    """
    return _two_sided(rate, half_width, 1, bits)


@lru_cache(maxsize=KEPT)
def truncated_laplace_digits(rate: Fraction, blocks: int, base: int, bits: int) -> GeometricDigits:
    """The same law for M = blocks * base as two independent digits, from tables of 2 blocks + 1 and base entries.

    Magnitudes base a + b + 1 have masses in proportion r^(base a) r^b, which factorise.
    """
    leading = _two_sided(rate, blocks, base, bits)
    digits = _powers(rate, base, bits + GUARD)
    scaled = (digits * (1 << (bits + 1)) // int(digits.sum()) + 1) // 2
    scaled[0] += (1 << bits) - int(scaled.sum())
    error = math.nextafter(base * (1.0 + 2.0**-10) * 2.0**-bits, math.inf)
    return GeometricDigits(leading, OneTable(IntegerTable(scaled, 0, bits, error)), base)


def _two_sided(rate: Fraction, blocks: int, base: int, bits: int) -> OneTable:
    """Zero, and on either side ``blocks`` runs of ``base`` magnitudes each."""
    precision = bits + GUARD
    unit = 1 << precision
    half_step = _fixed(exp_lower(rate / 2), precision)
    step = _fixed(1 / exp_lower(rate), precision)
    run = int(_powers(rate, base, precision).sum())  # 1 + r + ... + r^(base - 1)
    side = _powers(rate * base, blocks, precision) * step >> precision
    side = ((side * (unit + half_step)) >> precision) * run >> precision
    total = 2 * unit + 2 * int(side.sum())
    scaled = (side * (1 << (bits + 1)) // total + 1) // 2  # rounded to nearest
    return OneTable(IntegerTable.from_side(scaled, bits, tail_mass=0.0))


def _powers(rate: Fraction, count: int, precision: int) -> Objects:
    """e^(-rate k) for k = 0 .. count - 1 in units of 2^-precision: a chain of products, each rounded down.

    Entry k is off by less than 2 k + 2 units.
    """
    ratio = _fixed(1 / exp_lower(rate), precision)
    out = np.empty(count, dtype=object)
    power = 1 << precision
    for k in range(count):
        out[k] = power
        power = (power * ratio) >> precision
    return out


@lru_cache(maxsize=KEPT)
def gaussian(sigma: float, half_width: int, bits: int) -> OneTable:
    """N(0, sigma^2) in units of grid steps, rounded to integers; mass beyond M + 1/2 moves to zero.

    Args:
        sigma: standard deviation in grid steps, > 0.
        half_width: M >= 1.
        bits: the weights sum to 2^bits.

    The upper tail at the cell edges comes from Taylor polynomials whose coefficients mpmath computes with 30 bits to
    spare.
    """
    precision = bits + GAUSSIAN_GUARD
    tails = _upper_tails(sigma, half_width, precision)
    side = tails[:-1] - tails[1:]
    scaled = (side + (1 << (GAUSSIAN_GUARD - 1))) >> GAUSSIAN_GUARD
    last = int(tails[-1]) + 4
    tail_mass = math.nextafter(2.0 * last / 2.0**precision, math.inf)
    return OneTable(IntegerTable.from_side(scaled, bits, tail_mass=tail_mass))


def _upper_tails(sigma: float, half_width: int, precision: int) -> Objects:
    """P[Z > (k + 1/2)] for k = 0..half_width in units of 2^-precision, each within 4 units.

    Edges are taken in runs of at most sigma / 64, with a Taylor polynomial about the middle one, in the number j of
    steps from it. Cramer's inequality bounds the n-th coefficient of the normal tail by 1 / sqrt(n!); at most 2^-7
    sigma from the middle the first term left out is below an eighth of a unit, and so is the sum of the rest. The
    coefficients carry ``spare`` bits more, so that their rounding, times powers of j, stays below a unit in sum;
    Horner's rule itself is exact in integers.
    """
    degree = 0
    run = max(1, math.floor(sigma / 64.0))
    reach = run // 2
    while reach and 7 * (degree + 1) + math.lgamma(degree + 2) / math.log(4) < precision + 3:
        degree += 1
    spare = degree * reach.bit_length() + 1
    ctx = mpmath.MPContext()
    ctx.prec = precision + spare + 30
    step = ctx.mpf(1) / ctx.mpf(sigma)
    middles = range(reach, half_width + 1 + reach, run)
    coefficients = np.array(
        [_tail_taylor(ctx, (m + ctx.mpf(0.5)) * step, step, degree, precision + spare) for m in middles], dtype=object
    )
    steps = np.arange(-reach, run - reach).astype(object)
    value = coefficients[:, -1:] + 0 * steps
    for n in range(degree - 1, -1, -1):
        value = value * steps + coefficients[:, n : n + 1]
    return np.asarray(value.ravel()[: half_width + 1] >> spare, dtype=object)


def _tail_taylor(ctx: Any, x: Any, step: Any, degree: int, precision: int) -> list[int]:
    """Taylor coefficients of P[Z > x + j step] in j, in units of 2^-precision.

    The n-th derivative of the density is (-1)^n He_n(x) phi(x), with He_{n+1} = x He_n - n He_{n-1}.
    """
    density = ctx.exp(-x * x / 2) / ctx.sqrt(2 * ctx.pi)
    scaled = [ctx.erfc(x / ctx.sqrt(2)) / 2]
    before, here, factor = ctx.mpf(0), ctx.mpf(1), density
    for n in range(1, degree + 1):
        factor *= -step / n
        scaled.append(here * factor)
        before, here = here, x * here - (n - 1) * before
    return [int(ctx.nint(ctx.ldexp(value, precision))) for value in scaled]


def _fixed(value: Fraction, precision: int) -> int:
    return (value.numerator << precision) // value.denominator

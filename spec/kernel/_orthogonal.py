"""Moments of orthonormal directions, for the oracle of kernel.orthogonal_features."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from dpverify.spec.kernel._nystrom import CTX


def harmonic_ratios(dimension: int, polynomials: list[list[Fraction]]) -> list[Fraction]:
    """Cov(g(y_1), g(y_2)) / Var g(y_1) for even polynomials (coefficients of y^0, y^2, ...), y a uniform unit vector.

    E y_1^{2a} y_2^{2b} = (1/2)_a (1/2)_b / (d/2)_{a+b}; and y_1, y_2 are <o_i, e>, <o_j, e> for orthonormal o_i, o_j.
    """

    def rising(x: Fraction, count: int) -> Fraction:
        out = Fraction(1)
        for i in range(count):
            out *= x + i
        return out

    half, whole, ratios = Fraction(1, 2), Fraction(dimension, 2), []
    for g in polynomials:
        pairs = [(a, b, x * y) for a, x in enumerate(g) for b, y in enumerate(g)]
        zero = Fraction(0)
        mean = sum((x * rising(half, a) / rising(whole, a) for a, x in enumerate(g)), zero)
        both = sum((x * rising(half, a) * rising(half, b) / rising(whole, a + b) for a, b, x in pairs), zero)
        square = sum((x * rising(half, a + b) / rising(whole, a + b) for a, b, x in pairs), zero)
        ratios.append((both - mean * mean) / (square - mean * mean))
    return ratios


def pair(dimension: int, norm_squared: float) -> Any:
    """E[e^{<w_i,z> + <w_j,z> - |z|^2}] from the moments of lengths (chi) and of two coordinates of a unit vector."""
    m, half, count = CTX.mpf(norm_squared), CTX.mpf(dimension) / 2, int(40 + 4 * norm_squared)
    length = [CTX.mpf(2) ** a * CTX.rf(half, a) for a in range(count)]  # E r^{2a}
    coordinate = [CTX.rf(CTX.mpf(1) / 2, a) for a in range(count)]  # E y_1^{2a} y_2^{2b} = these two / (d/2)_{a+b}
    both = [CTX.rf(half, a) for a in range(2 * count)]
    own = [m**a / CTX.factorial(2 * a) * length[a] * coordinate[a] for a in range(count)]
    total = CTX.fsum(own[a] * own[b] / both[a + b] for a in range(count) for b in range(count))
    return total * CTX.exp(-m)

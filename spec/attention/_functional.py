"""What the oracles of the functional release compute: a search over explicit rows, and a convolution of two normals."""

from __future__ import annotations

import itertools
from typing import Any

from dpverify.spec.attention._ratio import CTX


def largest_change(kernel_max: float, kernel_min: float, value_norm: float, c: float, values_nonnegative: bool) -> Any:
    """Largest |u - u'|_2 over features and values of the plane with the given inner products and lengths.

    Four correlations of the features, four angles of the values, two lengths of the second value: the corners, where
    a bilinear function is largest, and points inside.
    """
    b, v, weight = CTX.sqrt(CTX.mpf(kernel_max)), CTX.mpf(value_norm), CTX.mpf(c)
    least = CTX.mpf(kernel_min) / CTX.mpf(kernel_max)
    lowest = 0 if values_nonnegative else -1
    correlations = [least + (1 - least) * j / 3 for j in range(4)]
    cosines = [lowest + (CTX.mpf(1) - lowest) * j / 3 for j in range(4)]
    best = CTX.mpf(0)
    for length, cos_k, cos_v in itertools.product((CTX.mpf("0.6"), CTX.mpf(1)), correlations, cosines):
        phi, other_phi = (b, CTX.mpf(0)), (b * cos_k, b * CTX.sqrt(1 - cos_k**2))
        row, other_row = (v, CTX.mpf(0), weight), (length * v * cos_v, length * v * CTX.sqrt(1 - cos_v**2), weight)
        entries = itertools.product(range(2), range(3))
        best = max(best, CTX.fsum((phi[i] * row[j] - other_phi[i] * other_row[j]) ** 2 for i, j in entries))
    return CTX.sqrt(best)


def sum_tail(ctx: Any, small: float, large: float, threshold: float) -> Any:
    """P[|X + Y| > threshold], X and Y normal with those deviations, small <= large: convolution by trapezoids.

    The integrand is a Gaussian of width at least small / sqrt(2); steps of small / 2 leave a relative 1e-17.
    """
    a, b, t = ctx.mpf(small), ctx.mpf(large), ctx.mpf(threshold)
    reach = 2 * (int(t * a / (a * a + b * b)) + 11)
    width = b * ctx.sqrt(2)
    steps = range(-reach, reach + 1)
    total = ctx.fsum(ctx.exp(-ctx.mpf(j * j) / 8) * ctx.erfc((t - a * j / 2) / width) for j in steps)
    return total / (2 * ctx.sqrt(2 * ctx.pi))

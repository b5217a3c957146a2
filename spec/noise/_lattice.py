"""Exact laws of sums of bounded integer noise, by convolution in integers."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

LAWS = ("truncated_laplace", "rademacher")


def weights_on_lattice(law: str, half_width: int, ratio: float = 0.6) -> list[int]:
    """Symmetric integer weights on -half_width..half_width: geometric, or the two ends only."""
    if law == "rademacher":
        return [1, *[0] * (2 * half_width - 1), 1]
    return [max(1, int(2.0**30 * ratio ** abs(k))) for k in range(-half_width, half_width + 1)]


def second_moment(weights: Sequence[int]) -> Fraction:
    """Exact variance of a symmetric table."""
    middle = len(weights) // 2
    return Fraction(sum(w * (k - middle) ** 2 for k, w in enumerate(weights)), sum(weights))


def sum_law(weights: Sequence[int], coefficients: Sequence[int]) -> list[int]:
    """Integer weights of ``sum_j coefficients[j] z_j`` for independent draws; the middle entry is the sum 0."""
    law = np.ones(1, dtype=object)
    for coefficient in coefficients:
        spread = abs(coefficient)
        stretched = np.zeros(spread * (len(weights) - 1) + 1, dtype=object)
        stretched[:: max(1, spread)] = np.array(weights if coefficient > 0 else weights[::-1], dtype=object)
        law = np.convolve(law, stretched)
    return [int(w) for w in law]


def tail_beyond(law: Sequence[int], threshold: float) -> Fraction:
    """P[|sum| > threshold], exactly."""
    middle = len(law) // 2
    return Fraction(sum(w for k, w in enumerate(law) if abs(k - middle) > threshold), sum(law))


def quantile(law: Sequence[int], failure_probability: float) -> int:
    """The least integer t with P[|sum| > t] <= failure_probability."""
    middle, total, beyond = len(law) // 2, sum(law), 0
    for t in range(middle, 0, -1):
        beyond += law[middle - t] + law[middle + t]
        if Fraction(beyond, total) > Fraction(failure_probability):
            return t
    return 0

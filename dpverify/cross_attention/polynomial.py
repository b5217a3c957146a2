"""Polynomial features of many rows at once."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from dpverify.spec import contract
from dpverify.spec.kernel import feature_dimension, feature_identity


@contract(relies_on=[feature_identity.LEMMA, feature_dimension.LEMMA])
class PolynomialFeatures:
    """``P(x)_a = x^a sqrt(scale^|a| / a!)`` for all multi-indices a with |a| <= degree.

    Each feature is its predecessor (the multi-index without its last factor) times one coordinate, so a row
    costs one multiplication a feature.

    Args:
        dimension: d >= 1.
        degree: s >= 0.
        scale: of the logits, > 0.

    Attributes:
        size: r = C(d + s, s). The order is that of ``dpverify.spec.kernel.feature_identity.multi_indices``.
    """

    def __init__(self, dimension: int, degree: int, scale: float) -> None:
        self.dimension = dimension
        self.degree = degree
        self.scale = scale
        self.size = feature_dimension.dimension(dimension, degree)
        self._plan = _plan(dimension, degree)

    def __call__(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Features of rows of shape (n, d), *transposed*: shape (r, n).

        Relative error of each entry below (3 s + d) 2^-53.
        """
        scaled = math.sqrt(self.scale) * rows.T
        factors = scaled[:, None, :] / np.sqrt(np.arange(1, self.degree + 1))[None, :, None]
        out = np.empty((self.size, len(rows)))
        out[0] = 1.0
        for j, (parent, variable, power) in enumerate(self._plan, start=1):
            np.multiply(out[parent], factors[variable, power - 1], out=out[j])
        return out


def _plan(dimension: int, degree: int) -> list[tuple[int, int, int]]:
    """For every feature but the first: its predecessor, the coordinate added, and that coordinate's power."""
    plan: list[tuple[int, int, int]] = []
    level = [(0, 0, 0)]  # (position, last coordinate, its power)
    for _ in range(degree):
        following = []
        for position, last, power in level:
            for variable in range(last, dimension):
                grown = power + 1 if variable == last else 1
                plan.append((position, variable, grown))
                following.append((len(plan), variable, grown))
        level = following
    return plan

"""A weighted squared distance on the line from three sums.

``sum_i w_i (x_i - y)^2 = S2 - 2 y S1 + y^2 S0`` with ``S_j = sum_i w_i x_i^j``; the same holds for the points on
either side of y, and the two answers add up. Proof idea: expand. Squared unit of the data, times that of the
weights.

Source: arXiv 2407.14717v3, one-dimensional weighted distance query.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from dpverify.spec.core.comparison import Comparison, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.lemma import Lemma, Source
from dpverify.spec.distance._sums import Point, moments, weighted_points

Number = TypeVar("Number", float, Fraction, npt.NDArray[np.float64])


def squared_distance(s0: Number, s1: Number, s2: Number, y: Number) -> Number:
    """S2 - 2 y S1 + y^2 S0; in floats within 2^-50 (|S2| + 2 |y S1| + y^2 |S0|)."""
    return s2 + y * (y * s0 - 2 * s1)


def oracle(points: list[Point], y: Fraction) -> Fraction:
    """sum_i w_i (x_i - y)^2, point by point, exactly."""
    return sum((w * (x - y) ** 2 for w, x in points), Fraction(0))


def conclude(*, count: int, reach: float, place: float, seed: int) -> tuple[Comparison, ...]:
    points, y = weighted_points(count, reach, seed), Fraction(place * reach)
    left, right = [p for p in points if p[1] <= y], [p for p in points if p[1] > y]
    both = squared_distance(*moments(left), y) + squared_distance(*moments(right), y)
    s0, s1, s2 = (float(s) for s in moments(points))
    size = abs(s2) + 2 * abs(float(y) * s1) + float(y) ** 2 * abs(s0)
    return (
        equal(both, oracle(points, y), slack=0, label="two sides, exact"),
        equal(squared_distance(s0, s1, s2, float(y)), oracle(points, y), slack=2.0**-50 * size, label="in floats"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="Weighted squared distances on a line come from the sums of w, w x and w x^2.",
    claim="sum w (x-y)^2 = S2 - 2 y S1 + y^2 S0",
    source=Source("arXiv 2407.14717", "v3", "one-dimensional weighted distance query"),
    domain={
        "count": Integer(1, 12),
        "reach": Real(1e-3, 1e3, log=True),
        "place": Real(-1.5, 1.5),
        "seed": Integer(0, 2**31),
    },
    formula=squared_distance,
    oracle=oracle,
    conclude=conclude,
    theorems=("Cosine.squared_distance_from_three_sums",),
)

"""A weighted absolute distance on the line from sums left and right of y.

``sum_i w_i |x_i - y| = (y L0 - L1) + (R1 - y R0)``, L_j and R_j the sums of w x^j over the points left and right
of y. If the split is not at y but at a bucket's edge, points between the two are counted on the wrong side, and
each of them costs ``2 |w| |x - y|``: at most twice the bucket's width (sharp). Unit of the data, times that of
the weights.

Source: arXiv 2407.14717v3, one-dimensional weighted distance query; Liu et al., arXiv 2409.01688. The cost of
the bucket is derived here.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.lemma import Lemma, Source
from dpverify.spec.distance._sums import Point, moments, weighted_points

Number = TypeVar("Number", float, Fraction, npt.NDArray[np.float64])


def absolute_distance(left0: Number, left1: Number, right0: Number, right1: Number, y: Number) -> Number:
    """(y L0 - L1) + (R1 - y R0); in floats within 2^-50 of the sum of the four absolute terms."""
    return (y * left0 - left1) + (right1 - y * right0)


def misplaced(weight: Number, width: Number) -> Number:
    """2 |w| width: bound on the error if points of total absolute weight |w| lie between y and the split."""
    return 2 * weight * width


def oracle(points: list[Point], y: Fraction) -> Fraction:
    """sum_i w_i |x_i - y|, point by point, exactly."""
    return sum((w * abs(x - y) for w, x in points), Fraction(0))


def conclude(*, count: int, reach: float, place: float, width: float, seed: int) -> tuple[Comparison, ...]:
    y, gap = Fraction(place * reach), Fraction(width * reach)
    points = [*weighted_points(count, reach, seed), (Fraction(1), y + gap)]  # the last one makes the cost sharp

    def split_at(edge: Fraction) -> Fraction:
        left, right = (moments([p for p in points if (p[1] <= edge) == near]) for near in (True, False))
        return absolute_distance(left[0], left[1], right[0], right[1], y)

    between = sum((abs(w) for w, x in points if y < x <= y + gap), Fraction(0))
    alone = [points[-1]]
    sharp = absolute_distance(alone[0][0], alone[0][0] * alone[0][1], Fraction(0), Fraction(0), y)
    return (
        equal(split_at(y), oracle(points, y), slack=0, label="split at y"),
        at_most(abs(split_at(y + gap) - oracle(points, y)), misplaced(between, gap), label="split at an edge"),
        equal(abs(sharp - oracle(alone, y)), misplaced(Fraction(1), gap), slack=0, label="sharp"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="Weighted absolute distances on a line come from the sums of w and w x on both sides of y.",
    claim="sum w |x-y| = (y L0 - L1) + (R1 - y R0)",
    source=Source("arXiv 2407.14717", "v3", "one-dimensional weighted distance query"),
    domain={
        "count": Integer(0, 12),
        "reach": Real(1e-3, 1e3, log=True),
        "place": Real(-1.5, 1.5),
        "width": Real(1e-6, 1.0, log=True),
        "seed": Integer(0, 2**31),
    },
    formula=absolute_distance,
    oracle=oracle,
    conclude=conclude,
    theorems=("Cosine.absolute_distance_from_prefix_sums",),
)

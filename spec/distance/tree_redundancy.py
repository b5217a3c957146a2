"""For squared distances the prefix-sum tree is redundant: three root sums answer every query.

For any split of the points, at y or elsewhere, the answers of the two sides (distance.prefix_sum_answer_p2) add
up to ``S2 - 2 y S1 + y^2 S0`` with the sums over *all* points. So noise need only be added to three numbers a
feature, and one draw of noise replaces the h of a prefix. Proof idea: the answer is linear in the three sums.

Source: derived here; arXiv 2407.14717v3, one-dimensional weighted distance query, uses the tree.
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
from dpverify.spec.distance.prefix_sum_answer_p2 import squared_distance

Number = TypeVar("Number", float, Fraction, npt.NDArray[np.float64])


def root_answer(root0: Number, root1: Number, root2: Number, y: Number) -> Number:
    """The answer from the sums over all points; in floats within 2^-50 (|S2| + 2 |y S1| + y^2 |S0|)."""
    return root2 - 2 * y * root1 + y * y * root0


def oracle(points: list[Point], y: Fraction) -> list[Fraction]:
    """The prefix tree's answer for every split: between any two neighbouring points, exactly."""
    ordered = sorted(points, key=lambda p: p[1])
    return [
        squared_distance(*moments(ordered[:cut]), y) + squared_distance(*moments(ordered[cut:]), y)
        for cut in range(len(ordered) + 1)
    ]


def conclude(*, count: int, reach: float, place: float, seed: int) -> Comparison:
    points, y = weighted_points(count, reach, seed), Fraction(place * reach)
    return equal(root_answer(*moments(points), y), oracle(points, y), slack=0, label="every split")


LEMMA = Lemma(
    module=__name__,
    statement="For p = 2 every split of a prefix-sum tree gives the answer of its three root sums.",
    claim="left answer + right answer = S2 - 2 y S1 + y^2 S0, wherever the split",
    source=Source("derived here; compare arXiv 2407.14717", "v3", "one-dimensional weighted distance query"),
    domain={
        "count": Integer(1, 12),
        "reach": Real(1e-3, 1e3, log=True),
        "place": Real(-1.5, 1.5),
        "seed": Integer(0, 2**31),
    },
    formula=root_answer,
    oracle=oracle,
    conclude=conclude,
    theorems=("Cosine.squared_distance_from_three_sums",),
)

"""How many points make a net of a cube: every point within a given l2 distance of one of them.

A cube of side a in R^d has a net of radius e0 with ``ceil(a sqrt(d) / (2 e0))^d`` points, the centres of a grid
of cells; fewer points per axis do not suffice for a grid. [0, R]^d has a = R; the box [-R, R]^d and the ball of
radius R in it have a = 2R. Proof idea: a cell of side h reaches ``h sqrt(d) / 2`` from its centre. Lengths in
the unit of the queries.

Source: arXiv 2407.14717v3, adaptive queries.
"""

from __future__ import annotations

import math
from fractions import Fraction

from dpverify.spec.core.comparison import Comparison, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.hypotheses import at_least, positive
from dpverify.spec.core.lemma import Lemma, Source


def net_size(dimension: int, side: float, radius: float) -> int:
    """ceil(side sqrt(dimension) / (2 radius))^dimension, exact for the floats given."""
    square = dimension * (Fraction(side) / (2 * Fraction(radius))) ** 2
    per_axis = math.isqrt(math.ceil(square))
    if per_axis * per_axis < square:
        per_axis += 1
    return math.prod([per_axis] * dimension)


def oracle(dimension: int, side: float, radius: float) -> int:
    """The first grid, of 1, 2, 3, ... cells per axis, whose corners lie within ``radius`` of their cell's centre."""
    cells = 1
    while dimension * (Fraction(side) / (2 * cells)) ** 2 > Fraction(radius) ** 2:
        cells += 1
    return math.prod([cells] * dimension)


def conclude(*, dimension: int, side: float, part: float) -> Comparison:
    radius = part * side
    return equal(net_size(dimension, side, radius), oracle(dimension, side, radius), slack=0, unit="points")


LEMMA = Lemma(
    module=__name__,
    statement="A cube of side a has an e0-net of ceil(a sqrt(d) / (2 e0))^d points.",
    claim="|net| = ceil(a sqrt(d) / (2 e0))^d",
    source=Source("arXiv 2407.14717", "v3", "adaptive queries"),
    domain={"dimension": Integer(1, 12), "side": Real(1e-3, 1e3, log=True), "part": Real(1e-2, 2.0, log=True)},
    formula=net_size,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(
        *at_least(1, "dimension"),
        *positive("radius"),
    ),
    theorems=("NetSize.net_cardinality",),
)

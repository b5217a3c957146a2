"""A weighted squared distance is the sum of its coordinates' weighted squared distances.

``sum_i w_i |x_i - y|^2 = sum_c sum_i w_i (x_ic - y_c)^2``, so that one-dimensional data structures suffice. Proof
idea: exchange the sums. Squared unit of the data, times that of the weights.

Source: arXiv 2407.14717v3, section 5.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from dpverify.spec.core.comparison import Comparison, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.lemma import Lemma, Source


def from_coordinates(distances: Sequence[float]) -> float:
    """Sum over coordinates, shape (r,), of sum_i w_i (x_ic - y_c)^2; rounded once (math.fsum)."""
    return math.fsum(distances)


def oracle(w: list[Fraction], x: list[list[Fraction]], y: list[Fraction]) -> Fraction:
    """sum_i w_i |x_i - y|^2, row by row, exactly."""
    rows = zip(w, x, strict=True)
    return sum((wi * sum((a - b) ** 2 for a, b in zip(xi, y, strict=True)) for wi, xi in rows), Fraction(0))


def conclude(*, rows: int, dimension: int, reach: float, seed: int) -> Comparison:
    rng = np.random.default_rng(seed)
    y, *x = [[Fraction(v) for v in row] for row in (reach * rng.normal(size=(rows + 1, dimension))).tolist()]
    w = [Fraction(v) for v in rng.normal(size=rows).tolist()]
    columns = [
        sum((wi * (xi[c] - y[c]) ** 2 for wi, xi in zip(w, x, strict=True)), Fraction(0)) for c in range(dimension)
    ]
    slack = 2.0**-52 * float(sum(map(abs, columns)))  # each coordinate's distance was rounded to a float
    return equal(from_coordinates([float(d) for d in columns]), oracle(w, x, y), slack=slack)


LEMMA = Lemma(
    module=__name__,
    statement="Weighted squared distances add up over the coordinates.",
    claim="sum_i w_i |x_i - y|^2 = sum_c sum_i w_i (x_ic - y_c)^2",
    source=Source("arXiv 2407.14717", "v3", "section 5.1"),
    domain={
        "rows": Integer(1, 8),
        "dimension": Integer(1, 6),
        "reach": Real(1e-3, 1e3, log=True),
        "seed": Integer(0, 2**31),
    },
    formula=from_coordinates,
    oracle=oracle,
    conclude=conclude,
    theorems=("Cosine.distance_separable",),
)

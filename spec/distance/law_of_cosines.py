"""Weighted inner products from weighted squared distances.

``sum_i w_i <x_i, y> = 1/2 (sum_i w_i |x_i|^2 + |y|^2 sum_i w_i - sum_i w_i |x_i - y|^2)``. Proof idea: expand
|x - y|^2. Squared unit of the data, times that of the weights.

Source: arXiv 2407.14717v3, section 5.1.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from dpverify.spec.core.comparison import Comparison, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.lemma import Lemma, Source

Number = TypeVar("Number", float, Fraction, npt.NDArray[np.float64])


def inner_product(weighted_norms: Number, weighted_query_norm: Number, weighted_distance: Number) -> Number:
    """1/2 (sum w |x|^2 + |y|^2 sum w - sum w |x-y|^2); in floats within 2^-52 of the largest of the three."""
    return (weighted_norms + weighted_query_norm - weighted_distance) / 2


def oracle(w: list[Fraction], x: list[list[Fraction]], y: list[Fraction]) -> Fraction:
    """sum_i w_i <x_i, y>, by definition and exactly."""
    return sum((wi * xc * yc for wi, xi in zip(w, x, strict=True) for xc, yc in zip(xi, y, strict=True)), Fraction(0))


def conclude(*, rows: int, dimension: int, reach: float, seed: int) -> tuple[Comparison, ...]:
    rng = np.random.default_rng(seed)
    y, *x = [[Fraction(v) for v in row] for row in (reach * rng.normal(size=(rows + 1, dimension))).tolist()]
    w = [Fraction(v) for v in rng.normal(size=rows).tolist()]
    norms = sum((wi * sum(v * v for v in xi) for wi, xi in zip(w, x, strict=True)), Fraction(0))
    query = sum(w, Fraction(0)) * sum((v * v for v in y), Fraction(0))
    distance = sum(
        (wi * sum((a - b) ** 2 for a, b in zip(xi, y, strict=True)) for wi, xi in zip(w, x, strict=True)), Fraction(0)
    )
    exact = oracle(w, x, y)
    rounding = 2.0**-51 * float(max(abs(norms), abs(query), abs(distance)))
    return (
        equal(inner_product(norms, query, distance), exact, slack=0, label="exact"),
        equal(inner_product(float(norms), float(query), float(distance)), exact, slack=rounding, label="in floats"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="A weighted sum of inner products is half of norms minus distances.",
    claim="sum w <x,y> = 1/2 (sum w |x|^2 + |y|^2 sum w - sum w |x-y|^2)",
    source=Source("arXiv 2407.14717", "v3", "section 5.1"),
    domain={
        "rows": Integer(1, 8),
        "dimension": Integer(1, 5),
        "reach": Real(1e-3, 1e3, log=True),
        "seed": Integer(0, 2**31),
    },
    formula=inner_product,
    oracle=oracle,
    conclude=conclude,
    theorems=("Cosine.law_of_cosines", "Cosine.weighted_kernel_to_distance"),
)

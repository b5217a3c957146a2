"""How many numbers one query of the published tree mechanism reads, at most.

Each of r features falls into a bucket; the sums of the buckets before it and from it on need at most h + 1 nodes
together, h = ceil(log2 n), for each of three moments and d_v + 1 columns; and two roots per feature and column:
``r (d_v + 1)(3 (h + 1) + 2)``. That is O(d r log n) for d_v = d, within the claimed O(d r^2) where r is at least
log n. Attained at odd buckets. Proof idea: the ones of b and of 2^h - b number at most h + 1. Unit: numbers.

Source: arXiv 2407.14717v3, main theorem (query time); constants and the logarithm derived here.
"""

from __future__ import annotations

import math
from functools import lru_cache

from dpverify.spec.complexity._counts import DOMAIN, HYPOTHESES, MOMENTS, features, height, measured
from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.lemma import Lemma, Source
from dpverify.spec.tree.interval_decomposition import interval
from dpverify.spec.tree.prefix_decomposition import prefix

CLAIMED = (0.0, 2.0, 1.0)  # exponents of n, r and d
NEAR = 0.2  # added to a measured exponent by the logarithm: 3 (h + 1) + 2 goes from 17 to 29


def numbers_read(rows: int, dimension: int, degree: int, columns: int) -> int:
    """Nodes read for the worst query; exact."""
    levels = (rows - 1).bit_length() + 1
    return math.comb(dimension + degree, degree) * (columns + 1) * (3 * levels + 2)


@lru_cache(maxsize=256)
def oracle(rows: int, dimension: int, degree: int, columns: int) -> int:
    """Nodes of both sides of the worst bucket, enumerated over all buckets; summed over features and columns."""
    levels = height(rows)
    leaves = 2**levels
    sides = [set(prefix(b, levels)) | set(interval(b, leaves, levels)) for b in range(leaves)]
    once = max(len(both) for both in sides)
    roots = 2  # of w and of w x^2
    return sum(once * len(MOMENTS) + roots for _ in features(dimension, degree) for _ in range(columns + 1))


def conclude(*, rows: int, dimension: int, degree: int, columns: int) -> tuple[Comparison, ...]:
    made, r = numbers_read(rows, dimension, degree, columns), len(features(dimension, degree))
    order = columns * r * max(r, math.log2(2 * rows))
    return (
        equal(made, oracle(rows, dimension, degree, columns), slack=0, unit="numbers", label="counted, worst bucket"),
        at_most(made, 16 * order, slack=0, unit="numbers", label="16 d r max(r, log2 2n)"),
        *measured(oracle, CLAIMED, NEAR),
    )


LEMMA = Lemma(
    module=__name__,
    statement="A query of the published trees reads at most this many numbers, attained; log n times r, not r^2.",
    claim="r (d_v + 1)(3 (h + 1) + 2) <= 16 d_v r max(r, log2 2n)",
    source=Source("arXiv 2407.14717", "v3", "main theorem, query time O(d r^2)"),
    domain=DOMAIN,
    formula=numbers_read,
    oracle=oracle,
    conclude=conclude,
    unproved="not attempted yet",
    hypotheses=HYPOTHESES,
    trusts=("numbers read, not seconds; evaluating the features costs another O(r)",),
)

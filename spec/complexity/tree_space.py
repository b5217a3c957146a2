"""How many numbers the published tree mechanism stores.

Three trees (of w, w x and w x^2) for each of r = C(d + s, s) features and each of d_v + 1 columns, of 2^(h+1) - 1
nodes each, h = ceil(log2 n): ``3 r (d_v + 1)(2^(h+1) - 1) < 12 n r (d_v + 1)``. That is O(n d r) for d_v = d,
within the claimed O(n d r^2): the claim's second factor r is not needed. Proof idea: count. Unit: numbers.

Source: arXiv 2407.14717v3, main theorem (memory); the constant derived here.
"""

from __future__ import annotations

import math
from functools import lru_cache

from dpverify.spec.complexity._counts import DOMAIN, HYPOTHESES, features, height, measured, nodes, trees
from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.lemma import Lemma, Source

CLAIMED = (1.0, 2.0, 1.0)  # exponents of n, r and d
NEAR = 0.02  # added to a measured exponent by the -1 of 2^(h+1) - 1


def numbers_stored(rows: int, dimension: int, degree: int, columns: int) -> int:
    """Nodes of all trees together; exact."""
    per_tree = 2 ** ((rows - 1).bit_length() + 1) - 1
    return int(3 * math.comb(dimension + degree, degree) * (columns + 1) * per_tree)


@lru_cache(maxsize=256)
def oracle(rows: int, dimension: int, degree: int, columns: int) -> int:
    """Walks through every tree and every node, and counts."""
    levels = height(rows)
    return sum(len(nodes(levels)) for _ in trees(dimension, degree, columns))


def conclude(*, rows: int, dimension: int, degree: int, columns: int) -> tuple[Comparison, ...]:
    made, r = numbers_stored(rows, dimension, degree, columns), len(features(dimension, degree))
    return (
        equal(made, oracle(rows, dimension, degree, columns), slack=0, unit="numbers", label="counted"),
        at_most(made, 12 * rows * r * (columns + 1), slack=0, unit="numbers", label="at most 12 n r (d_v + 1)"),
        at_most(made, 24 * rows * columns * r * r, slack=0, unit="numbers", label="the claimed order n d r^2"),
        *measured(oracle, CLAIMED, NEAR),
    )


LEMMA = Lemma(
    module=__name__,
    statement="The published trees hold exactly this many numbers: fewer, by a factor of r, than the claimed order.",
    claim="3 r (d_v + 1)(2^(h+1) - 1) < 12 n r (d_v + 1) <= 24 n d_v r^2,  r = C(d + s, s)",
    source=Source("arXiv 2407.14717", "v3", "main theorem, memory O(n d r^2)"),
    domain=DOMAIN,
    formula=numbers_stored,
    oracle=oracle,
    conclude=conclude,
    unproved="not attempted yet",
    hypotheses=HYPOTHESES,
    trusts=("numbers, not bytes: each is one 64-bit integer here",),
)

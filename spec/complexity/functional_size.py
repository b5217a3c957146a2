"""How many numbers the functional release stores, which are also those that a query reads: independent of n.

One matrix of r = C(d + s, s) features by d_v + 1 columns: ``r (d_v + 1)``. Fewer than the published trees by the
factor ``3 (2^(h+1) - 1)``. Proof idea: count. Unit: numbers.

Source: derived here; compare arXiv 2407.14717v3, main theorem.
"""

from __future__ import annotations

import math

from dpverify.spec.complexity._counts import DOMAIN, HYPOTHESES, features, height, measured, nodes
from dpverify.spec.complexity.tree_space import numbers_stored
from dpverify.spec.core.comparison import Comparison, equal
from dpverify.spec.core.lemma import Lemma, Source

CLAIMED = (0.0, 1.0, 1.0)  # exponents of n, r and d_v


def numbers_released(dimension: int, degree: int, columns: int) -> int:
    """Entries of the released matrix, whatever the number of rows; exact."""
    return math.comb(dimension + degree, degree) * (columns + 1)


def oracle(dimension: int, degree: int, columns: int) -> int:
    """Counts pairs of a feature and a column."""
    return sum(1 for _ in features(dimension, degree) for _ in range(columns + 1))


def conclude(*, rows: int, dimension: int, degree: int, columns: int) -> tuple[Comparison, ...]:
    made = numbers_released(dimension, degree, columns)
    factor = 3 * len(nodes(height(rows)))
    return (
        equal(made, oracle(dimension, degree, columns), slack=0, unit="numbers", label="counted"),
        equal(made * factor, numbers_stored(rows, dimension, degree, columns), slack=0, label="against the trees"),
        *measured(lambda _, *rest: oracle(*rest), CLAIMED, 0.0),
    )


LEMMA = Lemma(
    module=__name__,
    statement="The functional release is one matrix whose size does not depend on the number of rows.",
    claim="r (d_v + 1) numbers,  r = C(d + s, s)",
    source=Source("derived here; compare arXiv 2407.14717", "v3", "main theorem"),
    domain=DOMAIN,
    formula=numbers_released,
    oracle=oracle,
    conclude=conclude,
    unproved="not attempted yet",
    hypotheses=HYPOTHESES,
)

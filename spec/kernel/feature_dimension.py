"""How many polynomial features there are.

The multi-indices a in N^d with |a| <= s number ``C(d + s, s)``. Proof idea: stars and bars, with one more
coordinate for the unused degree. A count; exact integer arithmetic.

Source: arXiv 2407.14717v3, polynomial kernel approximation.
"""

from __future__ import annotations

import math
from functools import cache

from dpverify.spec.core.comparison import Comparison, equal
from dpverify.spec.core.domain import Integer
from dpverify.spec.core.hypotheses import at_least
from dpverify.spec.core.lemma import Lemma, Source


def dimension(d: int, s: int) -> int:
    """r = C(d + s, s): number of features of degree at most s in d variables; exact."""
    return math.comb(d + s, s)


@cache
def oracle(d: int, s: int) -> int:
    """Counts them: the first exponent is 0, 1, ..., s, and the others share what is left."""
    return 1 if d == 0 else sum(oracle(d - 1, s - first) for first in range(s + 1))


def conclude(*, d: int, s: int) -> Comparison:
    return equal(dimension(d, s), oracle(d, s), slack=0, unit="features")


LEMMA = Lemma(
    module=__name__,
    statement="The feature map of degree s in d variables has C(d + s, s) entries.",
    claim="#{a in N^d : |a| <= s} = C(d + s, s)",
    source=Source("arXiv 2407.14717", "v3", "polynomial kernel approximation"),
    domain={"d": Integer(1, 40), "s": Integer(0, 25)},
    formula=dimension,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(
        *at_least(1, "d"),
        *at_least(0, "s"),
    ),
    theorems=("Features.feature_dimension",),
)

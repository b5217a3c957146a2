"""How many different queries a data structure of buckets can see.

M polynomials of degree at most s in d variables have at most ``(8 e s M / d)^d`` sign patterns (signs +, - and 0;
2M >= d), and at most 3^M. With the M = r (buckets - 1) thresholds of r features of degree s, so many sets of buckets
can occur together, over all queries: a union bound over them costs d ln(8 e s M / d), not r ln(buckets). Grid planes
count as further polynomials, of degree one. Without unit.

Source: Warren, Trans. AMS 1968; in this form Alon, Tools from higher algebra, Handbook of Combinatorics 1995.
"""

from __future__ import annotations

import math
from fractions import Fraction

from dpverify.spec.core.comparison import Comparison, at_most
from dpverify.spec.core.domain import Integer
from dpverify.spec.core.hypotheses import at_least
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source

LOOSENESS = math.log(8.0 * math.e) - math.log(2.0)  # per variable, against thresholds on each axis


def log_count(polynomials: int, degree: int, dimension: int) -> float:
    """ln of the bound on the number of sign patterns; relative error below 2^-48.

    Args:
        polynomials: M, 2M >= d; degree: s >= 1, of each at most; dimension: d, number of variables.
    """
    warren = dimension * math.log(8.0 * math.e * degree * polynomials / dimension)
    return min(warren, polynomials * math.log(3.0))


def oracle(polynomials: int, degree: int) -> int:
    """Sign patterns on the line of prod_k (x - r_ik), all roots different, by evaluation at and between the roots."""
    roots = [[Fraction(i + polynomials * k) for k in range(degree)] for i in range(polynomials)]
    places = [Fraction(j, 2) for j in range(-1, 2 * polynomials * degree + 1)]
    values = ([math.prod(x - root for root in own) for own in roots] for x in places)
    return len({tuple((v > 0) - (v < 0) for v in row) for row in values})


def conclude(*, polynomials: int, degree: int, dimension: int) -> tuple[Comparison, ...]:
    """The same polynomials of each single variable: patterns multiply."""
    found = oracle(polynomials, degree)
    claimed = log_count(polynomials * dimension, degree, dimension)
    lines = log_count(polynomials * dimension, 1, dimension)
    thresholds = dimension * math.log(oracle(polynomials, 1))
    return (
        at_most(dimension * math.log(found), claimed, slack=1e-12, label="products of linear factors, enumerated"),
        at_most(lines, thresholds + dimension * LOOSENESS, slack=1e-12, label="not loose for thresholds"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="Thresholds of polynomial features split all queries into few classes, however many features there are.",
    claim="number of sign patterns <= min((8 e s M / d)^d, 3^M)",
    source=Source("Warren, Trans. AMS; Alon, Handbook of Combinatorics", "1968; 1995", "Tools from higher algebra"),
    domain={"polynomials": Integer(1, 12), "degree": Integer(1, 6), "dimension": Integer(1, 5)},
    formula=log_count,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(
        *at_least(1, "degree", "dimension"),
        Hypothesis(
            "2M >= d", ("polynomials", "dimension"), lambda p: 2 * p["polynomials"] * p["dimension"] >= p["dimension"]
        ),
    ),
    unproved="needs real algebraic geometry (Warren's bound), which the proof libraries do not have",
)

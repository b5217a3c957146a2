"""Distances by geometric bands: a count times one representative distance a band.

A distance t >= 1 (in units of the finest cell) lies in one band ``[(1+alpha)^j, (1+alpha)^{j+1})``; represented
by the band's upper end it is over-estimated by a factor in (1, 1 + alpha], attained at the lower end. So a sum
of non-negative weights times distances has relative error at most alpha. Proof idea: the ends' ratio is 1 +
alpha.

Source: arXiv 2407.14717v1, one-dimensional weighted distance query; Backurs et al., arXiv 2403.08917.
"""

from __future__ import annotations

import math
from fractions import Fraction

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.hypotheses import at_least, positive
from dpverify.spec.core.lemma import Lemma, Source

EDGE_SLACK = 2.0**-40  # relative; floats near an edge may fall into the neighbouring band


def band(distance: float, alpha: float) -> int:
    """j with (1+alpha)^j <= distance < (1+alpha)^{j+1}, for distance >= 1; edges up to a relative 2^-40."""
    return math.floor(math.log(distance) / math.log1p(alpha) * (1.0 + 2.0**-50))


def representative(distance: float, alpha: float) -> float:
    """(1+alpha)^{j+1}, the upper end of the distance's band; relative error below 2^-40."""
    return math.exp((band(distance, alpha) + 1) * math.log1p(alpha))


def oracle(distance: Fraction, alpha: Fraction) -> Fraction:
    """The first power of 1 + alpha above the distance, by multiplication in rational numbers."""
    upper = Fraction(1)
    while upper <= distance:
        upper *= 1 + alpha
    return upper


def conclude(*, distance: float, alpha: float, index: int) -> tuple[Comparison, ...]:
    step = 1 + Fraction(alpha)
    inner = [float(step**index * (1 + Fraction(alpha) * part / 8)) for part in (1, 4, 7)]
    exact = [oracle(Fraction(t), Fraction(alpha)) for t in inner]
    claimed = [representative(t, alpha) for t in inner]
    slack = [EDGE_SLACK * float(t) for t in exact]
    lower_end = math.nextafter(float(step**index), math.inf) * (1 + 2.0**-45)
    drawn = representative(distance, alpha)
    return (
        equal(claimed, exact, slack=slack, label="inside a band"),
        at_most([distance, drawn], [drawn, distance * (1 + alpha)], slack=EDGE_SLACK * distance, label="factor"),
        equal(representative(lower_end, alpha), lower_end * step, slack=4 * EDGE_SLACK * lower_end, label="attained"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="The upper end of its geometric band over-estimates a distance by a factor of at most 1 + alpha.",
    claim="t < (1+alpha)^{j+1} <= (1+alpha) t  for t in [(1+alpha)^j, (1+alpha)^{j+1})",
    source=Source("arXiv 2407.14717", "v1", "one-dimensional weighted distance query"),
    domain={"distance": Real(1.0, 1e4, log=True), "alpha": Real(0.01, 2.0, log=True), "index": Integer(0, 40)},
    formula=representative,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(
        *at_least(1, "distance"),
        *positive("alpha"),
    ),
    theorems=("Cosine.alpha_band",),
)

"""How fast the direction of the features changes with the query.

For the exponential kernel and for each of its Taylor sums, ``| phi(q)/|phi(q)| - phi(q')/|phi(q')| | <= sqrt(scale)
|q - q'|``, whatever the radius, the dimension and the degree; attained as q, q' -> 0 (degree >= 1). Landmark features
with |A K A^T| <= 1 + eta satisfy it divided by ``sqrt((1 + eta) k(q, q))`` in place of |phi(q)|. Proof idea: the
exponential's normalised kernel is ``e^{-scale |q-q'|^2/2} >= 1 - scale |q-q'|^2/2``; for Taylor sums the squared speed
is ``scale (p_{s-1}/p_s) |v|^2`` plus a term that log-concavity of the p_s in s makes <= 0. Unit: 1 / query.

Source: derived here.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Choice, Integer, Real
from dpverify.spec.core.hypotheses import positive
from dpverify.spec.core.lemma import Lemma, Source
from dpverify.spec.core.rounding import sqrt_up
from dpverify.spec.kernel._nystrom import CTX, Point, norm
from dpverify.spec.kernel._polynomial import taylor_sum

NEAR = 1e-12  # the quotient at distance h sqrt(1/scale) is below its limit by a relative h^2
RELATIVE_SLACK = 2.0**-50


def lipschitz(scale: float) -> float:
    """sqrt(scale), rounded up; relative error below 2^-51."""
    return sqrt_up(Fraction(scale))


def oracle(scale: float, degree: int | None, q: Point, other: Point) -> Any:
    """| phi(q)/|phi(q)| - phi(q')/|phi(q')| | / |q - q'| from the kernel's definition; degree None: the exponential."""

    def kernel(x: Point, y: Point) -> Any:
        at = CTX.mpf(scale) * CTX.fdot(x, y)
        return CTX.exp(at) if degree is None else taylor_sum(CTX, degree, at)

    cosine = kernel(q, other) / CTX.sqrt(kernel(q, q) * kernel(other, other))
    return CTX.sqrt(2 - 2 * cosine) / norm(a - b for a, b in zip(q, other, strict=True))


def conclude(*, dimension: int, degree: int | None, scale: float, radius: float, seed: int) -> tuple[Comparison, ...]:
    rng = np.random.default_rng(seed)
    rows = radius * rng.uniform(-1.0, 1.0, (5, dimension)) * rng.uniform(0.0, 1.0, (5, 1))
    places = [[CTX.mpf(x) for x in row] for row in rows.tolist()]
    close = [[a * (1 + CTX.mpf(2) ** -20) for a in places[0]]]
    speeds = [
        oracle(scale, degree, q, x) for i, q in enumerate(places) for x in (*places[:i], *(close if not i else ()))
    ]
    step = CTX.mpf(NEAR) / CTX.sqrt(CTX.mpf(scale))
    origin = oracle(scale, degree, [step] + [CTX.mpf(0)] * (dimension - 1), [-step] + [CTX.mpf(0)] * (dimension - 1))
    claimed = lipschitz(scale)
    return (
        at_most(speeds, claimed, slack=CTX.mpf(10) ** -25, label="random pairs"),
        equal(origin, claimed, slack=RELATIVE_SLACK * origin, label="attained at the origin"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="The direction of the kernel's features moves at most sqrt(scale) times as far as the query.",
    claim="| phi(q)/|phi(q)| - phi(q')/|phi(q')| | <= sqrt(scale) |q - q'|",
    source=Source("derived here", "", ""),
    domain={
        "dimension": Integer(1, 4),
        "degree": Choice((None, 1, 2, 3, 7, 20)),
        "scale": Real(1e-2, 20.0, log=True),
        "radius": Real(1e-2, 3.0, log=True),
        "seed": Integer(0, 2**31),
    },
    formula=lipschitz,
    oracle=oracle,
    conclude=conclude,
    hypotheses=positive("scale"),
    theorems=("Direction.direction_lipschitz", "Direction.taylor_log_concave", "Direction.direction_speed"),
    trusts=("for Taylor sums: a curve is at least as long as its chord (the speed is proved)",),
)

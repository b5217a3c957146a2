"""The remainder of the Taylor sum of the exponential.

``|e^x - p_s(x)| <= |x|^{s+1} e^{max(0, x)} / (s+1)!`` for every real x, and the ratio of the two sides tends to
1 as x tends to 0. Proof idea: the integral form of the remainder, ``int_0^x e^t (x - t)^s / s! dt``. Without
unit.

Source: classical; used in arXiv 2407.14717v3, polynomial kernel approximation.
"""

from __future__ import annotations

import math
from typing import Any

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.enclosure import Enclosure
from dpverify.spec.core.hypotheses import at_least
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions
from dpverify.spec.kernel._enclosed import BOX, remainder_enclosed
from dpverify.spec.kernel._polynomial import digits_for, taylor_sum

RELATIVE_SLACK = 2.0**-44
TINY = 2.0**-20
UNDERFLOW = 1e-300  # absolute


def remainder_bound(degree: int, x: float) -> float:
    """|x|^{s+1} e^{max(0, x)} / (s+1)!; relative error below 2^-44 above 1e-300."""
    return math.prod((abs(x) / j for j in range(1, degree + 2)), start=math.exp(max(0.0, x)))


def oracle(degree: int, x: float) -> Any:
    """|e^x - p_s(x)| by its definition."""
    return at_two_precisions(
        lambda ctx: abs(ctx.exp(ctx.mpf(x)) - taylor_sum(ctx, degree, ctx.mpf(x))),
        digits=digits_for(degree, abs(x)),
    )


def conclude(*, degree: int, x: float) -> tuple[Comparison, ...]:
    places = [x, math.copysign(TINY, x)]
    exact = [oracle(degree, at) for at in places]
    claimed = [remainder_bound(degree, at) for at in places]
    slack = [RELATIVE_SLACK * value + UNDERFLOW for value in exact]
    return (
        at_most(exact, claimed, slack=slack, label="upper bound"),
        # the two differ by a factor between 1 - |x| and e^|x|
        equal(exact[1], claimed[1], slack=2 * TINY * exact[1] + UNDERFLOW, label="sharp near zero"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="The Taylor sum of degree s misses the exponential by at most the next term, times e^x if x > 0.",
    claim="|e^x - p_s(x)| <= |x|^{s+1} e^{max(0,x)} / (s+1)!",
    source=Source("classical; arXiv 2407.14717", "v3", "polynomial kernel approximation"),
    domain={"degree": Integer(0, 30), "x": Real(-40.0, 40.0)},
    formula=remainder_bound,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(
        *at_least(0, "degree"),
        Hypothesis("x is not zero", ("x",), lambda p: p["x"] != 0),
    ),
    theorems=("Taylor.exp_taylor_remainder",),
    enclosure=Enclosure(BOX, "the bound on the remainder at x and at -x", lambda: remainder_enclosed(remainder_bound)),
    trusts=("float64 evaluation within the stated slack",),
)

"""The Taylor sum of the exponential kernel for signed logits: its exact relative error.

For x in [-X, X], ``|p_s(x) - e^x| <= e e^x`` with ``e = int_0^X e^u u^s / s! du = X^{s+1}/(s+1)! 1F1(s+1; s+2;
X)``, attained at x = -X. Proof idea: ``1 - e^-x p_s(x) = int_0^x e^-t t^s / s! dt``, which at x = -y is
``(-1)^{s+1} int_0^y e^u u^s / s! du``. The often quoted ``X^{s+1} e^X / (s+1)!`` is larger (e^u <= e^X). For odd
s the error is one-sided, ``p_s <= exp`` everywhere; for even s it is so on [0, X] only. Without unit.

Source: derived here; the weaker bound is used with arXiv 2407.14717v3.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.enclosure import Enclosure
from dpverify.spec.core.lemma import Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions
from dpverify.spec.kernel import relative_error as unsigned
from dpverify.spec.kernel._enclosed import BOX, CLAIM, error_enclosed
from dpverify.spec.kernel._polynomial import HYPOTHESES, digits_for, taylor_sum

RELATIVE_SLACK = 2.0**-44  # a product of s + 1 factors and a sum of positive terms


def relative_error(degree: int, x_max: float) -> float:
    """Largest relative error of p_s on [-x_max, x_max]; inf on overflow; relative error < 2^-44."""
    leading = math.prod(x_max / j for j in range(1, degree + 2))
    power, total, k = 1.0, 1.0, 0
    while math.isfinite(total) and (k <= x_max or power > 2.0**-56 * total):
        k += 1
        power *= x_max / k
        total += power * (degree + 1) / (degree + 1 + k)
    return leading * total


def factors(degree: int, x_max: float) -> tuple[float, float]:
    """(low, high) with ``low e^x <= p_s(x) <= high e^x`` on [-x_max, x_max], both attained or approached."""
    largest = relative_error(degree, x_max)
    if degree % 2 == 1:
        return 1.0 - largest, 1.0
    return 1.0 - unsigned.relative_error(degree, x_max), 1.0 + largest


def oracle(degree: int, x_max: float) -> list[Any]:
    """(p_s(x) - e^x) / e^x by its definition at x = -X, -3X/4, ..., X."""
    digits = digits_for(degree, x_max / 4)

    def error(j: int, ctx: Any) -> Any:
        x = ctx.mpf(x_max) * (j - 4) / 4
        return taylor_sum(ctx, degree, x) * ctx.exp(-x) - 1

    return [at_two_precisions(partial(error, j), digits=digits) for j in range(9)]


def conclude(*, degree: int, x_max: float) -> tuple[Comparison, ...]:
    claimed = relative_error(degree, x_max)
    low, high = factors(degree, x_max)
    errors = oracle(degree, x_max)
    slack = RELATIVE_SLACK * abs(errors[0]) + unsigned.UNDERFLOW
    rounded = slack + 2.0**-52  # 1 - e and 1 + e are rounded to floats near one
    return (
        at_most([abs(e) for e in errors], claimed, slack=slack, label="on a grid of [-X, X]"),
        equal(abs(errors[0]), claimed, slack=slack, label="attained at -X"),
        equal(min(errors), low - 1, slack=rounded, label="smallest factor"),
        equal(max(errors), high - 1, slack=rounded, label="largest factor"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="On [-X, X] the degree-s Taylor sum is within a factor 1 +- e of the exponential, and e is exact.",
    claim="max over |x| <= X of |p_s(x) - e^x|/e^x = int_0^X e^u u^s/s! du = X^{s+1}/(s+1)! 1F1(s+1; s+2; X)",
    source=Source("derived here", "", ""),
    domain={"degree": Integer(0, 40), "x_max": Real(1e-6, 60.0, log=True)},
    formula=relative_error,
    oracle=oracle,
    conclude=conclude,
    hypotheses=HYPOTHESES,
    enclosure=Enclosure(BOX, CLAIM, lambda: error_enclosed(relative_error, 1, RELATIVE_SLACK)),
    theorems=(
        "PoissonTail.texp_relative_error_signed",
        "PoissonTail.texp_relative_error_signed_attained",
        "PoissonTail.signed_eps_s_integral",
    ),
    trusts=("float64 evaluation within the stated slack",),
)

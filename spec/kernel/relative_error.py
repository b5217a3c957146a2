"""The Taylor sum of the exponential kernel for unsigned logits: its exact relative error.

For x in [0, X], ``(1 - e) e^x <= p_s(x) <= e^x`` with ``e = 1 - e^-X p_s(X) = P[Poisson(X) > s]``, and e is
attained at x = X; the error is one-sided. Proof idea: ``1 - e^-x p_s(x) = int_0^x e^-t t^s / s! dt`` is
increasing in x and vanishes at 0; it is the regularised lower incomplete gamma function at (s + 1, x).
All numbers are without unit.

Source: arXiv 2407.14717v3 bounds this error asymptotically; the exact value is derived here.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import scipy.special

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.enclosure import Enclosure
from dpverify.spec.core.lemma import Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions
from dpverify.spec.kernel._enclosed import BOX, CLAIM, error_enclosed
from dpverify.spec.kernel._polynomial import HYPOTHESES, digits_for, taylor_sum

UNDERFLOW = 1e-300  # absolute
RELATIVE_SLACK = 2.0**-42  # scipy's incomplete gamma function loses digits where X is large


def relative_error(degree: int, x_max: float) -> float:
    """Largest relative error of p_s on [0, x_max]; within 2^-42 of it, relative, above 1e-300."""
    return float(scipy.special.gammainc(degree + 1.0, x_max))


def oracle(degree: int, x_max: float) -> list[Any]:
    """(e^x - p_s(x)) / e^x by its definition at x = 0, X/8, ..., X."""
    digits = digits_for(degree, x_max / 8)

    def error(j: int, ctx: Any) -> Any:
        x = ctx.mpf(x_max) * j / 8
        return 1 - taylor_sum(ctx, degree, x) * ctx.exp(-x)

    return [at_two_precisions(partial(error, j), digits=digits) for j in range(9)]


def conclude(*, degree: int, x_max: float) -> tuple[Comparison, ...]:
    claimed = relative_error(degree, x_max)
    errors = oracle(degree, x_max)
    slack = RELATIVE_SLACK * max(errors) + UNDERFLOW
    return (
        at_most([0] * len(errors), errors, label="p_s never exceeds the exponential"),
        at_most(errors, claimed, slack=slack, label="on a grid of [0, X]"),
        equal(errors[-1], claimed, slack=slack, label="attained at X"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="On [0, X] the Taylor sum never exceeds the exponential and keeps the share 1 - e; e is exact.",
    claim="max over 0 <= x <= X of (e^x - p_s(x))/e^x = 1 - e^-X p_s(X) = P[Poisson(X) > s]",
    source=Source("derived here; compare arXiv 2407.14717", "v3", "polynomial kernel approximation"),
    domain={"degree": Integer(0, 40), "x_max": Real(1e-6, 60.0, log=True)},
    formula=relative_error,
    oracle=oracle,
    conclude=conclude,
    hypotheses=HYPOTHESES,
    enclosure=Enclosure(BOX, CLAIM, lambda: error_enclosed(relative_error, -1, RELATIVE_SLACK)),
    theorems=(
        "PoissonTail.texp_one_sided",
        "PoissonTail.texp_relative_error_exact",
        "PoissonTail.eps_s_poisson_tail",
        "PoissonTail.eps_s_monotone",
    ),
    trusts=("scipy.special.gammainc within the stated slack",),
)

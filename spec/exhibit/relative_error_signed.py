"""The relative error bound 2e/(1-e) of softmax, applied to values of either sign.

Counterexample: one-dimensional keys 1 and 0 at the query 1, degree-1 Taylor sum, values e^-1 and -1. The exact
answer is 0, so the bound allows no error at all; the approximate answer is not 0. With values >= 0 the bound
holds.
"""

from __future__ import annotations

from dpverify.spec.attention.ratio_error_nonnegative import relative_output_error
from dpverify.spec.core.comparison import Comparison, at_most
from dpverify.spec.core.exhibit import Exhibit
from dpverify.spec.core.lemma import Source
from dpverify.spec.core.oracle import context
from dpverify.spec.kernel.relative_error import relative_error

SIGN = -1  # of the second value; with +1 nothing cancels and the bound holds


def counterexample() -> Comparison:
    ctx = context(60)
    values = [ctx.exp(-1), ctx.mpf(SIGN)]
    exact, approximate = [ctx.exp(1), ctx.mpf(1)], [ctx.mpf(2), ctx.mpf(1)]  # e^x and 1 + x at x = 1 and 0
    answer = ctx.fdot(exact, values) / ctx.fsum(exact)
    approximated = ctx.fdot(approximate, values) / ctx.fsum(approximate)
    allowed = relative_output_error(relative_error(1, 1.0)) * abs(answer)
    return at_most(abs(approximated - answer), allowed, unit="unit of the values", label="values cancel")


EXHIBIT = Exhibit(
    module=__name__,
    statement="|out_b - out_a| <= 2e/(1-e) |out_a| for values in [-R_w, R_w].",
    published=Source("arXiv 2407.14717", "v3", "relative error of the softmax ratio"),
    counterexample=counterexample,
    corrected="attention.ratio_error_signed",
)

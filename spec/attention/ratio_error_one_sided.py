"""Softmax with under-estimated weights: absolute error for values of either sign.

With weights a_i > 0, ``(1-e) a_i <= b_i <= a_i`` and |v_i| <= V, ``|out_b - out_a| <= 2 V (1 - sqrt(1-e)) / (1 +
sqrt(1-e))``, attained by two rows of values +-V; about half of the two-sided bound. The Taylor sum of the kernel
errs in this way on [0, X], and for odd degree on [-X, X]. Proof idea: that of attention.ratio_error_signed with
r = 1/(1-e). Unit of the values.

Source: derived here.
"""

from __future__ import annotations

import math
from typing import Any

from dpverify.spec.attention._ratio import CTX, KERNEL_ERROR, VALUE_BOUND, deviations, two_point_supremum
from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.lemma import Lemma, Source

RELATIVE_SLACK = 2.0**-49


def absolute_error(relative_error: float, value_bound: float) -> float:
    """2 V (1 - sqrt(1-e)) / (1 + sqrt(1-e)), written without cancellation; relative error below 2^-49."""
    return 2.0 * value_bound * relative_error / (1.0 + math.sqrt(1.0 - relative_error)) ** 2


def oracle(relative_error: float, value_bound: float) -> Any:
    """Largest error over all two-row instances with extreme factors, by search over the split of the weight."""
    return two_point_supremum(1 - CTX.mpf(relative_error), CTX.mpf(1), value_bound)


def conclude(*, relative_error: float, value_bound: float, seed: int) -> tuple[Comparison, ...]:
    low = 1 - CTX.mpf(relative_error)
    claimed, extreme = absolute_error(relative_error, value_bound), oracle(relative_error, value_bound)
    random = [abs(b - a) for b, a in deviations(low, CTX.mpf(1), -value_bound, value_bound, seed)]
    slack = RELATIVE_SLACK * extreme
    return (
        at_most(random, claimed, slack=slack, unit="unit of the values", label="random instances"),
        equal(extreme, claimed, slack=slack, unit="unit of the values", label="attained by two points"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="If weights are under-estimated by at most a factor 1-e, values in [-V, V] give this sharp error.",
    claim="|out_b - out_a| <= 2 V (1 - sqrt(1-e)) / (1 + sqrt(1-e))",
    source=Source("derived here", "", ""),
    domain={
        "relative_error": Real(1e-12, 0.999999, log=True),
        "value_bound": Real(1e-3, 1e3, log=True),
        "seed": Integer(0, 2**31),
    },
    formula=absolute_error,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(KERNEL_ERROR, VALUE_BOUND),
    theorems=(
        "RatioOneSided.softmax_absolute_error_one_sided",
        "RatioOneSided.softmax_absolute_error_one_sided_tight",
    ),
    trusts=("float64 evaluation within the stated slack",),
)

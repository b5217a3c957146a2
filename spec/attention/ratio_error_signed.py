"""Softmax with approximate weights: absolute error for values of either sign.

With weights a_i > 0, ``|b_i - a_i| <= e a_i`` and |v_i| <= V, ``|out_b - out_a| <= 2 V e / (1 + sqrt(1 - e^2))``,
attained by two rows of values +-V. No *relative* bound holds: values may cancel. Proof idea: with r = (1+e)/(1-e)
the best two-point split of the weight gives ``2V (sqrt(r) - 1) / (sqrt(r) + 1)``. Unit of the values.

Source: derived here; it replaces the relative bound of arXiv 2407.14717v3, relative error of the softmax ratio,
which is for v >= 0.
"""

from __future__ import annotations

import math
from typing import Any

from dpverify.spec.attention._ratio import CTX, KERNEL_ERROR, VALUE_BOUND, deviations, two_point_supremum
from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.lemma import Lemma, Source

RELATIVE_SLACK = 2.0**-50


def absolute_error(relative_error: float, value_bound: float) -> float:
    """2 V e / (1 + sqrt(1 - e^2)); relative error below 2^-50."""
    e = relative_error
    return 2.0 * value_bound * e / (1.0 + math.sqrt((1.0 - e) * (1.0 + e)))


def oracle(relative_error: float, value_bound: float) -> Any:
    """Largest error over all two-row instances with extreme factors, by search over the split of the weight."""
    e = CTX.mpf(relative_error)
    return two_point_supremum(1 - e, 1 + e, value_bound)


def conclude(*, relative_error: float, value_bound: float, seed: int) -> tuple[Comparison, ...]:
    e = CTX.mpf(relative_error)
    claimed, extreme = absolute_error(relative_error, value_bound), oracle(relative_error, value_bound)
    random = [abs(b - a) for b, a in deviations(1 - e, 1 + e, -value_bound, value_bound, seed)]
    slack = RELATIVE_SLACK * extreme
    return (
        at_most(random, claimed, slack=slack, unit="unit of the values", label="random instances"),
        equal(extreme, claimed, slack=slack, unit="unit of the values", label="attained by two points"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="For values in [-V, V] a relative error e of the weights costs at most 2Ve/(1+sqrt(1-e^2)), sharp.",
    claim="|out_b - out_a| <= 2 V e / (1 + sqrt(1 - e^2))",
    source=Source("derived here; compare arXiv 2407.14717", "v3", "relative error of the softmax ratio"),
    domain={
        "relative_error": Real(1e-12, 0.999999, log=True),
        "value_bound": Real(1e-3, 1e3, log=True),
        "seed": Integer(0, 2**31),
    },
    formula=absolute_error,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(KERNEL_ERROR, VALUE_BOUND),
    theorems=("Ratio.softmax_absolute_error_sharp", "Ratio.softmax_absolute_error_tight"),
    trusts=("float64 evaluation within the stated slack",),
)

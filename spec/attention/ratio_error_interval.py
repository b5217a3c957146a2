"""Softmax with weights known up to factors in an interval: absolute error for values of either sign.

With weights a_i > 0, ``low a_i <= b_i <= high a_i``, 0 < low <= high, and |v_i| <= V,
``|out_b - out_a| <= 2 V (sqrt(high) - sqrt(low)) / (sqrt(high) + sqrt(low))``, attained by two rows of values +-V.
It contains the two-sided (1 -+ e) and one-sided (1 - e, 1) lemmas, and serves Taylor sums of even degree, whose
factors are not symmetric about one. Proof idea: weights on two values, split optimally. Unit of the values.

Source: derived here.
"""

from __future__ import annotations

import math
from typing import Any

from dpverify.spec.attention._enclosed import ratio_enclosure
from dpverify.spec.attention._ratio import CTX, VALUE_BOUND, deviations, two_point_supremum
from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source

RELATIVE_SLACK = 2.0**-49


def absolute_error(low: float, high: float, value_bound: float) -> float:
    """2 V (high - low) / (sqrt(high) + sqrt(low))^2; relative error below 2^-49."""
    return 2.0 * value_bound * (high - low) / (math.sqrt(high) + math.sqrt(low)) ** 2


def oracle(low: float, high: float, value_bound: float) -> Any:
    """Largest error over all two-row instances with extreme factors, by search over the split of the weight."""
    return two_point_supremum(CTX.mpf(low), CTX.mpf(high), value_bound)


def conclude(*, low: float, high: float, value_bound: float, seed: int) -> tuple[Comparison, ...]:
    claimed, extreme = absolute_error(low, high, value_bound), oracle(low, high, value_bound)
    random = deviations(CTX.mpf(low), CTX.mpf(high), -value_bound, value_bound, seed)
    slack = RELATIVE_SLACK * extreme
    return (
        at_most([abs(b - a) for b, a in random], claimed, slack=slack, label="random instances"),
        equal(extreme, claimed, slack=slack, unit="unit of the values", label="attained by two points"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="Weights known up to factors in [low, high] and values in [-V, V] give this sharp error.",
    claim="|out_b - out_a| <= 2 V (sqrt(high) - sqrt(low)) / (sqrt(high) + sqrt(low))",
    source=Source("derived here", "", ""),
    domain={
        "low": Real(1e-6, 0.999999, log=True),
        "high": Real(1.0, 50.0, log=True),
        "value_bound": Real(1e-3, 1e3, log=True),
        "seed": Integer(0, 2**31),
    },
    formula=absolute_error,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(
        Hypothesis("0 < low <= high", ("low", "high"), lambda p: 0 < p["low"] <= p["high"]),
        VALUE_BOUND,
    ),
    theorems=("Ratio.ratio_absolute_sharp",),
    enclosure=ratio_enclosure(lambda *at: absolute_error(*at)),
    trusts=("float64 evaluation within the stated slack",),
)

"""Softmax with approximate weights: relative error for values that are not negative.

With weights a_i > 0, ``|b_i - a_i| <= e a_i`` and v_i >= 0, ``|out_b - out_a| <= 2e/(1-e) out_a``; with the
one-sided kernel error ``(1-e) a_i <= b_i <= a_i``, ``<= e/(1-e) out_a``. Both are suprema: approached as the
only row of positive value carries vanishing weight. Proof idea: ``out_b <= (1+e)/(1-e) out_a``. Without unit.

Source: arXiv 2407.14717v3, relative error of the softmax ratio (two-sided); one-sided and sharpness derived here.
"""

from __future__ import annotations

from typing import Any

from dpverify.spec.attention._ratio import CTX, KERNEL_ERROR, deviations, mean
from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Choice, Integer, Real
from dpverify.spec.core.lemma import Lemma, Source

RELATIVE_SLACK = 2.0**-51
VANISHING = 2.0**-120


def relative_output_error(relative_error: float, one_sided: bool = False) -> float:
    """2e/(1-e), or e/(1-e) if no weight is over-estimated; relative error below 2^-51."""
    return (1.0 if one_sided else 2.0) * relative_error / (1.0 - relative_error)


def oracle(relative_error: float, one_sided: bool) -> Any:
    """Relative error of a two-row softmax whose only positive value has a vanishing weight."""
    e = CTX.mpf(relative_error)
    a, v = [CTX.mpf(VANISHING), CTX.mpf(1)], [CTX.mpf(1), CTX.mpf(0)]
    b = [a[0] * (1 if one_sided else 1 + e), a[1] * (1 - e)]
    return mean(b, v) / mean(a, v) - 1


def conclude(*, relative_error: float, one_sided: bool, seed: int) -> tuple[Comparison, ...]:
    e = CTX.mpf(relative_error)
    claimed, extreme = relative_output_error(relative_error, one_sided), oracle(relative_error, one_sided)
    random = deviations(1 - e, CTX.mpf(1) if one_sided else 1 + e, 0.0, 1.0, seed)
    slack = RELATIVE_SLACK * extreme
    return (
        at_most(
            [abs(b - a) for b, a in random],
            [claimed * a for _, a in random],
            slack=[slack * a for _, a in random],
            label="random",
        ),
        equal(extreme, claimed, slack=slack, label="approached by a vanishing weight"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="For values >= 0, a relative error e of the weights costs a relative 2e/(1-e) of the output.",
    claim="|out_b - out_a| <= 2e/(1-e) out_a;  if b_i <= a_i too: <= e/(1-e) out_a",
    source=Source("arXiv 2407.14717", "v3", "relative error of the softmax ratio"),
    domain={
        "relative_error": Real(1e-12, 0.999999, log=True),
        "one_sided": Choice((False, True)),
        "seed": Integer(0, 2**31),
    },
    formula=relative_output_error,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(KERNEL_ERROR,),
    theorems=(
        "Ratio.softmax_relative_error_nonneg",
        "RatioOneSided.softmax_relative_error_one_sided",
        "RatioOneSided.softmax_relative_error_one_sided_tight",
    ),
    trusts=("float64 evaluation within the stated slack",),
)

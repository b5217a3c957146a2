"""The smallest degree that keeps the kernel's relative error below a target.

The first s with ``e_s(X) <= target``, where e_s is the exact error of kernel.relative_error (logits in [0, X])
or kernel.relative_error_signed (logits in [-X, X]), by evaluation; the asymptotic of the papers is not used.
Proof idea: once below a target < 1 the error stays there, because it falls in s for s > X, and the signed one is
at least 1 for 1 <= s <= X; so bisection finds the first. Without unit.

Source: derived here; the asymptotic is due to Aggarwal and Alman, CCC 2022.
"""

from __future__ import annotations

from dpverify.spec.core.comparison import Comparison, equal
from dpverify.spec.core.domain import Choice, Real
from dpverify.spec.core.hypotheses import positive
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.oracle import context
from dpverify.spec.kernel import relative_error as on_unsigned
from dpverify.spec.kernel import relative_error_signed as on_signed
from dpverify.spec.kernel._polynomial import taylor_sum


def smallest_degree(target: float, x_max: float, signed: bool = False) -> int:
    """Least s whose relative error on [0, x_max] (signed: [-x_max, x_max]) is at most ``target``.

    Raises:
        HypothesisNotMet: target is not in (0, 1), or x_max is so large that floats cannot answer.
    """
    LEMMA.require(target=target, x_max=x_max, signed=signed)
    error = on_signed.relative_error if signed else on_unsigned.relative_error
    if error(0, x_max) <= target:
        return 0
    low, high = 0, 1
    while not error(high, x_max) <= target:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if error(middle, x_max) <= target else (middle, high)
    return high


def oracle(target: float, x_max: float, signed: bool) -> int:
    """The same search on the definition |p_s(x) - e^x| / e^x, over nine points of the range, at 150 digits."""
    ctx = context(150)
    places = [ctx.mpf(x_max) * j / 4 for j in range(-4 if signed else 0, 5)]
    degree = 0
    while max(abs(taylor_sum(ctx, degree, x) * ctx.exp(-x) - 1) for x in places) > target:
        degree += 1
    return degree


def conclude(*, target: float, x_max: float, signed: bool) -> Comparison:
    return equal(smallest_degree(target, x_max, signed), oracle(target, x_max, signed), slack=0, unit="degrees")


LEMMA = Lemma(
    module=__name__,
    statement="The smallest sufficient degree is the first at which the exact error is below the target.",
    claim="s(target, X) = min {s : e_s(X) <= target}",
    source=Source("derived here; compare arXiv 2407.14717", "v3", "polynomial kernel approximation"),
    domain={
        "target": Real(1e-12, 0.9, log=True),
        "x_max": Real(1e-6, 12.0, log=True),
        "signed": Choice((False, True)),
    },
    formula=smallest_degree,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(
        Hypothesis("0 < target < 1", ("target",), lambda p: 0 < p["target"] < 1),
        *positive("x_max"),
        Hypothesis("x_max <= 1e9", ("x_max",), lambda p: p["x_max"] <= 1e9),
        Hypothesis(
            "x_max <= 600 for signed logits (beyond, s exceeds 2000: use a smaller scale or smaller bounds)",
            ("x_max", "signed"),
            lambda p: not p["signed"] or p["x_max"] <= 600,
        ),
    ),
    theorems=("PoissonTail.eps_s_decreasing_in_degree",),
    trusts=("targets within rounding error of e_s(X) may give a neighbouring degree",),
)

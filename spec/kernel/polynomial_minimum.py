"""The smallest value of the Taylor sum p_s on [-X, X]: how negatively two feature vectors can correlate.

Odd s: p_s is increasing, so the minimum is ``p_s(-X)``. Even s: p_s is convex and positive with its minimum at
the only root z of p_{s-1}, where ``p_s(z) = z^s / s!``; so it is ``p_s(-X)`` if -X >= z, else ``z^s / s!``.
Proof idea: ``p_s' = p_{s-1}``, and by induction even ones have no root. Without unit.

Source: derived here (the sign pattern of the Taylor sums of exp is classical).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.lemma import Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions
from dpverify.spec.core.rounding import round_down
from dpverify.spec.kernel._polynomial import HYPOTHESES, digits_for, exact

RELATIVE_SLACK = 2.0**-51


def minimum(degree: int, x_max: float) -> float:
    """min of p_s over [-x_max, x_max] in rational arithmetic, rounded down; below it by at most 2^-51 relative."""
    if degree == 0 or degree % 2 == 1 or exact(degree - 1, Fraction(-x_max)) >= 0:
        return round_down(exact(degree, Fraction(-x_max)))
    low, high = -x_max, 0.0  # p_{s-1}(low) < 0 < p_{s-1}(high): close in to neighbouring floats
    while low < (middle := (low + high) / 2) < high:
        low, high = (low, middle) if exact(degree - 1, Fraction(middle)) > 0 else (middle, high)
    # p_s is convex, so it lies above its tangent at high, down to low
    tangent = exact(degree - 1, Fraction(high)) * (Fraction(high) - Fraction(low))
    return round_down(exact(degree, Fraction(high)) - tangent)


def oracle(degree: int, x_max: float) -> Any:
    """Smallest of p_s at 33 points of [-X, X], refined around it by golden sections (p_s is monotone or convex)."""

    def smallest(ctx: Any) -> Any:
        coefficients = [1 / ctx.factorial(j) for j in range(degree, -1, -1)]

        def value(x: Any) -> Any:
            total = ctx.mpf(0)
            for coefficient in coefficients:
                total = total * x + coefficient
            return total

        step = ctx.mpf(x_max) / 16
        start = min((step * j for j in range(-16, 17)), key=value)
        low, high = max(start - step, -ctx.mpf(x_max)), start + step
        golden = (ctx.sqrt(5) - 1) / 2
        a, b = high - golden * (high - low), low + golden * (high - low)
        at_a, at_b = value(a), value(b)
        for _ in range(70):  # the place to 1e-14 of a step, hence the value to 1e-28
            if at_a <= at_b:
                high, b, at_b, a = b, a, at_a, b - golden * (b - low)
                at_a = value(a)
            else:
                low, a, at_a, b = a, b, at_b, a + golden * (high - a)
                at_b = value(b)
        return min(value(start), at_a, at_b)

    return at_two_precisions(smallest, digits=digits_for(degree, x_max) if x_max > 1 else 60)


def conclude(*, degree: int, x_max: float) -> tuple[Comparison, ...]:
    claimed, exactly = minimum(degree, x_max), oracle(degree, x_max)
    return (
        at_most(claimed, exactly, slack=abs(exactly) * 1e-25, label="never above"),
        equal(claimed, exactly, slack=RELATIVE_SLACK * abs(exactly), label="attained"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="The Taylor sum is smallest at -X for odd s; for even s it stays positive.",
    claim="min over |x| <= X of p_s(x) = p_s(-X) (odd s, or even s and -X >= z), else z^s/s! > 0, p_{s-1}(z) = 0",
    source=Source("derived here", "", ""),
    domain={"degree": Integer(0, 16), "x_max": Real(1e-6, 12.0, log=True)},
    formula=minimum,
    oracle=oracle,
    conclude=conclude,
    hypotheses=HYPOTHESES,
    theorems=(
        "PoissonTail.texp_odd_monotone",
        "PoissonTail.texp_even_positive",
        "PoissonTail.texp_even_minimum",
    ),
)

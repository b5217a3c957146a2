"""The largest value of one polynomial feature over a box or a ball: the papers' Gamma, sharp.

Over |x_i| <= R (box): ``Gamma_a = R^|a| sqrt(scale^|a| / a!)``, attained in a corner. Over |x|_2 <= R (ball):
the same times ``prod_i (a_i/|a|)^{a_i/2}``, attained where x_i^2 is proportional to a_i. Proof idea: by
Lagrange's condition. On [0, R]^d features lie in [0, Gamma_a], else in [-Gamma_a, Gamma_a]. Without unit.

Source: derived here; arXiv 2407.14717v3 bounds all entries by one Gamma_{R,s}.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Choice, Integer, Real
from dpverify.spec.core.hypotheses import one_of, positive
from dpverify.spec.core.lemma import Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions

SHAPES = ("ball", "box", "positive_box")


def entry_bound(multi_index: Sequence[int], scale: float, radius: float, shape: str = "ball") -> float:
    """Largest |P(x)_a| over the shape, rounded up: exact up to a relative (12 |a| + 8) 2^-53, never below.

    Args:
        multi_index: the exponents a, shape (d,).
        shape: "ball" (|x|_2 <= radius), "box" or "positive_box" (|x_i| <= radius).
    """
    total = sum(multi_index)
    bound = 1.0
    for exponent in multi_index:
        reach = radius * math.sqrt(exponent / total) if shape == "ball" and exponent else radius
        for j in range(1, exponent + 1):
            bound *= math.sqrt(scale) * reach / math.sqrt(j)
    return bound * (1.0 + (6 * total + 4) * 2.0**-53)  # each factor is within 5 units of 2^-53


def oracle(multi_index: tuple[int, ...], scale: float, radius: float, shape: str) -> Any:
    """Maximises the monomial numerically: over a ball one coordinate at a time, by golden sections."""

    def largest(ctx: Any, exponents: tuple[int, ...]) -> Any:
        if len(exponents) == 1 or shape != "ball":
            return ctx.mpf(1)  # on the unit interval or box every |x_i|^a_i is largest at its end
        first, rest = exponents[0], sum(exponents[1:])
        power = ctx.mpf(rest) / 2
        low, high, golden = ctx.mpf(0), ctx.mpf(1), (ctx.sqrt(5) - 1) / 2
        for _ in range(80):  # the place to 1e-16, hence the value to 1e-31
            a, b = high - golden * (high - low), low + golden * (high - low)
            at_a, at_b = (t**first * (1 - t * t) ** power for t in (a, b))
            low, high = (low, b) if at_a >= at_b else (a, high)
        ends = [t**first * (1 - t * t) ** power for t in (ctx.mpf(0), low, high, ctx.mpf(1))]
        return max(ends) * largest(ctx, exponents[1:])

    def bound(ctx: Any) -> Any:
        weight = ctx.fprod(ctx.factorial(a) for a in multi_index)
        size = ctx.mpf(radius) ** sum(multi_index) * ctx.sqrt(ctx.mpf(scale) ** sum(multi_index) / weight)
        return size * largest(ctx, multi_index)

    return at_two_precisions(bound)


def conclude(*, first: int, second: int, third: int, scale: float, radius: float, shape: str) -> tuple[Comparison, ...]:
    multi_index = (first, second, third)
    claimed, exact = entry_bound(multi_index, scale, radius, shape), oracle(multi_index, scale, radius, shape)
    slack = (12 * sum(multi_index) + 8) * 2.0**-53 * exact
    return (
        at_most(exact, claimed, slack=exact * 1e-25, label="never above"),
        equal(claimed, exact, slack=slack, label="attained"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="Each feature has a sharp bound over a box and over a ball.",
    claim="max |P(x)_a| = R^|a| sqrt(scale^|a|/a!)  (box),  times prod (a_i/|a|)^{a_i/2}  (ball)",
    source=Source("derived here; compare arXiv 2407.14717", "v3", "polynomial kernel approximation"),
    domain={
        "first": Integer(0, 9),
        "second": Integer(0, 6),
        "third": Integer(0, 2),
        "scale": Real(1e-3, 20.0, log=True),
        "radius": Real(1e-2, 5.0, log=True),
        "shape": Choice(SHAPES),
    },
    formula=entry_bound,
    oracle=oracle,
    conclude=conclude,
    unproved="not attempted yet",
    hypotheses=(
        *positive("scale", "radius"),
        *one_of("shape", SHAPES),
    ),
)

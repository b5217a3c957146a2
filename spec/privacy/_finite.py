"""Finite distributions as exact fractions, and the definition of the hockey-stick divergence by enumeration."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

Law = Sequence[Any]


def random_law(rng: np.random.Generator, size: int) -> tuple[Fraction, ...]:
    """A law on ``size`` outcomes with integer odds below 100; about a third of the outcomes are impossible."""
    odds = rng.integers(1, 100, size) * (rng.random(size) < 0.7)
    odds[rng.integers(size)] += 1
    total = int(odds.sum())
    return tuple(Fraction(int(weight), total) for weight in odds)


def best_event(ctx: Any, p: Law, q: Law, epsilon: float) -> Any:
    """sup of P(E) - e^epsilon Q(E) over all 2^n events E, every one of them evaluated."""
    factor = ctx.exp(ctx.mpf(epsilon))
    gains = [ctx.mpf(0)]
    for here, there in zip(p, q, strict=True):
        step = number(ctx, here) - factor * number(ctx, there)
        gains += [gain + step for gain in gains]
    return max(gains)


def number(ctx: Any, value: Any) -> Any:
    """A Fraction, float or mpf in the given context."""
    if isinstance(value, Fraction):
        return ctx.mpf(value.numerator) / value.denominator
    return ctx.mpf(value)


def randomised_response(ctx: Any, epsilon: float, delta: float) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The two laws to which every (epsilon, delta)-DP pair is a post-processing (four outcomes).

    Source: Kairouz, Oh, Viswanath, The composition theorem for differential privacy, 2015, section 3.
    """
    lost, kept = ctx.mpf(delta), 1 - ctx.mpf(delta)
    odds = ctx.exp(ctx.mpf(epsilon))
    likely, unlikely = kept * odds / (1 + odds), kept / (1 + odds)
    zero = ctx.mpf(0)
    return (lost, likely, unlikely, zero), (zero, unlikely, likely, lost)


def composed_response(ctx: Any, epsilon: float, delta: float, k: int, total: float) -> Any:
    """Divergence at ``total`` of k-fold randomised response: a sum over the number of truthful answers.

    Every term is positive, so that a delta of 1e-300 is seen.
    """
    step, kept = ctx.mpf(epsilon), 1 - ctx.mpf(delta)
    leaked = ctx.mpf(delta) * ctx.fsum(kept**j for j in range(k))  # 1 - kept^k
    likely, gains = 1 / (1 + ctx.exp(-step)), []
    for truthful in range(k + 1):
        excess = ctx.mpf(total) - (2 * truthful - k) * step
        if excess < 0:
            mass = ctx.binomial(k, truthful) * likely**k * ctx.exp(-(k - truthful) * step)
            gains.append(-mass * ctx.expm1(excess))
    return leaked + kept**k * ctx.fsum(gains)

"""Truncated Laplace against its own shift: what the shifted law can reach, and the worst privacy loss there."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from dpverify.spec.noise._truncated_laplace import exact_bound, integral, mass, rational


@dataclass(frozen=True)
class Sides:
    """P = law of z, Q = law of z + shift: P-mass out of Q's reach, P-mass within, and the largest loss within.

    The loss ``epsilon (|z - shift| - |z|)/sensitivity`` is kept as a fraction: at shift = sensitivity it *equals*
    epsilon on half of the line, and rounding noise there would drown a small delta.
    """

    unreached: Any
    reached: Any
    worst_loss: Fraction


def sides(ctx: Any, shift: Fraction, sensitivity: float, epsilon: float, delta: float) -> Sides:
    """The two parts of [-B, B] for 0 <= shift <= B: [-B, -B + shift] is out of Q's reach."""
    bound = exact_bound(ctx, sensitivity, epsilon, delta)
    rate = ctx.mpf(epsilon) / ctx.mpf(sensitivity)
    edge = ctx.mpf(shift.numerator) / shift.denominator - bound
    whole = mass(ctx, sensitivity, epsilon, delta)
    unreached = integral(ctx, 0, rate, -bound, edge)
    left = integral(ctx, 0, rate, min(edge, ctx.mpf(0)), ctx.mpf(0))
    knots = (
        rational(edge),
        Fraction(0),
        shift,
        rational(bound),
    )  # the loss is linear in between: its knots decide
    loss = max(abs(z - shift) - abs(z) for z in knots) * rational(epsilon) / rational(sensitivity)
    return Sides(unreached / whole, (left + whole / 2) / whole, loss)

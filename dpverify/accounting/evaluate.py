"""Certified values of delta(epsilon) in one direction, every error charged.

The upper end evaluates ``E[(1 - e^(eps - L))_+]`` on the upper distributions. The lower end is the power of one test,
``P(S > tau) - e^eps Q(S > tau)`` for the rounded statistic S at the best threshold tau found: whatever tau is, it is
a lower bound.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from dpverify.accounting.bracket import Bracket
from dpverify.accounting.composition import Composed
from dpverify.accounting.direction import Direction
from dpverify.accounting.loss import ULP


def delta_upper(total: Composed, direction: Direction, epsilon: float) -> float:
    """At least delta(epsilon) in this direction."""
    log_factor = total.log_scale - total.tilt * epsilon
    if log_factor > 600.0:  # tilted for quite another epsilon
        return 1.0
    losses = total.losses
    bottom, top = float(losses[0]), float(losses[-1])
    start = max(0, min(len(losses), math.floor(epsilon / total.grid) - total.first - 1))
    losses = losses[start:]
    # the difference is rounded up, which can only raise delta
    gap = np.maximum(losses - epsilon + 4.0 * ULP * (np.abs(losses) + epsilon), 0.0)
    weights = -np.expm1(-gap) * np.exp(-total.tilt * gap)
    finite = float(total.masses[start:] @ weights) * (1.0 + _dot_error(len(losses)))
    finite += total.error * float(np.linalg.norm(weights))
    finite += total.above * math.exp(-total.tilt * max(0.0, top - epsilon))
    finite += total.outside if epsilon < bottom else 0.0
    slack = _slack(total, max(abs(bottom), abs(top)), epsilon)
    value = math.exp(log_factor) * finite * (1.0 + total.relative_error) * (1.0 + slack)
    return min(1.0, next_up(ceil_float(direction.infinite[1]) + value))


def delta_lower(under_p: Composed, under_q: Composed, direction: Direction, epsilon: float) -> float:
    """At most delta(epsilon) in this direction."""
    leak = floor_float(direction.infinite[0])
    factors = [x.log_scale - x.tilt * epsilon for x in (under_p, under_q)]
    factors[1] += epsilon
    first = max(under_p.first, under_q.first, math.floor((epsilon - 30.0 / (under_q.tilt)) / under_p.grid))
    stop = min(x.first + len(x.masses) for x in (under_p, under_q))
    if first >= stop or max(factors) > 600.0:
        return leak
    losses = np.arange(first, stop) * under_p.grid
    masses = [x.masses[first - x.first : stop - x.first] for x in (under_p, under_q)]
    weights = [np.exp(-x.tilt * (losses - epsilon)) for x in (under_p, under_q)]
    scale = [math.exp(f) for f in factors]
    gains = scale[0] * masses[0] * weights[0] - scale[1] * masses[1] * weights[1]
    best = len(gains) - 1 - int(np.cumsum(gains[::-1]).argmax())
    power, size = (float(m[best:] @ w[best:]) for m, w in zip(masses, weights, strict=True))
    norms = [float(np.linalg.norm(w[best:])) for w in weights]
    rounding, reach = _dot_error(len(gains)), max(abs(float(losses[0])), abs(float(losses[-1])))
    power = power * (1.0 - rounding) - under_p.error * norms[0] - under_p.outside * float(weights[0][best])
    size = size * (1.0 + rounding) + under_q.error * norms[1]
    power *= scale[0] * max(0.0, 1.0 - under_p.relative_error) * (1.0 - _slack(under_p, reach, epsilon))
    size *= scale[1] * (1.0 + under_q.relative_error) * (1.0 + _slack(under_q, reach, epsilon))
    return max(leak, next_down(leak + max(0.0, power - size) * (1.0 - 2.0**-40)))


def _slack(total: Composed, reach: float, epsilon: float) -> float:
    """Relative error of ``exp(log_scale - tilt * loss)`` and of the few products around it."""
    return 8.0 * ULP * (16.0 + abs(total.log_scale) + (total.tilt + 1.0) * (reach + epsilon))


def _dot_error(count: int) -> float:
    """Relative error of a dot product of ``count`` non-negative numbers, whatever the order of summation."""
    return ULP * (count + 16.0)


def single(direction: Direction, epsilon: float) -> Bracket:
    """A single discrete mechanism needs no grid: the definition is a finite sum."""
    a = direction.counted[0][0].atoms(1.0)
    ends = []
    for sign, leak in ((-1.0, direction.infinite[0]), (1.0, direction.infinite[1])):
        gap = a.loss - epsilon + sign * (a.loss_error + 2.0 * ULP * (np.abs(a.loss) + epsilon))
        finite = float(a.p @ -np.expm1(-np.maximum(gap, 0.0)))
        finite *= 1.0 + sign * (a.relative_error + _dot_error(len(gap)))
        ends.append(floor_float(leak) + finite if sign < 0.0 else ceil_float(leak) + finite)
    return Bracket(max(0.0, next_down(ends[0])), min(1.0, next_up(ends[1])))


def floor_float(value: Fraction | float) -> float:
    """The largest float that is at most ``value`` (or one below it)."""
    near = float(value)
    return near if math.isinf(near) or Fraction(near) <= value else next_down(near)


def ceil_float(value: Fraction | float) -> float:
    """The smallest float that is at least ``value``."""
    near = float(value)
    return near if math.isinf(near) or Fraction(near) >= value else next_up(near)


def next_down(value: float) -> float:
    return math.nextafter(value, -math.inf)


def next_up(value: float) -> float:
    return math.nextafter(value, math.inf)

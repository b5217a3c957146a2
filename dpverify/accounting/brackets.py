"""Certified brackets of delta(epsilon) and epsilon(delta) of a composition.

``delta(eps) = P(some loss infinite) + E_P[(1 - e^(eps - L))_+; all finite]`` for the composed loss L, the larger
of the two directions. The grid is refined until the bracket is narrow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from dpverify.accounting.bracket import Bracket
from dpverify.accounting.composition import compose, tilt_for_delta, tilt_for_epsilon
from dpverify.accounting.direction import (
    Direction,
    Losses,
    aligned,
    directions,
    first_grid,
    is_single,
    lower_laws,
    upper_parts,
)
from dpverify.accounting.evaluate import ceil_float, delta_lower, delta_upper, floor_float, next_down, next_up, single
from dpverify.accounting.loss import ULP
from dpverify.errors import CapacityError, InvalidArgument

_ROUNDS = 6


def delta_bracket(
    losses: Losses, epsilon: float, *, relative_width: float = 2e-4, grid: float | None = None, tied: bool = True
) -> Bracket:
    """A bracket of delta at ``epsilon`` for the (adaptive) composition of all losses.

    Args:
        losses: one loss, or a sequence of losses and of (loss, count).
        epsilon: finite, >= 0.
        relative_width: refine the grid until the bracket is this narrow, relative to its upper end, or no
            narrower one is in reach. A goal, not a promise; the bracket holds in any case.
        grid: one grid spacing (nats) to use instead.
        tied: every loss was given for the same ordered pair of neighbours. If False, each may also occur in
            the reverse order, and the upper end covers that.

    Returns:
        Certified bounds: what the losses' ``total_variation`` may cost is subtracted and added.
    """
    if not 0.0 <= epsilon < math.inf:
        raise InvalidArgument("epsilon", epsilon, "finite and at least 0")

    def solve(direction: Direction, spacing: float) -> Bracket:
        parts = upper_parts(direction, spacing)
        tilt = tilt_for_epsilon(parts, epsilon)
        upper = delta_upper(compose(parts, tilt), direction, epsilon)
        return Bracket(delta_lower(*lower_laws(direction, spacing, tilt), direction, epsilon), upper)

    def known(direction: Direction) -> tuple[Bracket, bool]:
        low, high = (floor_float(direction.infinite[0]), ceil_float(direction.infinite[1]))
        if Fraction(float(epsilon)) >= direction.largest[1]:
            return Bracket(low, high), True
        return (single(direction, epsilon), True) if is_single(direction) else (Bracket(low, 1.0), False)

    both = directions(losses, tied)
    pair = _refine(both, solve, known, relative_width, grid)
    cost = _variation_cost(both, epsilon)
    if cost == 0.0:
        return pair
    return Bracket(max(0.0, next_down(pair.lower - cost)), min(1.0, next_up(pair.upper + cost)))


def epsilon_bracket(
    losses: Losses, delta: float, *, relative_width: float = 2e-4, grid: float | None = None, tied: bool = True
) -> Bracket:
    """A bracket of the smallest epsilon >= 0 at which delta(epsilon) <= ``delta``; infinite if there is none.

    Args:
        delta: in [0, 1).
        losses, relative_width, grid, tied: as in :func:`delta_bracket`.
    """
    if not 0.0 <= delta < 1.0:
        raise InvalidArgument("delta", delta, "at least 0 and less than 1")
    both = directions(losses, tied)

    def of_the_pair(target: float) -> Bracket:
        return _epsilon_of_the_pair(both, target, relative_width, grid)

    pair = of_the_pair(delta)
    if _variation_cost(both, 0.0) == 0.0:
        return pair
    lower = 0.0
    for stretch in (0.01, 0.1, 0.5):
        # the cost grows with epsilon: bound it at an epsilon somewhat above, which is then the largest answer allowed
        highest = (1.0 + stretch) * pair.upper + stretch if pair.upper < math.inf else 100.0 * stretch
        cost = _variation_cost(both, highest)
        if delta + cost < 1.0:
            lower = max(lower, min(of_the_pair(next_up(delta + cost)).lower, highest))
        upper = of_the_pair(next_down(delta - cost)).upper if delta > cost else math.inf
        if upper <= highest:
            return Bracket(lower, upper)
    return Bracket(lower, math.inf)


def _epsilon_of_the_pair(both: list[Direction], delta: float, relative_width: float, grid: float | None) -> Bracket:
    def solve(direction: Direction, spacing: float) -> Bracket:
        parts = upper_parts(direction, spacing)
        tilt = tilt_for_delta(parts, max(delta - float(direction.infinite[1]), ULP * delta))
        composed, pair = compose(parts, tilt), lower_laws(direction, spacing, tilt)
        top, fine = max(0.0, float(composed.losses[-1])) + 1.0, 0.02 * relative_width
        upper = _last(lambda e: delta_upper(composed, direction, e) > delta, top, fine)[1]
        return Bracket(_below(lambda e: delta_lower(*pair, direction, e) > delta, min(upper, top), fine), upper)

    def known(direction: Direction) -> tuple[Bracket, bool]:
        low, high = direction.infinite
        exact = Fraction(float(delta))
        largest = Bracket(max(0.0, floor_float(direction.largest[0])), max(0.0, ceil_float(direction.largest[1])))
        if exact < high:
            return Bracket(math.inf if exact < low else 0.0, math.inf), True
        if exact == low:  # only an epsilon that covers every finite loss will do
            return largest, True
        if not is_single(direction):
            return Bracket(0.0, largest.upper), False
        upper = min(_last(lambda e: single(direction, e).upper > delta, largest.upper, 1e-13)[1], largest.upper)
        return Bracket(_below(lambda e: single(direction, e).lower > delta, upper, 1e-13), upper), True

    return _refine(both, solve, known, relative_width, grid)


def _variation_cost(both: list[Direction], epsilon: float) -> float:
    """What laws that are off by some total variation each may add to or take from delta(epsilon).

    If P', Q' are within tau of P, Q, then ``P'(E) - e^eps Q'(E)`` is within ``tau (1 + e^eps)`` of the same of P, Q;
    the distances of independent parts add up.
    """
    variation = both[0].total_variation
    return variation * (1.0 + math.exp(min(epsilon, 700.0))) * (1.0 + 2.0**-40) if variation else 0.0


def _refine(
    directions: list[Direction],
    solve: Callable[[Direction, float], Bracket],
    known: Callable[[Direction], tuple[Bracket, bool]],
    relative_width: float,
    grid: float | None,
) -> Bracket:
    """The larger of both directions, each on finer and finer grids until it is narrow enough."""
    if not 0.0 < relative_width < 1.0:
        raise InvalidArgument("relative_width", relative_width, "greater than 0 and less than 1")
    if grid is not None and not 0.0 < grid < math.inf:
        raise InvalidArgument("grid", grid, "finite and greater than 0")
    found: Bracket | None = None
    for direction in directions:
        best, final = known(direction)
        spacing, before = first_grid(direction) if grid is None else grid, math.inf
        for _ in range(_ROUNDS if grid is None else 1):
            if final or best.relative_width <= relative_width:
                break
            try:
                this = solve(direction, spacing)
            except CapacityError:
                if grid is not None or best.relative_width == 1.0:
                    raise
                break
            best = best.intersect(this)
            if this.relative_width > 0.7 * before:  # round-off or a kink, not the grid, is what is left
                break
            before = this.relative_width
            # both ends are off by O(grid^2)
            wanted = math.sqrt(0.5 * relative_width / max(this.relative_width, 1e-9))
            spacing = aligned(direction, spacing * min(0.5, max(1.0 / 16.0, wanted)))
        found = best if found is None else found.join(best)
    if found is None:
        raise InvalidArgument("losses", "empty", "at least one loss")
    return found


def _last(holds: Callable[[float], bool], top: float, fine: float) -> tuple[float, float]:
    """(a, b): ``holds(a)`` or a = 0; not ``holds(b)``, or b = inf; found by halving, both verified."""
    if not holds(0.0):
        return 0.0, 0.0
    if holds(top):
        return top, math.inf
    low, high = 0.0, top
    while high - low > fine * high and low < 0.5 * (low + high) < high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low, high


def _below(holds: Callable[[float], bool], top: float, fine: float) -> float:
    """The largest a <= top found with ``holds(a)``, or 0; looked for from the top down.

    A lower bound is sharp only near the epsilon for which its law was tilted, so halving from 0 would be misled.
    """
    gap = 0.0
    while not holds(top - gap):
        gap = max(4.0 * gap, fine * top)
        if gap >= top:
            return 0.0
    low, high = top - gap, top - 0.25 * gap
    while high - low > fine * top and low < 0.5 * (low + high) < high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low

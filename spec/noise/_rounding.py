"""Adversarial search for what rounding to a grid can do to a difference, in integers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator


def largest_move(most: int, step: int, coordinates: int, power: int) -> int:
    """The largest sum of |rounded differences|^power found over moves whose own sum of powers is <= most^power.

    Every coordinate starts just below a rounding threshold, where a move of 1 already makes a step.
    """
    start, best = step // 2 - 1, 0
    for moves in _moves(most, step, coordinates):
        if sum(move**power for move in moves) <= most**power:
            best = max(best, sum((_rounded(start + x, step) - _rounded(start, step)) ** power for x in moves))
    return best


def _moves(most: int, step: int, coordinates: int) -> Iterator[tuple[int, ...]]:
    """Moves worth trying: none, the least across k thresholds, and for the first coordinate all that is left."""
    least = [0] + [k * step + 1 for k in range(most // step + 1)]
    for others in itertools.combinations_with_replacement(least, coordinates - 1):
        for first in (*least, max(0, most - sum(others))):
            yield (first, *others)


def _rounded(x: int, step: int) -> int:
    """floor(x / step + 1/2)."""
    return (2 * x + step) // (2 * step)

"""What the distance lemmas share: random weighted points on a line, exact, and their bucket sums."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

Point = tuple[Fraction, Fraction]  # (weight, place)


def weighted_points(count: int, reach: float, seed: int) -> list[Point]:
    """``count`` points of weight in [-1, 1] and place in [-reach, reach]; weights and places are exact floats."""
    rng = np.random.default_rng(seed)
    weights, places = rng.uniform(-1.0, 1.0, count).tolist(), (reach * rng.uniform(-1.0, 1.0, count)).tolist()
    return [(Fraction(w), Fraction(x)) for w, x in zip(weights, places, strict=True)]


def moments(points: list[Point]) -> tuple[Fraction, Fraction, Fraction]:
    """Sums of w, w x and w x^2."""
    return (
        sum((w for w, _ in points), Fraction(0)),
        sum((w * x for w, x in points), Fraction(0)),
        sum((w * x * x for w, x in points), Fraction(0)),
    )

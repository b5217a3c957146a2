"""Random small tables of integer weights for the checks."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np


def random_table(rng: np.random.Generator, size: int) -> list[int]:
    """``size`` weights, some of them 0, of every magnitude up to 2^40; at least one is positive."""
    weights = [int(2.0 ** rng.uniform(0, 40)) * int(rng.random() < 0.8) for _ in range(size)]
    weights[int(rng.integers(size))] += 1
    return weights


def random_log_concave(rng: np.random.Generator, factors: int) -> list[int]:
    """A symmetric log-concave table: a product of ``factors`` polynomials 1 + c x + x^2 with c >= 2, and boxes."""
    table = [1]
    for _ in range(factors):
        c = int(rng.integers(2, 12))
        factor = [1, c, 1] if rng.random() < 0.7 else [1] * 3
        table = [
            sum(table[i] * factor[k - i] for i in range(len(table)) if 0 <= k - i < len(factor))
            for k in range(len(table) + len(factor) - 1)
        ]
    return table


def shifted_laws(weights: Sequence[int], shift: int) -> tuple[list[Fraction], list[Fraction]]:
    """The laws of the noise and of the noise plus ``shift``, on the union of their supports."""
    at, total = dict(enumerate(weights)), sum(weights)
    union = range(min(0, shift), len(weights) + max(0, shift))
    return [Fraction(at.get(k, 0), total) for k in union], [Fraction(at.get(k - shift, 0), total) for k in union]


def event_gains(p: Sequence[Fraction], q: Sequence[Fraction], exponential: Fraction) -> list[Fraction]:
    """P(E) - exponential Q(E) of all 2^n events E."""
    gains = [Fraction(0)]
    for here, there in zip(p, q, strict=True):
        gains += [gain + here - exponential * there for gain in gains]
    return gains

"""Where a lemma is checked: ranges of its parameters, and the points taken from them.

A domain is data (so that a property-testing library can draw from it as well); ``points`` takes its corners
and a reproducible random sample of its inside.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Real:
    """A real parameter in [low, high]; ``log=True`` draws it evenly on a logarithmic scale."""

    low: float
    high: float
    log: bool = False

    def corners(self) -> tuple[float, ...]:
        return (self.low, self.high)

    def draw(self, rng: np.random.Generator) -> float:
        if self.log:
            value = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        else:
            value = float(rng.uniform(self.low, self.high))
        return min(max(value, self.low), self.high)


@dataclass(frozen=True)
class Integer:
    """An integer parameter in [low, high]."""

    low: int
    high: int

    def corners(self) -> tuple[int, ...]:
        return (self.low, self.high)

    def draw(self, rng: np.random.Generator) -> int:
        return int(rng.integers(self.low, self.high, endpoint=True))


@dataclass(frozen=True)
class Choice:
    """One of a few values."""

    values: tuple[Any, ...]

    def corners(self) -> tuple[Any, ...]:
        return self.values

    def draw(self, rng: np.random.Generator) -> Any:
        return self.values[int(rng.integers(len(self.values)))]


Parameter = Real | Integer | Choice
Domain = Mapping[str, Parameter]


def points(domain: Domain, count: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Corners first (all of them, if they are at most ``count``; else a sample), then random points."""
    if not domain:
        yield {}
        return
    names = list(domain)
    corners = list(itertools.islice(itertools.product(*(domain[n].corners() for n in names)), 4096))
    if len(corners) > (count + 1) // 2:
        chosen = rng.choice(len(corners), size=max(1, (count + 1) // 2), replace=False)
        corners = [corners[i] for i in sorted(chosen)]
    for corner in corners:
        yield dict(zip(names, corner, strict=True))
    for _ in range(count - len(corners)):
        yield {name: domain[name].draw(rng) for name in names}

"""The parts of the published mechanism, enumerated one by one, and exponents measured from such counts."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from dpverify.spec.core.comparison import Comparison, at_most
from dpverify.spec.core.domain import Integer, Parameter
from dpverify.spec.core.hypotheses import at_least
from dpverify.spec.tree._tree import all_nodes

MOMENTS = ("w", "w x", "w x^2")  # one tree each
DOMAIN: dict[str, Parameter] = {
    "rows": Integer(1, 100),
    "dimension": Integer(1, 4),
    "degree": Integer(0, 4),
    "columns": Integer(1, 4),
}
HYPOTHESES = at_least(1, "rows", "dimension", "columns") + at_least(0, "degree")
Count = Callable[[int, int, int, int], int]


@lru_cache(maxsize=256)
def features(dimension: int, degree: int) -> tuple[tuple[int, ...], ...]:
    """Every multi-index of total degree at most ``degree``, from all exponents up to it."""
    every = itertools.product(range(degree + 1), repeat=dimension)
    return tuple(exponents for exponents in every if sum(exponents) <= degree)


def height(rows: int) -> int:
    """Of the smallest complete binary tree with a leaf per row."""
    levels = 0
    while 2**levels < rows:
        levels += 1
    return levels


@lru_cache(maxsize=64)
def nodes(levels: int) -> tuple[tuple[int, int], ...]:
    """Every node of a tree of that height."""
    return tuple(all_nodes(levels))


def trees(dimension: int, degree: int, columns: int) -> Iterator[tuple[Any, int, str]]:
    """One tree per feature, column (the values' and the normaliser's) and moment."""
    return itertools.product(features(dimension, degree), range(columns + 1), MOMENTS)


def measured(count: Count, claimed: tuple[float, float, float], near: float) -> list[Comparison]:
    """Growth of an enumerated count as rows, features or columns go from 16 to 256: at most the claimed exponents.

    Args:
        count: enumeration for (rows, dimension, degree, columns).
        claimed: exponents of rows, features and columns.
        near: what constant terms and logarithms may add to a measured exponent.
    """
    base, out = (16, 16, 16), []
    for axis, (name, most) in enumerate(zip(("rows", "features", "columns"), claimed, strict=True)):
        grown = [n * n if i == axis else n for i, n in enumerate(base)]
        small, large = (count(n, 1, r - 1, columns) for n, r, columns in (base, grown))
        out.append(at_most(math.log(large / small, 16), most, slack=near, label=f"exponent of {name} <= {most:g}"))
    return out

"""Splitting a tree's budget by levels against the vector form, for whole ranges of epsilon, in interval arithmetic."""

from __future__ import annotations

from collections.abc import Callable

from dpverify.spec.core.comparison import Comparison, at_most
from dpverify.spec.core.enclosure import Enclosure, pieces, positive
from dpverify.spec.core.intervals import Jet
from dpverify.spec.noise.truncated_laplace_normaliser import support_bound
from dpverify.spec.tree.privacy_composition import level_budget

HEIGHTS = range(1, 11)
BOX = {"epsilon": (2.0**-10, 16.0), "height": (HEIGHTS[0], HEIGHTS[-1])}
DELTA = 1e-6
ROUNDING = 1 + 2.0**-44


def split_enclosure(code: Callable[[float, int, int, float, float], float]) -> Enclosure:
    """``(h + 1)(e^(eps/(h + 1)) - 1) < e^eps - 1``: the split's L is smaller, at the same rate; so is its B."""

    def gaps(epsilon: Jet) -> tuple[Jet, ...]:
        whole = epsilon.exp() - 1
        return tuple(whole - (h + 1) * ((epsilon / (h + 1)).exp() - 1) for h in HEIGHTS)

    def holds() -> tuple[Comparison, ...]:
        ends = pieces(*BOX["epsilon"], most=2.0)
        split = [support_bound(1.0, *level_budget(x, DELTA, h)) for h in HEIGHTS for x in ends]
        vector = [code(1.0, h, 1, x, DELTA) * ROUNDING for h in HEIGHTS for x in ends]
        return (
            positive(gaps, ends, label="the split by levels"),
            at_most(split, vector, unit="unit of the data", label="the code at the ends"),
        )

    return Enclosure(BOX, "(h + 1)(e^(eps/(h + 1)) - 1) < e^eps - 1: the split by levels is never wider", holds)

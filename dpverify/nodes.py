"""Noisy nodes of complete binary trees, and the sums that are read off them: post-processing, no privacy cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dpverify.spec import contract
from dpverify.spec.tree import interval_decomposition, prefix_decomposition

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class NoisyNodes:
    """The nodes of ``trees`` trees of one height.

    Attributes:
        levels: level l holds integers of shape (trees, 2^(height - l)); level 0 are the leaves.
        grid: value of one step, a power of two.
    """

    levels: tuple[Integers, ...]
    grid: float

    @property
    def trees(self) -> int:
        return int(self.levels[0].shape[0])

    @property
    def height(self) -> int:
        return len(self.levels) - 1

    @property
    def size(self) -> int:
        """Numbers held: all nodes of all trees."""
        return sum(level.size for level in self.levels)

    def root(self) -> npt.NDArray[np.float64]:
        """The total of each tree, shape (trees,)."""
        return np.multiply(self.levels[-1][:, 0], self.grid, dtype=np.float64)

    @contract(relies_on=[prefix_decomposition.LEMMA])
    def prefix(self, stops: Integers) -> npt.NDArray[np.float64]:
        """Sums of leaves 0 .. stop - 1; ``stops`` has shape (..., trees).

        Bit l of stop set means that node (stop >> l) - 1 of level l is used.
        """
        total = np.zeros(stops.shape, dtype=np.int64)
        columns = np.arange(self.trees)
        for depth, level in enumerate(self.levels):
            position = stops >> depth
            used = (position & 1).astype(bool)
            total += np.where(used, level[columns, np.maximum(position - 1, 0)], 0)
        return np.multiply(total, self.grid, dtype=np.float64)

    @contract(relies_on=[interval_decomposition.LEMMA])
    def interval(self, starts: Integers, stops: Integers) -> npt.NDArray[np.float64]:
        """Sums of leaves start .. stop - 1; both have shape (..., trees), start <= stop.

        Both ends climb from the leaves; an end that is a right (left) child takes a node on its way.
        """
        left, right = starts, stops
        total = np.zeros(left.shape, dtype=np.int64)
        columns = np.arange(self.trees)
        for level in self.levels:
            open_ = left < right
            take = open_ & (left & 1).astype(bool)
            total += np.where(take, level[columns, np.minimum(left, level.shape[1] - 1)], 0)
            left = (left + take) >> 1
            take = open_ & (right & 1).astype(bool)
            total += np.where(take, level[columns, np.maximum(right - 1, 0)], 0)
            right = (right - take) >> 1
        return np.multiply(total, self.grid, dtype=np.float64)

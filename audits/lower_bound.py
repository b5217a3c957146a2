"""The anytime-valid lower bound on epsilon: the same experts, run against a grid of epsilons.

The hypotheses are nested: whoever keeps (epsilon, delta) keeps every larger epsilon. They are tested upwards, and the
bound is the last point before the first that is not rejected; it exceeds the true epsilon only if the smallest point
at or above the truth was rejected. Below the claim a point is tested by the audit's own e-value (which starts at
``1 - SET_ASIDE`` and counts against smaller epsilons too) plus the wealth that SET_ASIDE became against that point.
So a violation rejects all points up to the claim at once: verdict and bound agree, and err together with probability
at most alpha.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dpverify.audits.events import Booleans, Floats
from dpverify.audits.experts import BlockRecord, log_wealth_paths
from dpverify.audits.process import average

SET_ASIDE = 0.02  # of the initial wealth: what the verdict gives up, and what the bound below the claim starts from
LARGEST = 50.0
TOGETHER = 16  # grid points evaluated at once


@dataclass(frozen=True)
class LowerBoundPath:
    """``epsilon[i]`` is the (1 - alpha) lower bound after ``pairs[i]`` pairs, valid for all i at once."""

    pairs: Floats
    epsilon: Floats


@dataclass(frozen=True)
class History:
    """What an audit leaves for its lower bound.

    Attributes:
        records: one sequence of blocks for each expert of each dataset pair, all with the same blocks.
        shares: their shares of the wealth, summing to one.
        log_e, violated: log e-value at the end of each block, and whether the claim was rejected by then;
            refuted: whether it was in the end (also by the evidence of earlier runs alone).
    """

    records: tuple[Sequence[BlockRecord], ...]
    shares: tuple[float, ...]
    log_e: Floats
    violated: Booleans
    refuted: bool
    claimed: float
    delta: float
    alpha: float

    def last_bound(self) -> float:
        """The lower bound at the end; the points below the claim are skipped where they are known to be rejected."""
        bound = self.claimed if self.refuted else 0.0
        if not self.records:
            return bound
        for epsilon, rejected in self._rejections(above=self.refuted, below=not self.refuted):
            if not rejected[-1]:
                break
            bound = epsilon
        return bound

    def path(self) -> LowerBoundPath:
        """The lower bound after every block."""
        if not self.records:
            return LowerBoundPath(np.zeros(0), np.zeros(0))
        pairs = np.cumsum([float(record.outcome.pairs) for record in self.records[0]])
        bound, unbroken = np.where(self.violated, self.claimed, 0.0), np.ones(len(pairs), dtype=bool)
        for epsilon, rejected in self._rejections(above=True, below=True):
            unbroken &= rejected & (self.violated | (epsilon < self.claimed))
            if not unbroken.any():
                break
            bound[unbroken] = np.maximum(bound[unbroken], epsilon)
        return LowerBoundPath(pairs, np.maximum.accumulate(bound))

    def _rejections(self, *, above: bool, below: bool) -> Iterator[tuple[float, Booleans]]:
        """Grid points in order, and whether each was rejected by the end of each block."""
        grid = epsilon_grid()
        parts = []
        if below:
            parts.append((grid[grid < self.claimed], np.log(SET_ASIDE), self.log_e))
        if above:
            parts.append((grid[grid > self.claimed], 0.0, np.full(len(self.log_e), -np.inf)))
        for points, log_share, besides in parts:
            for start in range(0, len(points), TOGETHER):
                some = points[start : start + TOGETHER]
                paths = [log_wealth_paths(records, some, self.delta) for records in self.records]
                for row, epsilon in enumerate(some):
                    wealth = np.logaddexp(besides, log_share + average([path[row] for path in paths], self.shares))
                    yield float(epsilon), np.maximum.accumulate(wealth) >= np.log(1.0 / self.alpha)


def epsilon_grid() -> Floats:
    """Steps of one per cent above 1, of at least 0.01 below, wider towards 0."""
    steps = int(np.ceil(np.log(LARGEST) / np.log(1.01)))
    below = [[1, 10, 20, 50, 100, 150, 200, 250], range(300, 600, 20), range(600, 1000, 10)]
    return np.concatenate([*(np.array(part) / 1000.0 for part in below), 1.01 ** np.arange(steps + 1)])

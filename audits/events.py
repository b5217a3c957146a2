"""Events to bet on: half-lines, single values (atoms) and NaN, of the columns of a table of numbers.

A *column* is any number computed from an output: a coordinate, a learned score, a property of its bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

AT_LEAST, EQUALS, IS_NAN = 0, 1, 2
KINDS: tuple[Literal["at_least", "equals", "is_nan"], ...] = ("at_least", "equals", "is_nan")
MANY = 64  # a column with at most this many values, repeated, is treated value by value
ATOMS = 16  # single values considered in a column with more


@dataclass(frozen=True)
class EventTable:
    """Events ``column >= value``, ``column == value`` or ``column is NaN``; three arrays of one length."""

    column: Integers
    kind: Integers
    value: Floats

    def __len__(self) -> int:
        return len(self.column)

    def indicators(self, columns: Floats, chosen: Integers) -> Booleans:
        """Which of the chosen events hold for each row of ``columns``; shape (rows, len(chosen))."""
        picked = columns[:, self.column[chosen]]
        kind, value = self.kind[chosen], self.value[chosen]
        inside: Booleans = picked >= value
        for wanted, test in ((EQUALS, np.equal), (IS_NAN, np.not_equal)):
            where = np.flatnonzero(kind == wanted)
            if where.size:
                against = value[where] if wanted == EQUALS else picked[:, where]
                inside[:, where] = test(picked[:, where], against)
        return inside

    def counts(self, columns: Floats) -> Integers:
        """For each event, in how many rows it holds."""
        out = np.zeros(len(self), dtype=np.int64)
        for index in np.unique(self.column):
            ordered = np.sort(columns[:, index])  # NaN last
            known = len(ordered) - int(np.isnan(ordered).sum())
            mine = np.flatnonzero(self.column == index)
            kind, value = self.kind[mine], self.value[mine]
            below = np.searchsorted(ordered[:known], value, "left")
            upto = np.searchsorted(ordered[:known], value, "right")
            out[mine] = np.where(
                kind == AT_LEAST, known - below, np.where(kind == EQUALS, upto - below, len(ordered) - known)
            )
        return out

    def spans(self) -> tuple[Floats, Floats]:
        """Interval [low, high) of every event, then of every complement; (-inf, inf) where it is not one."""
        infinite = np.full(len(self), np.inf)
        half, atom = self.kind == AT_LEAST, self.kind == EQUALS
        low = np.where(half | atom, self.value, -infinite)
        high = np.where(atom, np.nextafter(self.value, np.inf), np.where(half, infinite, -infinite))
        return np.concatenate([low, -infinite]), np.concatenate([high, np.where(half, self.value, infinite)])


def choose_events(columns: Floats, per_column: int) -> EventTable:
    """Events for pooled past rows: quantiles, denser in the tails; every value of a discrete column; atoms; NaN.

    Args:
        columns: shape (rows, columns), outputs on both datasets together.
        per_column: about how many half-lines a column gets in its middle.
    """
    index: list[int] = []
    kind: list[int] = []
    value: list[float] = []
    fractions = np.concatenate(
        [
            np.linspace(0.0, 1.0, per_column + 2)[1:-1],
            0.5 / per_column * 2.0 ** (-0.5 * np.arange(20)),
            1.0 - 0.5 / per_column * 2.0 ** (-0.5 * np.arange(20)),
        ]
    )
    for column in range(columns.shape[1]):
        ordered = np.sort(columns[:, column])
        known = ordered[~np.isnan(ordered)]
        if len(known) < len(ordered):
            index.append(column)
            kind.append(IS_NAN)
            value.append(np.nan)
        if not len(known):
            continue
        distinct, repeats = np.unique(known, return_counts=True)
        discrete = len(distinct) <= min(MANY, len(known) // 2)
        if discrete or len(distinct) <= per_column:
            thresholds = distinct[1:]
        else:
            thresholds = np.unique(known[(fractions * len(known)).astype(np.int64)])
        often = np.flatnonzero(repeats >= 2)
        if len(often) > (MANY if discrete else ATOMS):
            often = often[np.argsort(repeats[often], kind="stable")[-ATOMS:]]
        single = distinct[often]
        index.extend([column] * (len(thresholds) + len(single)))
        kind.extend([AT_LEAST] * len(thresholds) + [EQUALS] * len(single))
        value.extend(float(v) for v in (*thresholds, *single))
    return EventTable(
        np.array(index, dtype=np.int64), np.array(kind, dtype=np.int64), np.array(value, dtype=np.float64)
    )

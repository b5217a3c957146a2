"""Events to bet on: half-lines, single values (atoms) and NaN, of the columns of a table of numbers.

A *column* is any number computed from an output: a coordinate, a learned score, a property of its bits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
OCTAVES = 14  # tails of a fifth of the outputs, a tenth, a twentieth, and so on
STEPS_EACH = 3  # nested events of a staircase
FEW = 8  # outputs that the least step of a staircase must have had


@dataclass(frozen=True)
class EventTable:
    """Events ``column >= value``, ``column == value`` or ``column is NaN``; three arrays of one length.

    ``stairs[i, 0]`` are events at_least of one column with rising values, the steps of a staircase upwards;
    ``stairs[i, 1]`` are such events with falling values, whose complements are the steps of one downwards. Their
    tails are about equally frequent. A step may be repeated.
    """

    column: Integers
    kind: Integers
    value: Floats
    stairs: Integers = field(default_factory=lambda: np.zeros((0, 2, STEPS_EACH), dtype=np.int64))

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
    """Events for pooled past rows: quantiles, by octaves in the tails; every value of a discrete column; atoms; NaN.

    Args:
        columns: shape (rows, columns), outputs on both datasets together.
        per_column: the more, the more half-lines a column gets in its middle; with fewer values, each is one.
    """
    index: list[int] = []
    kind: list[int] = []
    value: list[float] = []
    stairs: list[Integers] = []
    tails = _tails(per_column)
    fractions = np.unique(np.concatenate([tails, [0.5], 1.0 - tails]))
    for column in range(columns.shape[1]):
        ordered = np.sort(columns[:, column])
        known = ordered[: len(ordered) - int(np.isnan(ordered).sum())]
        if len(known) < len(ordered):
            index.append(column)
            kind.append(IS_NAN)
            value.append(np.nan)
        if not len(known):
            continue
        new = np.flatnonzero(known[1:] != known[:-1]) + 1  # where the values after the first begin
        distinct, repeats = known[np.concatenate([[0], new])], np.diff(np.concatenate([[0], new, [len(known)]]))
        discrete = len(distinct) <= min(MANY, len(known) // 2)
        if discrete or len(distinct) <= per_column:
            thresholds = distinct[1:]
        else:
            thresholds = np.unique(known[(fractions * len(known)).astype(np.int64)])
        stairs.append(_stairs(thresholds, np.searchsorted(known, thresholds), len(known), tails) + len(index))
        often = np.flatnonzero(repeats >= 2)
        if len(often) > (MANY if discrete else ATOMS):
            often = often[np.argsort(repeats[often], kind="stable")[-ATOMS:]]
        single = distinct[often]
        index.extend([column] * (len(thresholds) + len(single)))
        kind.extend([AT_LEAST] * len(thresholds) + [EQUALS] * len(single))
        value.extend(float(v) for v in (*thresholds, *single))
    return EventTable(
        np.array(index, dtype=np.int64),
        np.array(kind, dtype=np.int64),
        np.array(value, dtype=np.float64),
        np.concatenate([np.zeros((0, 2, STEPS_EACH), dtype=np.int64), *stairs]),
    )


def _tails(per_column: int) -> Floats:
    """Fractions of the outputs in a tail, falling: evenly spaced, then every octave."""
    even = np.linspace(0.45, 0.2, max(2, per_column // 4), endpoint=False)
    return np.concatenate([even, 0.2 * 0.5 ** np.arange(OCTAVES)])


def _stairs(thresholds: Floats, below: Integers, known: int, tails: Floats) -> Integers:
    """Staircases on both tails: single half-lines in the middle, and three steps, an octave apart, further out.

    Args:
        below: how many of the ``known`` outputs lie below each threshold.
        tails: the fractions wanted; the last OCTAVES of them are octaves.
    """
    if not len(thresholds):
        return np.zeros((0, 2, STEPS_EACH), dtype=np.int64)
    first = len(tails) - OCTAVES
    each = np.arange(len(tails) - STEPS_EACH + 1)
    steps = np.where(each[:, None] < first, each[:, None], each[:, None] + np.arange(STEPS_EACH))
    steps = np.concatenate([steps, [[first] * STEPS_EACH]])  # and the first octave alone
    up = _nearest(known - below, tails * known)
    down = _nearest(below, tails * known)
    found = np.stack([up[steps], down[steps]], axis=1)
    least = np.minimum((known - below)[found[:, 0, -1]], below[found[:, 1, -1]])
    apart = found[:, 0, 0] >= found[:, 1, 0]
    return np.unique(found[apart & (least >= min(FEW, known // 8))], axis=0)


def _nearest(counts: Integers, wanted: Floats) -> Integers:
    """For each wanted count, the index of the nearest in logarithm."""
    distance = np.abs(np.log(np.maximum(counts, 0.5)) - np.log(np.maximum(wanted, 0.5))[:, None])
    nearest: Integers = distance.argmin(axis=1)
    return nearest

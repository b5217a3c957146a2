"""The witness of a finding: an event, in words, and callable on outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.audits import floating_point
from dpverify.audits.events import AT_LEAST, IS_NAN, KINDS, Floats
from dpverify.audits.experts import Family
from dpverify.audits.process import Expert, Picked, Scores
from dpverify.audits.sampling import SIDES, Encoder

SCORES_COUNT = 0.6  # of the strength of an event of a learned score, beside one of the output itself


@dataclass(frozen=True)
class Witness:
    """An event that is likelier on one dataset than the claim allows.

    Attributes:
        event: in words; "output" is what the mechanism returned, output[j] its j-th coordinate.
        favours: "d0" or "d1", the dataset on which it is likelier.
        frequency_d0, frequency_d1: its relative frequency among ``pairs`` past outputs on each.
        floating_point: it speaks of the bits of the outputs, not of their values.
    """

    event: str
    favours: str
    frequency_d0: float
    frequency_d1: float
    pairs: int
    floating_point: bool
    column: Any = field(repr=False)
    kind: int = field(repr=False)
    value: float = field(repr=False)
    complement: bool = field(repr=False)
    encoder: Encoder = field(repr=False)

    def __call__(self, outputs: Any) -> npt.NDArray[np.bool_]:
        """Whether the event holds, for each of an array of outputs (as the mechanism returns them)."""
        array = np.asarray(outputs)
        number = self.column(self.encoder.floats(array.reshape(len(array), -1)))[:, 0]
        if self.kind == IS_NAN:
            inside = np.isnan(number)
        else:
            inside = number >= self.value if self.kind == AT_LEAST else number == self.value
        return np.asarray(inside != self.complement)

    def __str__(self) -> str:
        return (
            f"{self.event}: frequency {self.frequency_d0:.4g} on d0, {self.frequency_d1:.4g} on d1 "
            f"({self.pairs} outputs on each)"
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event": self.event,
            "favours": self.favours,
            "frequency_d0": self.frequency_d0,
            "frequency_d1": self.frequency_d1,
            "pairs": self.pairs,
            "floating_point": self.floating_point,
            "kind": KINDS[self.kind],
            "value": None if np.isnan(self.value) else self.value,
            "complement": self.complement,
        }


@dataclass(frozen=True)
class OneColumn:
    """One of a family's columns."""

    columns: Any
    index: int

    def __call__(self, outputs: Floats) -> Floats:
        column: Floats = self.columns(outputs)[:, self.index : self.index + 1]
        return column


def most_telling(experts: Sequence[Expert], epsilon: float, delta: float, encoder: Encoder) -> Witness | None:
    """The event whose past frequencies speak most strongly against ``(epsilon, delta)``; None if none does.

    An event of the output itself is preferred to one of a learned score that is little stronger: a reader sees why.
    """
    found: list[tuple[float, Witness]] = []
    for expert in experts:
        event = None if expert.family is None else _of(expert.family, expert.name, epsilon, delta, encoder)
        if event is not None and expert.family is not None:
            plain = isinstance(expert.family.columns, Picked)
            found.append((event[0] if plain else event[0] * SCORES_COUNT, event[1]))
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _of(family: Family, expert: str, epsilon: float, delta: float, encoder: Encoder) -> tuple[float, Witness] | None:
    found = family.most_telling(epsilon, delta)
    if found is None:
        return None
    promise, directed, side = found
    event, complement = directed % len(family.table), directed >= len(family.table)
    return promise, witness_of(family, event, complement, SIDES[side], expert == "floating point", encoder)


def witness_of(
    family: Family, event: int, complement: bool, favours: str, floating_point: bool, encoder: Encoder
) -> Witness:
    """One of a family's events, with the frequencies of its counts."""
    past, table = family.past, family.table
    on_d0, on_d1 = (abs(float(count[event]) / past.pairs - complement) for count in (past.x, past.y))
    column, kind, value = int(table.column[event]), int(table.kind[event]), float(table.value[event])
    seen_nan = bool(((table.kind == IS_NAN) & (table.column == column)).any())
    words = _words(family.columns, column, kind, value, complement, encoder, seen_nan)
    one = OneColumn(family.columns, column)
    return Witness(words, favours, on_d0, on_d1, past.pairs, floating_point, one, kind, value, complement, encoder)


def _words(
    columns: Any, column: int, kind: int, value: float, complement: bool, encoder: Encoder, seen_nan: bool
) -> str:
    width = encoder.width or 0
    if isinstance(columns, Picked):
        name = "output" if not width else f"output[{columns.coordinates[column]}]"
        shown = encoder.label(value)
    elif isinstance(columns, Scores):
        name, shown = columns.parts[column].describe(), f"{value:.6g}"
    else:
        each = len(floating_point.NAMES)
        output = "output" if not width else f"output[{column // each}]"
        name, shown = f"the {floating_point.NAMES[column % each]} of {output}", f"{value:.6g}"
    if kind == IS_NAN:
        return f"{name} is {'not ' if complement else ''}NaN"
    if kind == AT_LEAST:
        below = "not at least" if seen_nan else "below"  # NaN is not at least anything, and below nothing
        return f"{name} is {below if complement else 'at least'} {shown}"
    return f"{name} {'is not' if complement else 'is'} {shown}"

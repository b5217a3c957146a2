"""Laws of a single draw: one table, or two small tables in place of one that would be too large."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dpverify.noise.bits import BitSource
from dpverify.noise.sampling import TableSampler
from dpverify.noise.table import IntegerTable

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
TABULATED = 1 << 18  # half width up to which the log-masses of a sum are kept


class Law(Protocol):
    """A symmetric law on the integers (grid steps).

    Attributes:
        tables: all that is sampled.
        total_variation: distance to the ideal rounded law, at most.
        half_width: largest magnitude.
        variance: second moment.
    """

    @property
    def tables(self) -> tuple[IntegerTable, ...]: ...
    @property
    def total_variation(self) -> float: ...
    @property
    def half_width(self) -> int: ...
    @property
    def variance(self) -> float: ...
    def draw(self, count: int, bits: BitSource) -> Integers: ...
    def log_mass(self, steps: Integers) -> Floats:
        """Log-probability of each number of grid steps under what is sampled, the tables; -inf where it is 0.

        Nothing is neglected: sums over several draws run over all of them. Absolute error below 1e-12.
        """
        ...


@dataclass(frozen=True, eq=False)
class OneTable:
    """The law of one table."""

    table: IntegerTable

    @property
    def tables(self) -> tuple[IntegerTable, ...]:
        return (self.table,)

    @property
    def total_variation(self) -> float:
        return self.table.total_variation

    @property
    def half_width(self) -> int:
        return self.table.half_width

    @cached_property
    def variance(self) -> float:
        return self.table.variance

    def draw(self, count: int, bits: BitSource) -> Integers:
        return self._sampler.draw(count, bits)

    def log_mass(self, steps: Integers) -> Floats:
        return _look_up(self._log_masses, steps - self.table.first)

    def mass(self, steps: Integers) -> Floats:
        """Probability of each number of steps, to one rounding."""
        return _look_up(self._masses, steps - self.table.first)

    def masses(self) -> Floats:
        """Of all entries, in order."""
        return self._masses[1:-1]

    @cached_property
    def _masses(self) -> Floats:
        return _outside(np.ldexp(self.table.weights.astype(np.float64), -self.table.bits), 0.0)

    @cached_property
    def _log_masses(self) -> Floats:
        return _log(self._masses)

    @cached_property
    def _sampler(self) -> TableSampler:
        return TableSampler(self.table)


@dataclass(frozen=True, eq=False)
class TwoScales:
    """``cell`` times a coarse draw plus a fine one: lemma ``noise.two_scale_gaussian``.

    Attributes:
        aliasing: the lemma's bound on the distance of the sum to a Gaussian plus uniform noise.
    """

    coarse: OneTable
    fine: OneTable
    cell: int
    aliasing: float

    @property
    def tables(self) -> tuple[IntegerTable, ...]:
        return (self.coarse.table, self.fine.table)

    @property
    def total_variation(self) -> float:
        return (self.coarse.total_variation + self.fine.total_variation) * (1 + 1e-12) + self.aliasing

    @property
    def half_width(self) -> int:
        return self.cell * self.coarse.half_width + self.fine.half_width

    @cached_property
    def variance(self) -> float:
        return self.cell**2 * self.coarse.variance + self.fine.variance

    def draw(self, count: int, bits: BitSource) -> Integers:
        return self.coarse.draw(count, bits) * self.cell + self.fine.draw(count, bits)

    def log_mass(self, steps: Integers) -> Floats:
        if self.half_width <= TABULATED:
            return _look_up(self._log_masses, steps + self.half_width)
        values, where = np.unique(steps, return_inverse=True)
        return self._summed(values)[where.reshape(steps.shape)]

    @cached_property
    def _log_masses(self) -> Floats:
        coarse, fine = self.coarse.masses(), self.fine.masses()
        runs = np.append(fine, np.zeros(-len(fine) % self.cell)).reshape(-1, self.cell)
        total = np.zeros((len(coarse) + len(runs) - 1, self.cell))
        for start, run in enumerate(runs):
            total[start : start + len(coarse)] += np.outer(coarse, run)
        return _outside(_log(total.ravel()[: 2 * self.half_width + 1]), -math.inf)

    def _summed(self, steps: Integers) -> Floats:
        """Over every coarse draw from which the fine one reaches; no term is negative, so none cancels."""
        reach = self.fine.half_width
        coarse = -((reach - steps) // self.cell)  # the least
        total = np.zeros(steps.shape)
        for _ in range(2 * reach // self.cell + 1):
            total += self.coarse.mass(coarse) * self.fine.mass(steps - self.cell * coarse)
            coarse = coarse + 1
        return _log(total)


@dataclass(frozen=True, eq=False)
class GeometricDigits:
    """A two-sided geometric law, digit by digit: lemma ``noise.geometric_digits``.

    The leading table holds 0 for zero and +-(a + 1) for magnitudes base a + 1 .. base (a + 1); the trailing one
    holds the digit b = 0 .. base - 1, and the magnitude is base a + b + 1.
    """

    leading: OneTable
    trailing: OneTable
    base: int

    @property
    def tables(self) -> tuple[IntegerTable, ...]:
        return (self.leading.table, self.trailing.table)

    @property
    def total_variation(self) -> float:
        return (self.leading.total_variation + self.trailing.total_variation) * (1 + 1e-12)

    @property
    def half_width(self) -> int:
        return self.base * self.leading.half_width

    @cached_property
    def variance(self) -> float:
        leading, trailing = self.leading.table, self.trailing.table
        # with m = |leading entry| >= 1 the magnitude is base m - (base - 1 - b)
        rest = self.base - 1 - trailing.moment(1)
        rest_squared = (self.base - 1) ** 2 - 2 * (self.base - 1) * trailing.moment(1) + trailing.moment(2)
        nonzero = leading.moment(0) - leading.zero_mass
        return float(
            self.base**2 * leading.moment(2) - 2 * self.base * leading.moment(1) * rest + nonzero * rest_squared
        )

    def draw(self, count: int, bits: BitSource) -> Integers:
        leading = self.leading.draw(count, bits)
        inner = self.base - 1 - self.trailing.draw(count, bits)
        return leading * self.base - np.sign(leading).astype(np.int64) * inner

    def log_mass(self, steps: Integers) -> Floats:
        block, digit = np.divmod(np.abs(steps) - 1, self.base)  # of zero: block -1, so that it leads to zero
        logs = self.leading.log_mass(np.sign(steps) * (block + 1))
        return logs + np.where(steps == 0, 0.0, self.trailing.log_mass(digit))


def _outside(entries: Floats, value: float) -> Floats:
    """With ``value`` on either side, for :func:`_look_up`."""
    return np.concatenate([[value], entries, [value]])


def _look_up(entries: Floats, index: Integers) -> Floats:
    """Entry ``index``, counted without the one on either side, which stand for all that is outside."""
    return entries.take(index + 1, mode="clip")


def _log(masses: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.log(masses)

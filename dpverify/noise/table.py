"""A finite table of integer weights: the law that is sampled, and its exact privacy."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from dpverify.spec import contract
from dpverify.spec.core.rounding import exp_lower
from dpverify.spec.noise import integer_table_delta, integer_table_monotone, table_error

# Exhaustive checking of every shift costs (entries x shifts) integer products; above this only the worst.
EXHAUSTIVE_PRODUCTS = 2_000_000


@dataclass(frozen=True, eq=False)
class IntegerTable:
    """Integer weights that sum to 2^bits.

    Attributes:
        weights: object array of Python integers.
        first: the value of the first entry (-M for a table of -M..M).
        bits: at most 128; 64 or 128 for the tables of this library.
        total_variation: upper bound on the distance to the ideal law, rounding of weights and mass cut from
            the tails together.
    """

    weights: npt.NDArray[np.object_]
    first: int
    bits: int
    total_variation: float

    @classmethod
    def from_side(cls, side: npt.NDArray[np.object_], bits: int, *, tail_mass: float) -> IntegerTable:
        """A symmetric table from the weights of 1..M, each within (1 + 2^-10)/2 of the ideal; zero takes the rest.

        Half of the sum of the errors is then at most M (1 + 2^-10) 2^-bits plus the mass cut from the tails.
        """
        centre = (1 << bits) - 2 * int(side.sum())
        if centre < 0 or min(side) < 0:
            raise ValueError("table weights must be non-negative; the law does not fit the bits")
        weights = np.concatenate([side[::-1], np.array([centre], dtype=object), side])
        rounding = len(side) * (1.0 + 2.0**-10) * 2.0**-bits
        return cls(weights, -len(side), bits, math.nextafter(rounding + tail_mass, math.inf))

    @property
    def half_width(self) -> int:
        """Largest magnitude of a value."""
        return max(-self.first, self.first + len(self.weights) - 1)

    def moment(self, power: int) -> Fraction:
        """Exact mean of |value|^power."""
        values = np.abs(np.arange(self.first, self.first + len(self.weights))).astype(object)
        return Fraction(int((values**power * self.weights).sum()), 1 << self.bits)

    @property
    def zero_mass(self) -> Fraction:
        """Exact probability of zero."""
        return Fraction(int(self.weights[-self.first]), 1 << self.bits)

    @property
    def variance(self) -> float:
        """Second moment in squared steps, rounded once."""
        return float(self.moment(2))

    @contract(relies_on=[integer_table_delta.LEMMA])
    def delta_at_shift(self, shift: int, epsilon: float) -> Fraction:
        """Hockey-stick divergence between the table and itself moved by ``shift`` steps, rounded up.

        Exact integer arithmetic; e^epsilon is replaced by a rational below it (relative 2^-120).
        """
        lower = exp_lower(epsilon, bits=128)
        return integer_table_delta.delta_at_shift(self.weights, shift, lower)

    @contract(relies_on=[integer_table_monotone.LEMMA, table_error.LEMMA])
    def delta_upper(self, shift: int, epsilon: float) -> Fraction:
        """Upper bound on delta(epsilon) of a symmetric table for every data shift of at most ``shift`` steps.

        Small tables: the largest exact value over all shifts. Large ones: the exact value at ``shift`` plus
        twice the charge of the table's distance to a law whose delta grows with the shift.
        """
        return _delta_upper(self, shift, epsilon)


@lru_cache(maxsize=64)
def _delta_upper(table: IntegerTable, shift: int, epsilon: float) -> Fraction:
    shifts: Iterable[int] = range(1, shift + 1)
    charge = Fraction(0)
    if shift * len(table.weights) > EXHAUSTIVE_PRODUCTS:
        shifts = (shift,)
        charge = 2 * Fraction(table_error.charge(1, table.total_variation, epsilon))
    return max(table.delta_at_shift(t, epsilon) for t in shifts) + charge

"""The power-of-two grid: choosing it, putting data on it, and what rounding costs in sensitivity."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from dpverify.checks import finite_array, real
from dpverify.errors import InvalidArgument

ROUNDING_CHARGE = 1e-3  # an automatic grid costs at most this share of the sensitivity, if memory allows
MAX_STEPS = 2.0**62


def power_of_two_below(value: float) -> float:
    """The largest power of two that is at most ``value`` > 0."""
    return math.ldexp(1.0, math.frexp(value)[1] - 1)


def check_grid(grid: float) -> float:
    """``grid`` itself, if it is a positive power of two."""
    grid = real("grid", grid)
    if not (2.0**-900 <= grid <= 2.0**900 and math.frexp(grid)[0] == 0.5):
        raise InvalidArgument("grid", grid, "a power of two between 2^-900 and 2^900", "for instance 2.0**-10")
    return float(grid)


def choose_grid(grid: float | None, on_grid: bool, largest: float) -> float:
    """The grid that was asked for, checked; without one, the power of two below the ``largest`` allowed."""
    if grid is not None:
        return check_grid(grid)
    if on_grid:
        raise InvalidArgument("grid", grid, "given when on_grid=True", "pass the grid that the data lies on")
    return power_of_two_below(largest)


def to_steps(values: npt.ArrayLike, grid: float) -> npt.NDArray[np.int64]:
    """Values rounded to the nearest multiple of ``grid``, halves upwards, as integers.

    Rounding is monotone and commutes with steps of the grid, so values at most k steps apart stay so. The
    division by a power of two is exact.
    """
    with np.errstate(over="ignore", under="ignore"):
        scaled = finite_array("values", values) / grid
    if np.any(np.abs(scaled) >= MAX_STEPS):
        worst = float(np.max(np.abs(scaled))) * grid
        raise InvalidArgument("values", worst, f"smaller than 2^62 steps of the grid {grid:g} in magnitude")
    below = np.floor(scaled)
    return (below + (scaled - below >= 0.5)).astype(np.int64)


def coarsen(steps: npt.NDArray[np.int64], shift: int) -> npt.NDArray[np.int64]:
    """Integers rounded to the nearest multiple of 2^shift, halves upwards, in units of 2^shift."""
    if shift == 0:
        return steps
    return (steps + (np.int64(1) << np.int64(shift - 1))) >> np.int64(shift)


def exact_steps(sensitivity: float, grid: float) -> Fraction:
    """The sensitivity in grid steps, as an exact rational."""
    return Fraction(sensitivity) / Fraction(grid)

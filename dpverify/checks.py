"""Checks of arguments at the boundary: each raises InvalidArgument and names what it found."""

from __future__ import annotations

import math
import operator
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from dpverify.errors import InvalidArgument

EXACT_INTEGERS = 2**53  # up to here every integer is a float64


def finite_array(name: str, values: npt.ArrayLike, *, rank: int | None = None) -> npt.NDArray[np.float64]:
    """``values`` as float64, refusing NaN, infinities, other types and (if given) another rank.

    Integers beyond 2^53 and wider floats are refused too: as float64 they would be rounded before anything looks at
    them, which moves neighbours apart by more than their sensitivity.
    """
    raw = np.asarray(values)
    if raw.dtype.kind not in "fiub":
        raise InvalidArgument(name, f"an array of dtype {raw.dtype}", "an array of real numbers")
    if raw.dtype.kind in "iu" and raw.size:
        largest = max(int(raw.max()), -int(raw.min()))
        if largest > EXACT_INTEGERS:
            raise InvalidArgument(name, largest, "at most 2^53 in magnitude for integers", "rescale the data")
    if raw.dtype.kind == "f" and raw.dtype.itemsize > 8:
        raise InvalidArgument(name, f"an array of dtype {raw.dtype}", "of a dtype that float64 holds exactly")
    array = raw.astype(np.float64, copy=False)
    if rank is not None and array.ndim != rank:
        raise InvalidArgument(name, f"an array of shape {array.shape}", f"an array of {rank} dimensions")
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(array.sum()):  # NaN and infinities survive every sum
            return array
    bad = ~np.isfinite(array)
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InvalidArgument(
            name,
            f"{array[first]} at index {first} ({int(bad.sum())} such entries)",
            "free of NaN and infinity",
            "impute or drop these rows first",
        )
    return array


def positive(name: str, value: float, *, advice: str = "") -> float:
    """A finite number > 0."""
    number = real(name, value)
    if not 0 < number < math.inf:
        raise InvalidArgument(name, value, "positive and finite", advice)
    return number


def real(name: str, value: float) -> float:
    """A number as a float."""
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InvalidArgument(name, value, "a number") from None


def positive_integer(name: str, value: SupportsIndex, *, least: int = 1) -> int:
    """An integer >= ``least``."""
    try:
        number = operator.index(value)
    except TypeError:
        raise InvalidArgument(name, value, f"an integer, at least {least}") from None
    if number < least:
        raise InvalidArgument(name, value, f"an integer, at least {least}")
    return number


def probability(name: str, value: float) -> float:
    """A number strictly between 0 and 1."""
    number = real(name, value)
    if not 0 < number < 1:
        raise InvalidArgument(name, value, "strictly between 0 and 1")
    return number

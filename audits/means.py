"""Betting on a mean: is it above a bound, and where does it lie? For i.i.d. values that are not negative.

Stakes on a value depend on earlier values only, so the wealth is a non-negative martingale where the bet is fair, and
reaches 1/alpha with probability at most alpha. Source: Waudby-Smith and Ramdas, *Estimating means of bounded random
variables by betting*, JRSS B 2024, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
FIRST_BLOCK = 64
CAP = 0.75  # of the stake at which one value could ruin the bettor
HALVINGS = 25


def log_e_path(values: Floats, bound: float) -> Floats:
    """Log-wealth after each value of a bet that the mean exceeds ``bound``; shape of ``values``.

    For ``bound = 0`` one positive value is a proof: +inf from there on.
    """
    if bound <= 0.0:
        return np.where(np.maximum.accumulate(values > 0.0), math.inf, 0.0)
    stakes = np.zeros(len(values))
    for block, mean, square in _past(values):
        mean_ = mean + 0.5 * bound / block.start  # as if half a value at the bound had been seen
        variance = max(square - mean**2, 1e-300) + bound**2
        gain = mean_ - bound
        stakes[block] = min(max(gain / (variance + gain**2), 0.0), 0.5 / bound)
    return np.cumsum(np.log1p(stakes * (values - bound)))


def mean_interval(values: Floats, top: float, alpha: float, upper_values: Floats | None = None) -> tuple[float, float]:
    """An interval for the mean, right with probability at least 1 - alpha for this number of values (alpha/2 a side).

    Args:
        values: independent, of one law, in [0, top].
        top: the lower end does not depend on it. The upper end cannot come closer than about ``ln(2/alpha) top / n``
            to the mean, whatever the variance: a value of ``top`` may be just so rare that it was not drawn.
        upper_values: values to use for the upper end instead, if they are rounded up and ``values`` down.

    Returns:
        About 1.4 times as wide as the normal approximation where the variance dominates.
    """
    above = values if upper_values is None else upper_values
    log_needed, count = math.log(2.0 / alpha), len(values)

    def stakes(drawn: Floats, none_seen: float) -> Floats:
        out = np.zeros(count)
        for block, mean, square in _past(drawn):
            variance = max(square - mean**2, 0.0) + mean**2 / block.start
            out[block] = math.sqrt(2.0 * log_needed / (count * variance)) if variance > 0.0 else none_seen
        return out

    # wealth falls with m on one side and rises on the other: every factor does, the capped stake included
    high_stakes, low_stakes = stakes(above, math.inf), stakes(values, 0.0)
    low_stakes[:FIRST_BLOCK] = high_stakes[:FIRST_BLOCK] = 0.0

    def too_low(m: float) -> bool:
        stake = np.minimum(low_stakes, CAP / m)
        return float(np.log1p(stake * (values - m)).sum()) >= log_needed

    def too_high(m: float) -> bool:
        stake = np.minimum(high_stakes, CAP / (top - m))
        return float(np.log1p(-stake * (above - m)).sum()) >= log_needed

    low = _edge(too_low, 0.0, float(values.mean()))
    return low, _edge(too_high, top, float(above.mean()))


def _past(values: Floats) -> Iterator[tuple[slice, float, float]]:
    """Blocks after the first, each with mean and mean square of all values before it."""
    seen, total, square = min(FIRST_BLOCK, len(values)), 0.0, 0.0
    total, square = float(values[:seen].sum()), float((values[:seen] ** 2).sum())
    while seen < len(values):
        block = slice(seen, min(len(values), seen + max(FIRST_BLOCK, seen // 8)))
        yield block, total / seen, square / seen
        part = values[block]
        seen, total, square = block.stop, total + float(part.sum()), square + float((part**2).sum())


def _edge(rejected: Callable[[float], bool], outer: float, inner: float) -> float:
    """The value nearest to ``inner`` found rejected, between it and ``outer``; ``outer`` itself if there is none."""
    for _ in range(HALVINGS):
        middle = 0.5 * (outer + inner)
        if not min(outer, inner) < middle < max(outer, inner):
            break
        outer, inner = (middle, inner) if rejected(middle) else (outer, middle)
    return outer

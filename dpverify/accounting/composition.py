"""Composition on one grid: many privacy-loss distributions become one, exponentially tilted, with all its errors.

*Tilting.* A mass function of size 1 with l2 error 1e-13 says nothing about a tail of 1e-10. So each part is first
multiplied by ``e^(tilt l) / M``, M its moment generating function: the composed law then has its bulk where the
tail that matters begins, and the tail is read off as ``e^(log_scale - tilt l)`` times masses of size one.

*Window.* The circular convolution keeps ``size`` cells around the tilted mean. What lies outside wraps around; its
tilted mass is bounded by Chernoff's inequality, ``P(S >= s) <= E e^(tau (S - s))`` for every tau > 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dpverify.accounting.fourier import convolve_powers
from dpverify.accounting.loss import ULP, Floats
from dpverify.accounting.pld import PrivacyLossDistribution, grid_points
from dpverify.errors import CapacityError, InvalidArgument

LARGEST_WINDOW = 2**22
_OUTSIDE = 1e-15  # tilted mass that may fall outside of the window
_EXACT_WINDOW = 2**12  # up to here the window simply holds the whole support
_CHERNOFF = np.array([2.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 11.0, 16.0, 24.0, 40.0, 80.0])  # tau, per deviation

Parts = Sequence[tuple[PrivacyLossDistribution, int]]
Weighted = Sequence[tuple[Floats, Floats, int]]  # losses, log masses (both of the positive masses), count


@dataclass(frozen=True, eq=False)
class Composed:
    """Mass of the total loss ``(first + j) * grid``: ``exp(log_scale - tilt * loss) * masses[j]``.

    Attributes:
        masses: shape (size,), the tilted masses, without the relative error below.
        error: bound of the l2 norm of what is wrong with ``masses`` through floating point.
        above, outside: bounds of the tilted mass above the window, and outside of it on either side.
        relative_error: of every mass, through the parts' own errors, the tilt, and ``log_scale``.
    """

    grid: float
    first: int
    masses: Floats
    tilt: float
    log_scale: float
    error: float
    above: float
    outside: float
    relative_error: float

    @property
    def losses(self) -> Floats:
        """Total losses, shape (size,)."""
        return grid_points(self.grid, self.first, len(self.masses))


def compose(parts: Parts, tilt: float = 0.0, of: str = "p") -> Composed:
    """The law of the total finite loss of all parts, each taken ``count`` times.

    Args:
        parts: (distribution, count >= 1), all of one side and on one grid.
        tilt: >= 0; accuracy is best for losses near the tilted mean.
        of: "p" for the law under P, "q" for the law under Q (side "lower" only).
    """
    _check(parts)
    grid = parts[0][0].grid
    weighted = _log_masses(parts, of)
    if any(not losses.size for losses, _, _ in weighted):  # a part without finite losses leaves none
        return Composed(grid, 0, np.zeros(1), tilt, 0.0, 0.0, 0.0, 0.0, 0.0)
    tilted, log_scale, relative_error = [], 0.0, 0.0
    mean = variance = 0.0
    support, bottom = 1, 0
    for (part, count), (losses, logs, _) in zip(parts, weighted, strict=True):
        place = np.rint(losses / grid).astype(np.int64)
        log_mgf = _logsumexp(logs + tilt * losses)
        kept = np.exp(logs + tilt * losses - log_mgf)
        masses = np.zeros(int(place[-1] - place[0]) + 1)
        masses[place - place[0]] = kept
        tilted.append((masses, count))
        centre = float(kept @ losses)
        mean += count * centre
        variance += count * float(kept @ (losses - centre) ** 2)
        log_scale += count * log_mgf
        support += count * (len(masses) - 1)
        bottom += count * int(place[0])
        exponents = float(np.abs(logs).max()) + tilt * float(np.abs(losses).max()) + abs(log_mgf)
        relative_error += count * (part.relative_error + 4.0 * ULP * (4.0 + exponents) + 2.0**-44)
    size, above, outside = _window(weighted, tilt, grid, support, mean, variance)
    first_kept = bottom if size >= support else math.floor(mean / grid) - size // 2
    masses, error = convolve_powers(tilted, size)
    return Composed(
        grid,
        first_kept,
        np.roll(masses, bottom - first_kept),
        tilt,
        log_scale,
        error,
        above,
        outside,
        math.expm1(relative_error + 4.0 * ULP * abs(log_scale)),
    )


def tilt_for_epsilon(parts: Parts, epsilon: float) -> float:
    """About the tilt that puts the mean of the total loss at ``epsilon``; 0 if it is there or above already."""
    weighted = _log_masses(parts, "p")
    highest = 1.0 / parts[0][0].grid
    if not all(losses.size for losses, _, _ in weighted) or _moments(weighted, 0.0)[0] >= epsilon:
        return 0.0
    low, high = 0.0, min(highest, 1.0 / math.sqrt(max(_moments(weighted, 0.0)[1], highest**-2)))
    while high < highest and _moments(weighted, high)[0] < epsilon:
        low, high = high, min(4.0 * high, highest)
    while high - low > 1e-3 * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _moments(weighted, middle)[0] < epsilon else (low, middle)
    return high


def tilt_for_delta(parts: Parts, delta: float) -> float:
    """About the tilt at the epsilon where the finite losses contribute ``delta``, by a saddle-point estimate."""
    weighted = _log_masses(parts, "p")
    highest = 1.0 / parts[0][0].grid
    if not all(losses.size for losses, _, _ in weighted):
        return 0.0
    low, high = 1e-6 * highest, highest
    while high / low > 1.001:
        middle = math.sqrt(low * high)
        mean, variance, log_mgf = _moments(weighted, middle)
        spread = max(variance, parts[0][0].grid ** 2)
        log_delta = log_mgf - middle * mean - math.log(middle * (middle + 1.0) * math.sqrt(2.0 * math.pi * spread))
        low, high = (middle, high) if log_delta > math.log(delta) else (low, middle)
    return 0.0 if high <= 1.01e-6 * highest else high


def _window(
    weighted: Weighted, tilt: float, grid: float, support: int, mean: float, variance: float
) -> tuple[int, float, float]:
    """The size of the window, and Chernoff bounds of the tilted mass above and outside of it."""
    size = 2
    while size < min(support, _EXACT_WINDOW):
        size *= 2
    if size >= support:
        return size, 0.0, 0.0
    taus = _CHERNOFF / math.sqrt(max(variance, grid * grid))
    base = _moments(weighted, tilt)[2]
    up = np.array([_moments(weighted, tilt + t)[2] - base - t * mean for t in taus])
    down = np.array([_moments(weighted, tilt - t)[2] - base + t * mean for t in taus])
    while size < support:
        reach = (size // 2 - 2) * grid  # the mean lies within one cell of the middle
        above, below = (1.01 * math.exp(min(0.0, float((x - taus * reach).min()))) for x in (up, down))
        if max(above, below) <= _OUTSIDE:
            return size, above, above + below
        size *= 2
        if size > LARGEST_WINDOW:
            raise CapacityError(
                f"the total loss needs {size} cells of {grid!r}, more than {LARGEST_WINDOW}; take a coarser grid"
            )
    return size, 0.0, 0.0


def _log_masses(parts: Parts, of: str) -> list[tuple[Floats, Floats, int]]:
    out = []
    for part, count in parts:
        masses = part.p if of == "p" else part.q
        if masses is None:
            raise InvalidArgument("of", of, "'p' for distributions of side 'upper'")
        kept = masses > 0.0
        out.append((part.losses[kept], np.log(masses[kept]), count))
    return out


def _moments(weighted: Weighted, tilt: float) -> tuple[float, float, float]:
    """Mean, variance and log moment generating function of the total under the tilt."""
    mean = variance = log_mgf = 0.0
    for losses, logs, count in weighted:
        exponents = logs + tilt * losses
        top = float(exponents.max())
        kept = np.exp(exponents - top)
        total = float(kept.sum())
        centre = float(kept @ losses) / total
        mean += count * centre
        variance += count * float(kept @ (losses - centre) ** 2) / total
        log_mgf += count * (top + math.log(total))
    return mean, variance, log_mgf


def _logsumexp(exponents: Floats) -> float:
    top = float(exponents.max())
    return top + math.log(float(np.exp(exponents - top).sum()))


def _check(parts: Parts) -> None:
    if not parts:
        raise InvalidArgument("parts", "empty", "at least one distribution")
    for part, count in parts:
        if part.grid != parts[0][0].grid or part.side != parts[0][0].side:
            found = (part.grid, part.side)
            raise InvalidArgument("parts", found, f"all on the grid {parts[0][0].grid!r} and of one side")
        if not isinstance(count, (int, np.integer)) or count < 1:
            raise InvalidArgument("count", count, "an integer of at least 1")

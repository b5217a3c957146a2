"""One direction of a composition: its exact numbers (leak, largest loss), and its parts on a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dpverify.accounting.composition import Composed, Parts, compose
from dpverify.accounting.loss import DiscreteLoss, GaussianLoss, PrivacyLoss
from dpverify.accounting.pld import discretise, worst_orientation
from dpverify.errors import InvalidArgument

Losses = PrivacyLoss | Sequence[PrivacyLoss | tuple[PrivacyLoss, int]]
_BITS = 1280


@dataclass(frozen=True)
class Direction:
    """One direction of a composition: what is known exactly, and the parts to be put on a grid."""

    counted: tuple[tuple[PrivacyLoss, int], ...]
    tied: bool
    total_variation: float
    infinite: tuple[Fraction, Fraction]
    largest: tuple[Fraction | float, Fraction | float]  # bounds of the largest finite total loss


def directions(losses: Losses, tied: bool) -> list[Direction]:
    """The directions whose deltas count: one if the parts are symmetric, or untied (then it covers the other)."""
    given = [losses] if isinstance(losses, (DiscreteLoss, GaussianLoss)) else list(losses)
    counts: dict[int, int] = {}
    distinct: dict[int, PrivacyLoss] = {}
    for entry in given:
        loss, count = entry if isinstance(entry, tuple) else (entry, 1)
        if not isinstance(loss, (DiscreteLoss, GaussianLoss)):
            raise InvalidArgument("losses", loss, "privacy losses or (loss, count)", "see dpverify.accounting.loss")
        if not isinstance(count, (int, np.integer)) or isinstance(count, bool) or count < 1:
            raise InvalidArgument("count", count, "an integer of at least 1")
        distinct[id(loss)] = loss
        counts[id(loss)] = counts.get(id(loss), 0) + int(count)
    forward = tuple((distinct[key], counts[key]) for key in distinct)
    if not forward:
        raise InvalidArgument("losses", "empty", "at least one loss")
    if tied and not all(loss.symmetric for loss, _ in forward):
        backward = tuple((loss.reversed(), count) for loss, count in forward)
        return [_direction(forward, tied), _direction(backward, tied)]
    return [_direction(forward, tied)]


def _direction(counted: tuple[tuple[PrivacyLoss, int], ...], tied: bool) -> Direction:
    safe: list[Fraction] = [Fraction(1), Fraction(1)]
    largest: list[Fraction | float] = [Fraction(0), Fraction(0)]
    for loss, count in counted:
        both = [loss] if tied or loss.symmetric else [loss, loss.reversed()]
        safe[0] = _times(safe[0], _power(1 - loss.infinite[0], count, up=True), up=True)
        safe[1] = _times(safe[1], _power(1 - max(x.infinite[1] for x in both), count, up=False), up=False)
        for end, value in ((0, loss.largest[0]), (1, max(x.largest[1] for x in both))):
            largest[end] = _sum(largest[end], value, count)
    # a sum of n positive floats is off by at most n roundings
    variation = sum(count * loss.total_variation for loss, count in counted) * (1.0 + 2.0**-30)
    return Direction(counted, tied, variation, (1 - safe[0], 1 - safe[1]), (largest[0], largest[1]))


def _times(a: Fraction, b: Fraction, *, up: bool) -> Fraction:
    """``a * b``, exactly where 2^-1280 resolves it, else rounded to it: below any float, and cheap."""
    scaled = a * b * 2**_BITS
    return Fraction(math.ceil(scaled) if up else math.floor(scaled), 2**_BITS)


def _power(base: Fraction, count: int, *, up: bool) -> Fraction:
    if count == 1:
        return _times(base, Fraction(1), up=up)
    half = _power(base, count // 2, up=up)
    square = _times(half, half, up=up)
    return _times(square, base, up=up) if count % 2 else square


def _sum(total: Fraction | float, value: float, count: int) -> Fraction | float:
    """``total + count * value`` exactly; a part without finite losses (-inf) leaves none, so -inf wins."""
    if -math.inf in (total, value):
        return -math.inf
    if math.inf in (total, value):
        return math.inf
    return total + count * Fraction(value)


def first_grid(direction: Direction) -> float:
    """A grid of fifty cells to the standard deviation of a typical part: errors of about one per cent."""
    total = sum(count for _, count in direction.counted)
    deviation = math.sqrt(sum(count * loss.spread**2 for loss, count in direction.counted) / total)
    return aligned(direction, max(0.02 * deviation, 1e-12)) if deviation > 0.0 else 1e-6


def aligned(direction: Direction, grid: float) -> float:
    """At most ``grid``, and such that the loss that matters most lies on a grid point."""
    anchor = max(direction.counted, key=lambda part: part[1] * part[0].spread ** 2)[0].anchor
    return anchor / math.ceil(anchor / grid) if anchor > grid else grid


def upper_parts(direction: Direction, grid: float) -> Parts:
    """The parts on the grid, certainly worse than they are (in either order, if they are not tied)."""
    out = []
    for loss, count in direction.counted:
        part = discretise(loss, grid, "upper")
        if not (direction.tied or loss.symmetric):
            part = worst_orientation(part, discretise(loss.reversed(), grid, "upper"))
        out.append((part, count))
    return out


def lower_laws(direction: Direction, grid: float, tilt: float) -> tuple[Composed, Composed]:
    """The rounded statistic's law under P and under Q; ``q = p e^-loss``, so Q's tilt is one larger."""
    parts = [(discretise(loss, grid, "lower"), count) for loss, count in direction.counted]
    return compose(parts, tilt), compose(parts, tilt + 1.0, of="q")


def is_single(direction: Direction) -> bool:
    """One discrete mechanism, once, in one direction."""
    loss, count = direction.counted[0]
    alone = len(direction.counted) == 1 and count == 1 and isinstance(loss, DiscreteLoss)
    return alone and (direction.tied or loss.symmetric)

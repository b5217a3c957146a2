"""An expert: a family of events and the predictable way in which it spreads its wealth over bets on them.

At the start of each block it looks at past counts only. Two kinds of bets are placed on what stands out most against
the claim, for either dataset (``bets``):

* on two staircases, one on each tail of a column, with six stakes fixed in advance. Three steps follow a likelihood
  ratio that rises along the tail; fixed stakes have nothing to learn, which counts where the excess is small;
* on events and their complements, singly and, where disjoint and on one column, in twos, with the stake that past
  frequencies suggest, cut where the excess is in doubt. Twos come as estimated, and as if swapping the datasets
  mirrored the events, which halves what has to be learned and is right for noise symmetric about the answer.

The wealth is divided in proportion to ``exp(what the bet would have earned on the past)``, less for fitted stakes what
their fitting flatters; a part evenly, and a part is kept back. Within the block nothing changes, so the wealth is a
mixture of products of fair bets, at every pair.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dpverify.audits.bets import LogFactors, best_bet, staircase_bet, standing
from dpverify.audits.events import STEPS_EACH, Booleans, EventTable, Floats, Integers

EVEN, KEPT = 0.05, 0.01  # shares of the wealth spread evenly over the bets, and kept back
DOUBT = 0.3  # a bet whose past gain would be so many nats for each excess estimated gets half of its stake
STAKES = 0.5 * 1.6 ** -np.arange(6.0)  # of a staircase, as shares of the largest possible
NOTICED = 1.0  # standard errors above the claim from which a staircase is bet on
LEARNING = 0.8  # nats for each e-fold of the pairs: by how much a fitted stake flatters itself, and a little more
PRIOR = 0.5  # half a count in and half a count out of every event


@dataclass(frozen=True)
class Counts:
    """How often each event was seen: ``x`` and ``y`` among ``pairs`` outputs on d0 and on d1."""

    x: Integers
    y: Integers
    pairs: int

    def plus(self, other: Counts) -> Counts:
        return Counts(self.x + other.x, self.y + other.y, self.pairs + other.pairs)


@dataclass(frozen=True)
class Bets:
    """Bets for several blocks: arrays of shape (blocks, bets).

    ``where`` (one axis more) are directed events, in the order of ``LogFactors``: i below the number of events is
    event i, beyond it the complement of event i - number. ``weight`` and ``kept`` (shape (blocks,)) sum to one.
    """

    events: int
    where: Integers
    factors: LogFactors
    weight: Floats
    kept: Floats

    def log_paths(self, table: EventTable, x: Floats, y: Floats) -> Floats:
        """Log wealth of the first block's bets after each pair of it; shape (pairs, bets)."""
        where, steps = self.where[0], self.factors.constant[0]
        used, place = np.unique(where % self.events, return_inverse=True)
        place, complement = place.reshape(where.shape), where >= self.events
        number = np.broadcast_to(np.arange(len(where))[:, None], where.shape)
        total = np.zeros((len(x), len(where)))
        for columns, added in ((x, self.factors.x[0]), (y, self.factors.y[0])):
            matrix = np.zeros((len(used), len(where)))
            np.add.at(matrix, (place, number), np.where(complement, -added, added))
            steps = steps + np.where(complement, added, 0.0).sum(axis=-1)
            total += table.indicators(columns, used).astype(np.float64) @ matrix
        total += steps
        return np.cumsum(total, axis=0, out=total)

    def log_ends(self, x: Floats, y: Floats, pairs: Floats) -> Floats:
        """Log wealth of each bet at the end of its block, from the counts of all events there."""
        total: Floats = self.factors.constant * pairs
        for counts, added in ((x, self.factors.x), (y, self.factors.y)):
            total = total + (_picked(np.concatenate([counts, pairs - counts], axis=1), self.where) * added).sum(axis=-1)
        return total


def _picked(directed: Floats, where: Integers) -> Floats:
    """``directed[i, where[i]]`` for every row i."""
    found: Floats = np.take_along_axis(directed, where.reshape(len(where), -1), axis=1)
    return found.reshape(where.shape)


def mixture(logs: Floats, weight: Floats, kept: float | Floats) -> Floats:
    """Log of the wealth of a mixture of bets (last axis), with a part ``kept`` back."""
    if not logs.shape[-1]:
        return np.zeros(logs.shape[:-1])
    top = np.maximum(logs.max(axis=-1), 0.0)
    powers = np.exp(logs - top[..., None])
    summed = powers @ weight if weight.ndim == 1 else np.einsum("ij,ij->i", powers, weight)
    summed += kept * np.exp(-top)
    mixed: Floats = np.log(summed) + top
    return mixed


@dataclass(frozen=True)
class Past:
    """Past counts of several blocks' events, padded to one width.

    Attributes: ``x``, ``y`` of shape (blocks, events); ``pairs`` (blocks,); ``column``, ``low``, ``high`` of the
    directed events, shape (blocks, 2 * events); ``stairs`` (blocks, staircases, 2, STEPS_EACH), directed, -1 for none.
    """

    x: Floats
    y: Floats
    pairs: Floats
    column: Integers
    low: Floats
    high: Floats
    stairs: Integers

    def repeated(self, times: int) -> Past:
        down = (times, 1)
        x, y, pairs = np.tile(self.x, down), np.tile(self.y, down), np.tile(self.pairs, times)
        column, low, high = np.tile(self.column, down), np.tile(self.low, down), np.tile(self.high, down)
        return Past(x, y, pairs, column, low, high, np.tile(self.stairs, (times, 1, 1, 1)))


def past_of(counts: Sequence[Counts], tables: Sequence[EventTable]) -> Past:
    """Counts and event tables as padded arrays; padding never looks like a violation."""
    rows, widest = len(counts), max(len(table) for table in tables)
    x, y = np.zeros((rows, widest)), np.zeros((rows, widest))
    column = np.full((rows, 2, widest), -1, dtype=np.int64)
    low, high = np.full((rows, 2, widest), -np.inf), np.full((rows, 2, widest), np.inf)
    stairs = np.full((rows, max(len(table.stairs) for table in tables), 2, STEPS_EACH), -1, dtype=np.int64)
    for row, (count, table) in enumerate(zip(counts, tables, strict=True)):
        size = len(table)
        x[row, :size], y[row, :size] = count.x, count.y
        column[row, :, :size] = table.column
        lows, highs = table.spans()
        stairs[row, : len(table.stairs)] = table.stairs + np.array([[0], [widest]])
        low[row, :, :size], high[row, :, :size] = lows.reshape(2, -1), highs.reshape(2, -1)
    pairs = np.array([float(count.pairs) for count in counts])
    flat = rows, 2 * widest
    return Past(x, y, pairs, column.reshape(flat), low.reshape(flat), high.reshape(flat), stairs)


def place(past: Past, epsilon: Floats, delta: float, breadth: Breadth) -> Bets:
    """The bets that past counts suggest against the claim ``(epsilon, delta)``, shape (blocks,)."""
    ratio = np.exp(epsilon)[:, None]
    x, y = _frequencies(past)
    parts = [_staircases(past, x, y, ratio, delta, breadth.stairs), _fitted(past, x, y, ratio, delta, breadth)]
    where, promise = (
        np.concatenate(arrays, axis=1) for arrays in zip(*((p.where, p.promise) for p in parts), strict=True)
    )
    constant, on_x, on_y = (
        np.concatenate(arrays, axis=1)
        for arrays in zip(*((p.factors.constant, p.factors.x, p.factors.y) for p in parts), strict=True)
    )
    if promise.shape[1] > breadth.most:
        best = np.argpartition(-promise, breadth.most, axis=1)[:, : breadth.most]
        promise, constant = (np.take_along_axis(a, best, axis=1) for a in (promise, constant))
        where, on_x, on_y = (np.take_along_axis(a, best[..., None], axis=1) for a in (where, on_x, on_y))
    good = np.isfinite(promise)
    any_good = good.any(axis=1)
    kept = np.where(any_good, KEPT, 1.0)
    weight = _weights(promise, good, any_good)
    return Bets(past.x.shape[1], where, LogFactors(constant, on_x, on_y), weight, kept)


def _frequencies(past: Past) -> tuple[Floats, Floats]:
    """Smoothed frequencies of the directed events on d0 and d1."""
    n = past.pairs[:, None]
    x, y = (past.x + PRIOR) / (n + 2 * PRIOR), (past.y + PRIOR) / (n + 2 * PRIOR)
    return np.concatenate([x, 1 - x], axis=1), np.concatenate([y, 1 - y], axis=1)


@dataclass(frozen=True)
class Breadth:
    """How many directed events on each side are bet on singly, and in twos; how many staircases; bets in all."""

    single: int
    paired: int
    stairs: int
    most: int


REPLAYED = Breadth(4, 2, 2, 16)  # for the lower bound


@dataclass(frozen=True)
class _Part:
    """Some bets, and what they would have gained on the past, less what hindsight gave them; -inf for no bet."""

    where: Integers
    factors: LogFactors
    promise: Floats


def _staircases(past: Past, x: Floats, y: Floats, ratio: Floats, delta: float, most: int) -> _Part:
    """The staircases that stand out most, upwards for d0 and downwards for d1 or the reverse, with several stakes."""
    up, down = past.stairs[:, :, 0], past.stairs[:, :, 1]
    where = np.concatenate([np.concatenate([up, down], axis=2), np.concatenate([down, up], axis=2)], axis=1)
    p, q = _picked(x, np.maximum(where, 0)), _picked(y, np.maximum(where, 0))
    e, f = slice(None, STEPS_EACH), slice(STEPS_EACH, None)
    z = standing(p[..., e], q[..., e], ratio, delta) + standing(q[..., f], p[..., f], ratio, delta)
    z = np.where(where[..., 0] >= 0, z * np.sqrt(0.5 * past.pairs[:, None]), -np.inf)
    best = np.argsort(-z, axis=1, kind="stable")[:, :most]
    stakes = len(STAKES)
    best = np.repeat(best, stakes, axis=1)
    where = np.take_along_axis(where, best[..., None], axis=1)
    good = np.take_along_axis(z, best, axis=1) > NOTICED
    row, which = np.nonzero(good)
    p, q = (a[row, best[row, which]] for a in (p, q))
    bet = staircase_bet(p, q, STAKES[which % stakes], ratio[row, 0], delta)
    promise = np.full(good.shape, -np.inf)
    promise[row, which] = past.pairs[row] * bet.growth(p, q)
    return _Part(where, _spread(bet, good), promise)


def _fitted(past: Past, x: Floats, y: Floats, ratio: Floats, delta: float, breadth: Breadth) -> _Part:
    """Bets on single events and twos of them, with the stakes that past frequencies suggest."""
    n = past.pairs[:, None]
    single = min(breadth.single, x.shape[1])
    paired = min(breadth.paired, single)
    for_d0, good_d0 = _standing_out(x, y, ratio, delta, single)
    for_d1, good_d1 = _standing_out(y, x, ratio, delta, single)
    # singles for d0, singles for d1, then every two of the best; and the latter once more, for symmetric bets
    alone, twos = 2 * single, paired * paired
    e = _laid_out(for_d0, for_d1, np.repeat(for_d0[:, :paired], paired, axis=1))
    f = _laid_out(for_d0, for_d1, np.tile(for_d1[:, :paired], (1, paired)))
    good_e = _laid_out(good_d0, good_d1, np.repeat(good_d0[:, :paired], paired, axis=1))
    good_f = _laid_out(good_d0, good_d1, np.tile(good_d1[:, :paired], (1, paired)))
    column, low, high = ([np.take_along_axis(a, i, axis=1) for i in (e, f)] for a in (past.column, past.low, past.high))
    apart = (column[0] == column[1]) & ((high[0] <= low[1]) | (high[1] <= low[0]))
    number = np.arange(alone + 2 * twos)
    good = good_e & good_f & ((number < alone) | apart)
    use_e, use_f = ((number < single) | (number >= alone)).astype(np.float64), (number >= single).astype(np.float64)
    fitted = np.where((number >= alone) & (number < alone + twos), 2.0, 1.0)  # excesses estimated
    rows, which = np.nonzero(good)  # the rest is bets on what does not break the claim: not worth working out
    on_e, on_f = use_e[which], use_f[which]
    p_e, q_e = (a[rows, e[rows, which]] * on_e for a in (x, y))
    p_f, q_f = (a[rows, f[rows, which]] * on_f for a in (x, y))
    mirror = which >= alone + twos
    p, q = np.where(mirror, 0.5 * (p_e + q_f), p_e), np.where(mirror, 0.5 * (q_e + p_f), q_e)
    bet = best_bet(p, q, np.where(mirror, q, p_f), np.where(mirror, p, q_f), ratio[rows, 0], delta, on_e, on_f)
    gained = n[rows, 0] * bet.growth(p_e, q_e, p_f, q_f)
    believed = np.maximum(gained, 0.0) / (np.maximum(gained, 0.0) + DOUBT * fitted[which])
    promise = np.full(good.shape, -np.inf)
    promise[rows, which] = gained - fitted[which] - LEARNING * np.log1p(n[rows, 0] / 16.0)
    return _Part(np.stack([e, e, e, f, f, f], axis=-1), _spread(bet.hedged(believed).logs(), good), promise)


def _spread(factors: LogFactors, good: Booleans) -> LogFactors:
    """The factors, given where ``good`` is true, in arrays of its shape; no bet (zeros) elsewhere."""
    constant, x, y = (
        np.zeros(good.shape),
        np.zeros((*good.shape, 2 * STEPS_EACH)),
        np.zeros((*good.shape, 2 * STEPS_EACH)),
    )
    constant[good], x[good], y[good] = factors.constant, factors.x, factors.y
    return LogFactors(constant, x, y)


def _laid_out(for_d0: Any, for_d1: Any, twos: Any) -> Any:
    return np.concatenate([for_d0, for_d1, twos, twos], axis=1)


def _standing_out(p: Floats, q: Floats, ratio: Floats, delta: float, most: int) -> tuple[Integers, Booleans]:
    """The directed events whose excess over the claim is the most standard errors, best first, and if it is > 0."""
    excess = p - ratio * q - delta
    standing = excess / np.sqrt(p * (1 - p) + ratio**2 * q * (1 - q))
    best = np.argsort(-standing, axis=1, kind="stable")[:, :most]
    return best, np.take_along_axis(excess, best, axis=1) > 0.0


def _weights(promise: Floats, good: Booleans, any_good: Booleans) -> Floats:
    if not promise.shape[1]:
        return promise
    best = np.where(any_good, promise.max(axis=1), 0.0)
    share = np.exp(promise - best[:, None])
    total = np.where(any_good, share.sum(axis=1), 1.0)[:, None]
    number = np.maximum(good.sum(axis=1), 1)[:, None]
    weights: Floats = (1 - EVEN - KEPT) * share / total + EVEN * good / number
    return weights


@dataclass(frozen=True)
class Family:
    """What an expert watches: how to compute its columns, the events on them, and their past counts.

    ``past`` counts outputs that did not choose the events where ``columns`` were learned, else all past ones.
    """

    columns: Callable[[Floats], Floats]
    table: EventTable
    past: Counts

    def observe(self, outputs_x: Floats, outputs_y: Floats) -> Counts:
        x, y = self.table.counts(self.columns(outputs_x)), self.table.counts(self.columns(outputs_y))
        return Counts(x, y, len(outputs_x))

    def bets(self, epsilon: float, delta: float, breadth: Breadth) -> Bets:
        return place(past_of([self.past], [self.table]), np.array([epsilon]), delta, breadth)

    def most_telling(self, epsilon: float, delta: float) -> tuple[float, int, int] | None:
        """What the best single bet would have gained, its directed event, the side it favours; None without one."""
        if not len(self.table) or not self.past.pairs:
            return None
        past = past_of([self.past], [self.table])
        x, y = _frequencies(past)
        part = _fitted(past, x, y, np.exp(np.array([[epsilon]])), delta, Breadth(16, 0, 0, 0))
        number = int(np.argmax(part.promise[0]))
        if not np.isfinite(part.promise[0, number]):
            return None
        return float(part.promise[0, number]), int(part.where[0, number, 0]), int(number >= part.promise.shape[1] // 2)


@dataclass(frozen=True)
class BlockRecord:
    """What the lower bound needs to replay a block for another epsilon: counts before it, and in it."""

    table: EventTable
    past: Counts
    outcome: Counts


def log_wealth_paths(records: Sequence[BlockRecord], epsilons: Floats, delta: float) -> Floats:
    """Log wealth after each block of the experts that test each epsilon instead of the claimed one.

    Returns:
        Shape (len(epsilons), len(records)).
    """
    tables = [record.table for record in records]
    if not any(len(table) for table in tables):
        return np.zeros((len(epsilons), len(records)))
    times = len(epsilons)
    past = past_of([record.past for record in records], tables).repeated(times)
    now = past_of([record.outcome for record in records], tables).repeated(times)
    bets = place(past, np.repeat(epsilons, len(records)), delta, REPLAYED)
    logs = bets.log_ends(now.x, now.y, now.pairs[:, None])
    factors = mixture(logs, bets.weight, bets.kept)
    return np.cumsum(factors.reshape(times, len(records)), axis=1)

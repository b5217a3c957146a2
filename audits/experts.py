"""An expert: a family of events and the predictable way in which it spreads its wealth over bets on them.

At the start of each block it looks at past counts only. The events (and complements) that stand out most against the
claim, for either dataset, are bet on singly and, where disjoint and on the same column, in twos (``bets``). The
wealth is divided in proportion to ``exp(past pairs * estimated growth)``, a part evenly, and a part is kept back.
Twos come in two forms: as estimated, and as if swapping the datasets mirrored the events, which halves what has to
be learned and is right for noise that is symmetric about the answer. Stakes are cut where the excess is in doubt.
Within the block nothing changes, so the wealth is a mixture of products of fair bets, at every pair.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dpverify.audits.bets import LogFactors, best_bet
from dpverify.audits.events import Booleans, EventTable, Floats, Integers

EVEN, KEPT = 0.1, 0.02  # shares of the wealth spread evenly over the bets, and kept back
REPLAYED = (4, 2)  # single and paired directed events for the lower bound
DOUBT = 0.3  # a bet whose past gain would be so many nats for each excess estimated gets half of its stake
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

    ``e`` and ``f`` are directed events: i below the number of events is event i, beyond it the complement of
    event i - number. A bet without an E or without an F has factors of 1 there. ``weight`` and ``kept`` (shape
    (blocks,)) sum to one. ``promise`` is what the bet would have gained on the past, less what hindsight gave it.
    """

    events: int
    e: Integers
    f: Integers
    factors: LogFactors
    weight: Floats
    promise: Floats
    kept: Floats

    def log_paths(self, table: EventTable, x: Floats, y: Floats) -> Floats:
        """Log wealth of the first block's bets after each pair of it; shape (pairs, bets)."""
        e, f = self.e[0], self.f[0]
        used, place = np.unique(np.concatenate([e, f]) % self.events, return_inverse=True)
        complement = np.concatenate([e, f]) >= self.events
        number = np.arange(len(e))
        steps = self.factors.constant[0]
        total = np.zeros((len(x), len(e)))
        parts = ((x, self.factors.x_in_e, self.factors.x_in_f), (y, self.factors.y_in_e, self.factors.y_in_f))
        for columns, in_e, in_f in parts:
            added = np.concatenate([in_e[0], in_f[0]])
            matrix = np.zeros((len(used), len(e)))
            np.add.at(matrix, (place, np.tile(number, 2)), np.where(complement, -added, added))
            steps = steps + np.where(complement, added, 0.0).reshape(2, -1).sum(axis=0)
            total += table.indicators(columns, used).astype(np.float64) @ matrix
        total += steps
        return np.cumsum(total, axis=0, out=total)

    def log_ends(self, x: Floats, y: Floats, pairs: Floats) -> Floats:
        """Log wealth of each bet at the end of its block, from the counts of all events there."""
        total: Floats = self.factors.constant * pairs
        parts = ((x, self.factors.x_in_e, self.factors.x_in_f), (y, self.factors.y_in_e, self.factors.y_in_f))
        for counts, in_e, in_f in parts:
            directed = np.concatenate([counts, pairs - counts], axis=1)
            total = total + np.take_along_axis(directed, self.e, axis=1) * in_e
            total = total + np.take_along_axis(directed, self.f, axis=1) * in_f
        return total


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
    directed events, shape (blocks, 2 * events).
    """

    x: Floats
    y: Floats
    pairs: Floats
    column: Integers
    low: Floats
    high: Floats

    def repeated(self, times: int) -> Past:
        down = (times, 1)
        x, y, pairs = np.tile(self.x, down), np.tile(self.y, down), np.tile(self.pairs, times)
        return Past(x, y, pairs, np.tile(self.column, down), np.tile(self.low, down), np.tile(self.high, down))


def past_of(counts: Sequence[Counts], tables: Sequence[EventTable]) -> Past:
    """Counts and event tables as padded arrays; padding never looks like a violation."""
    rows, widest = len(counts), max(len(table) for table in tables)
    x, y = np.zeros((rows, widest)), np.zeros((rows, widest))
    column = np.full((rows, 2, widest), -1, dtype=np.int64)
    low, high = np.full((rows, 2, widest), -np.inf), np.full((rows, 2, widest), np.inf)
    for row, (count, table) in enumerate(zip(counts, tables, strict=True)):
        size = len(table)
        x[row, :size], y[row, :size] = count.x, count.y
        column[row, :, :size] = table.column
        lows, highs = table.spans()
        low[row, :, :size], high[row, :, :size] = lows.reshape(2, -1), highs.reshape(2, -1)
    pairs = np.array([float(count.pairs) for count in counts])
    flat = rows, 2 * widest
    return Past(x, y, pairs, column.reshape(flat), low.reshape(flat), high.reshape(flat))


def place(past: Past, epsilon: Floats, delta: float, single: int, paired: int) -> Bets:
    """The bets that past counts suggest against the claim ``(epsilon, delta)``.

    Args:
        epsilon: what to test, shape (blocks,).
        single, paired: how many directed events on each side are bet on singly, and in twos.
    """
    ratio, n = np.exp(epsilon)[:, None], past.pairs[:, None]
    x, y = (past.x + PRIOR) / (n + 2 * PRIOR), (past.y + PRIOR) / (n + 2 * PRIOR)
    x, y = np.concatenate([x, 1 - x], axis=1), np.concatenate([y, 1 - y], axis=1)
    single = min(single, x.shape[1])
    paired = min(paired, single)
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
    symmetric = number >= alone + twos
    fitted = np.where((number >= alone) & ~symmetric, 2.0, 1.0)  # excesses estimated
    rows, which = np.nonzero(good)  # the rest is bets on what does not break the claim: not worth working out
    on_e, on_f = use_e[which], use_f[which]
    p_e, q_e = (a[rows, e[rows, which]] * on_e for a in (x, y))
    p_f, q_f = (a[rows, f[rows, which]] * on_f for a in (x, y))
    mirror = symmetric[which]
    p, q = np.where(mirror, 0.5 * (p_e + q_f), p_e), np.where(mirror, 0.5 * (q_e + p_f), q_e)
    bet = best_bet(p, q, np.where(mirror, q, p_f), np.where(mirror, p, q_f), ratio[rows, 0], delta, on_e, on_f)
    gained = n[rows, 0] * bet.growth(p_e, q_e, p_f, q_f)
    believed = np.maximum(gained, 0.0) / (np.maximum(gained, 0.0) + DOUBT * fitted[which])
    gain = np.zeros(good.shape)
    gain[rows, which] = gained
    factors = bet.hedged(believed).logs().spread(good)
    promise = np.where(good, gain - fitted, -np.inf)
    any_good = good.any(axis=1)
    kept = np.where(any_good, KEPT, 1.0)
    weight = _weights(promise, good, any_good)
    return Bets(past.x.shape[1], e, f, factors, weight, promise, kept)


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

    def bets(self, epsilon: float, delta: float, single: int, paired: int) -> Bets:
        return place(past_of([self.past], [self.table]), np.array([epsilon]), delta, single, paired)


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
    bets = place(past, np.repeat(epsilons, len(records)), delta, *REPLAYED)
    logs = bets.log_ends(now.x, now.y, now.pairs[:, None])
    factors = mixture(logs, bets.weight, bets.kept)
    return np.cumsum(factors.reshape(times, len(records)), axis=1)

"""Exact draws from an integer table: uniform bits, compared with integer cumulative weights.

A draw is the entry into which a uniform ``bits``-bit integer falls. Its bits are taken lazily, 32 at a time: the
leading ones select a cell of a guide table, and where that cell lies inside one entry (nearly always) the
remaining bits cannot matter and are never drawn. The others are settled by comparison on 64 bits, and, for
128-bit tables, by the last 64 in the rare case that the first 64 equal those of a boundary. No float takes part.

What this leaks: the time of a bulk draw depends on how many draws needed the second look, hence on the noise;
the memory addresses touched depend on the noise too. It is not constant-time: an attacker who can observe the
process that draws the noise (its caches, its timing to nanoseconds) is outside this library's threat model.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from dpverify.errors import InvalidArgument
from dpverify.noise.bits import BitSource
from dpverify.noise.table import IntegerTable

CHUNK = 1 << 16  # draws at a time: keeps the work in the cache
GUIDE_BITS = (8, 22)  # 4 bytes a cell: 16 MiB at most
NEAR = 2  # boundaries of an open cell that are tried one by one, before a search over all


class TableSampler:
    """Draws from one table. Building it takes time proportional to the table; drawing does not."""

    def __init__(self, table: IntegerTable) -> None:
        self._first = table.first
        cumulative = np.cumsum(table.weights)  # boundary j separates entry j from entry j + 1
        spare = 128 - table.bits  # as if the table had 128 bits; 64-bit tables get zeros below
        padded = cumulative[cumulative < (1 << table.bits)] << spare
        self._high = (padded >> 64).astype(np.uint64)
        self._low = (padded & ((1 << 64) - 1)).astype(np.uint64)
        self._last_word_matters = bool(self._low.any())
        # an entry after the last boundary may be looked at, never counted
        self._next = np.append(self._high, np.uint64(2**64 - 1))
        # a guide of some 32 cells per entry, as far as memory is well spent on it
        guide_bits = min(max(len(table.weights).bit_length() + 5, GUIDE_BITS[0]), GUIDE_BITS[1])
        self._guide_shift = np.uint32(32 - guide_bits)
        # boundaries at or below the least, and below or at the greatest, integer of each cell
        cell = (self._high >> np.uint64(64 - guide_bits)).astype(np.int64)
        inside = ((self._high << np.uint64(guide_bits)) != 0) | (self._low != 0)
        first, last = (_at_or_below(where, 1 << guide_bits) for where in (cell + inside, cell))
        # a settled cell holds its entry, an open one the complement (negative) of its least entry
        self._guide = np.where(first == last, first, ~first)

    def draw(self, count: int, bits: BitSource) -> npt.NDArray[np.int64]:
        """``count`` independent draws, in grid steps; by two threads if the source allows it."""
        out = np.empty(count, dtype=np.int64)
        parts = [out[start : start + CHUNK] for start in range(0, count, CHUNK)]
        workers = min(2, os.cpu_count() or 1) if getattr(bits, "concurrent", False) and len(parts) > 1 else 1
        if workers == 1:
            for part in parts:
                self._fill(part, bits)
        else:
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(lambda part: self._fill(part, bits), parts))
        return out

    def _fill(self, part: npt.NDArray[np.int64], bits: BitSource) -> None:
        leading = _words(bits, len(part))
        entry = np.take(self._guide, (leading >> self._guide_shift).astype(np.intp), mode="clip")
        open_ = np.flatnonzero(entry < 0)
        if len(open_):
            entry[open_] = self._settle(~entry[open_], leading[open_], bits)
        np.add(entry, self._first, out=part, dtype=np.int64)

    def _settle(
        self, entry: npt.NDArray[np.int32], leading: npt.NDArray[np.uint32], bits: BitSource
    ) -> npt.NDArray[np.int32]:
        """The number of boundaries at or below the integer, for each; ``entry`` is at most that."""
        word = (leading.astype(np.uint64) << np.uint64(32)) | _words(bits, len(leading))
        for _ in range(NEAR):
            entry = entry + (self._next[entry] <= word)
            np.minimum(entry, len(self._high), out=entry)
        far = np.flatnonzero(self._next[entry] <= word)
        entry[far] = np.searchsorted(self._high, word[far], side="right")
        if self._last_word_matters:
            tied = (entry > 0) & (self._high[entry - 1] == word)
            for i in np.flatnonzero(tied):
                pair = _words(bits, 2)
                last_word = np.uint64((int(pair[0]) << 32) | int(pair[1]))
                start = int(np.searchsorted(self._high, word[i], side="left"))
                entry[i] = start + int(np.searchsorted(self._low[start : entry[i]], last_word, side="right"))
        return entry


def _at_or_below(where: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int32]:
    """How many of ``where`` are at most c, for c = 0 .. count - 1."""
    return np.cumsum(np.bincount(where, minlength=count)[:count], dtype=np.int32)


def _words(bits: BitSource, count: int) -> npt.NDArray[np.uint32]:
    """Words of the source, as many as asked for: fewer would be spread over several draws by broadcasting."""
    words = bits.words(count)
    if words.shape != (count,) or words.dtype != np.uint32:
        raise InvalidArgument(
            "bits", f"words of shape {words.shape} and dtype {words.dtype}", f"a source that gives {count} uint32 words"
        )
    return words

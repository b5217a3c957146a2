"""Exact draws from an integer table: uniform bits, compared with integer cumulative weights.

A draw is the entry into which a uniform ``bits``-bit integer falls. Its bits are taken lazily, 32 at a time: the
leading ones select a cell of a guide table, and where that cell lies inside one entry (nearly always) the
remaining bits cannot matter and are never drawn. The others are settled by binary search on 64 bits, and, for
128-bit tables, by the last 64 in the rare case that the first 64 equal those of a boundary. No float takes part.

What this leaks: the time of a bulk draw depends on how many draws needed the second look, hence on the noise;
the memory addresses touched depend on the noise too. It is not constant-time: an attacker who can observe the
process that draws the noise (its caches, its timing to nanoseconds) is outside this library's threat model.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dpverify.noise.bits import BitSource
from dpverify.noise.table import IntegerTable

CHUNK = 1 << 17  # draws at a time: keeps the work in the cache
UNSETTLED = -1


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
        # a guide of some 32 cells per entry, within what fits the cache
        guide_bits = min(max(len(table.weights).bit_length() + 5, 8), 20)
        self._guide_shift = np.uint32(32 - guide_bits)
        edges = np.arange(1 << guide_bits, dtype=np.uint64) << np.uint64(64 - guide_bits)
        # the entry at the least and at the greatest integer of each cell; boundaries rounded up to high words
        ceiling = np.where(self._low > 0, np.maximum(self._high, self._high + np.uint64(1)), self._high)
        first = np.searchsorted(ceiling, edges, side="right")
        last = np.append(np.searchsorted(self._high, edges[1:], side="left"), len(self._high))
        self._guide = np.where(first == last, first, UNSETTLED).astype(np.int32)

    def draw(self, count: int, bits: BitSource) -> npt.NDArray[np.int64]:
        """``count`` independent draws, in grid steps."""
        out = np.empty(count, dtype=np.int64)
        for start in range(0, count, CHUNK):
            part = out[start : start + CHUNK]
            leading = bits.words(len(part))
            part[:] = self._guide[leading >> self._guide_shift]
            open_ = np.flatnonzero(part == UNSETTLED)
            if len(open_):
                part[open_] = self._settle(leading[open_], bits)
        out += self._first
        return out

    def _settle(self, leading: npt.NDArray[np.uint32], bits: BitSource) -> npt.NDArray[np.int64]:
        word = (leading.astype(np.uint64) << np.uint64(32)) | bits.words(len(leading))
        entry = np.searchsorted(self._high, word, side="right").astype(np.int64)
        if self._last_word_matters:
            start = np.searchsorted(self._high, word, side="left")
            for i in np.flatnonzero(start != entry):
                pair = bits.words(2)
                last_word = np.uint64((int(pair[0]) << 32) | int(pair[1]))
                ties = self._low[start[i] : entry[i]]
                entry[i] = start[i] + int(np.searchsorted(ties, last_word, side="right"))
        return entry

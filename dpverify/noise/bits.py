"""Where random bits come from: the operating system by default, a seeded generator in tests only."""

from __future__ import annotations

import os
from typing import Protocol

import numpy as np
import numpy.typing as npt


class BitSource(Protocol):
    """A source of independent uniform bits.

    A source may also have an attribute ``concurrent``: True if several threads may take words at once, so that a
    draw need not be the same function of the words each time. Without it, words are taken in order by one thread.
    """

    @property
    def private(self) -> bool:
        """Whether a release made with these bits may be called private."""
        ...

    def words(self, count: int) -> npt.NDArray[np.uint32]:
        """``count`` independent uniform 32-bit words."""
        ...


class OSBits:
    """The operating system's cryptographic generator (``os.urandom``): the default everywhere."""

    private = True
    concurrent = True

    def words(self, count: int) -> npt.NDArray[np.uint32]:
        return np.frombuffer(os.urandom(4 * count), dtype=np.uint32)


class SeededBits:
    """A reproducible source FOR TESTS: noise drawn from it can be recomputed, so nothing it makes is private.

    Certificates of releases made with it say so.
    """

    private = False
    concurrent = False

    def __init__(self, seed: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))

    def words(self, count: int) -> npt.NDArray[np.uint32]:
        pairs = self._generator.integers(0, 2**64, size=(count + 1) // 2, dtype=np.uint64)
        return pairs.view(np.uint32)[:count]

"""Public bounds on keys, queries and values, given by the caller and never read off the data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from dpverify.checks import positive
from dpverify.errors import InvalidArgument

Shape = Literal["ball", "box", "positive_box"]
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Bounds:
    """The domain of the data. It must be chosen without looking at the private rows.

    Args:
        key, query, value: bounds > 0, in the unit of the respective entries.
        shape: "ball": the l2 norm of each row is at most its bound; "box": entries lie in [-bound, bound];
            "positive_box" (the papers'): key and query entries lie in [0, bound], value entries in
            [-bound, bound].
        values_nonnegative: value entries are at least 0 (one-hot labels, counts): less noise is needed.
    """

    key: float = 1.0
    query: float = 1.0
    value: float = 1.0
    shape: Shape = "ball"
    values_nonnegative: bool = False

    def __post_init__(self) -> None:
        for name in ("key", "query", "value"):
            object.__setattr__(self, name, positive(f"bounds.{name}", getattr(self, name)))
        if self.shape not in ("ball", "box", "positive_box"):
            raise InvalidArgument("bounds.shape", self.shape, "'ball', 'box' or 'positive_box'")
        if not isinstance(self.values_nonnegative, bool):
            raise InvalidArgument("bounds.values_nonnegative", self.values_nonnegative, "True or False")

    def clip_keys(self, keys: Array) -> tuple[Array, int]:
        """Keys moved to the nearest point of their domain, and how many rows moved. The count is private."""
        return self._clip(keys, self.key, nonnegative=self.shape == "positive_box")

    def clip_queries(self, queries: Array) -> tuple[Array, int]:
        """The same for queries (public)."""
        return self._clip(queries, self.query, nonnegative=self.shape == "positive_box")

    def clip_values(self, values: Array) -> tuple[Array, int]:
        """The same for values. The count is private."""
        return self._clip(values, self.value, nonnegative=self.values_nonnegative)

    def _clip(self, rows: Array, bound: float, *, nonnegative: bool) -> tuple[Array, int]:
        if self.shape == "ball":
            negative = np.any(rows < 0.0, axis=1) if nonnegative else False
            rows = np.maximum(rows, 0.0) if nonnegative else rows
            with np.errstate(over="ignore"):
                if np.einsum("ij,ij->i", rows, rows).max(initial=0.0) <= bound * bound:
                    return rows, int(np.count_nonzero(negative))
            # scaled by the largest entry first, so that no square overflows
            largest = np.max(np.abs(rows), axis=1, initial=0.0)
            safe = np.where(largest > 0, largest, 1.0)
            norms = safe * np.linalg.norm(rows / safe[:, None], axis=1)
            outside = norms > bound * (1 + 1e-12)
            clipped = np.where(outside[:, None], rows / np.where(outside, norms, 1.0)[:, None] * bound, rows)
            outside |= negative
        else:
            clipped = np.clip(rows, 0.0 if nonnegative else -bound, bound)
            outside = np.any(clipped != rows, axis=1)
        return clipped, int(outside.sum())

    def radius(self, bound: float, dimension: int) -> float:
        """Largest l2 norm of a row with that bound."""
        return bound if self.shape == "ball" else bound * math.sqrt(dimension)

    @property
    def value_low(self) -> float:
        """Smallest value entry, and so the smallest entry of any answer."""
        return 0.0 if self.values_nonnegative else -self.value

    @property
    def value_span(self) -> float:
        """Largest difference of two value entries: no answer can be off by more."""
        return self.value - self.value_low

    @property
    def signed(self) -> bool:
        """Whether inner products of keys and queries can be negative."""
        return self.shape != "positive_box"

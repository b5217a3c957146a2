"""Private rows on their way in: arrays, blocks of them, or Dask arrays; checked and moved into the bounds."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dpverify.checks import positive_integer
from dpverify.cross_attention.bounds import Bounds
from dpverify.cross_attention.exact import check_rows
from dpverify.errors import InvalidArgument, OutOfBoundsWarning

Array = npt.NDArray[np.float64]
Block = tuple[Array, Array]
OutOfBounds = Literal["clip", "raise"]


@dataclass(eq=False)
class Rows:
    """Rows not yet read, of known shape.

    Attributes:
        number: n, public; dimension: d; columns: d_v.
        blocks: keys and values, checked but not yet moved into the bounds. They can be read once.
        moved_keys, moved_values: how many rows :meth:`inside` has moved so far. PRIVATE.
    """

    number: int
    dimension: int
    columns: int
    blocks: Iterable[Block]
    moved_keys: int = 0
    moved_values: int = 0

    def inside(self, bounds: Bounds, policy: OutOfBounds) -> Iterator[Block]:
        """Blocks moved into the bounds.

        Raises:
            InvalidArgument: with ``policy="raise"``, rows outside; or another number of rows than announced.
        """
        seen = 0
        for keys, values in self.blocks:
            seen += len(keys)
            if seen > self.number:
                break
            k, outside = bounds.clip_keys(keys)
            self.moved_keys += outside
            v, outside = bounds.clip_values(values)
            self.moved_values += outside
            if policy == "raise":
                report_moved("keys", self.moved_keys, seen, bounds.key, policy)
                report_moved("values", self.moved_values, seen, bounds.value, policy)
            yield k, v
        if seen != self.number:
            found = f"more than {self.number}" if seen > self.number else f"only {seen}"
            raise InvalidArgument("rows", self.number, f"the number of rows in all blocks; there are {found}")


def read_rows(keys: Any, values: Any, rows: int | None) -> Rows:
    """Rows from arrays, from a Dask array of keys and one of values, or from an iterable of (keys, values) blocks.

    Args:
        keys, values: arrays of shapes (n, d) and (n, d_v) or (n,); or blocks, and None.
        rows: n, needed for blocks only.
    """
    if values is None:
        return _from_blocks(keys, rows)
    if hasattr(keys, "to_delayed") and hasattr(values, "to_delayed"):
        dask_blocks, number = _dask_blocks(keys, values)
        return _from_blocks(dask_blocks, number if rows is None else rows)
    k, v = check_rows(keys, values)
    if rows is not None and positive_integer("rows", rows) != len(k):
        raise InvalidArgument("rows", rows, f"the number of keys, {len(k)}", "leave it out for arrays")
    return Rows(len(k), k.shape[1], v.shape[1], [(k, v)])


def report_moved(name: str, moved: int, rows: int, bound: float, policy: OutOfBounds) -> None:
    """Refuse rows outside the bounds, or warn the caller. Counts of keys and values are private."""
    if not moved:
        return
    if policy == "raise":
        raise InvalidArgument(
            name,
            f"{moved} of {rows} rows outside the public bound {bound:g}",
            "inside the bounds",
            "clip them yourself, widen the bound, or pass out_of_bounds='clip'",
        )
    private = "" if name == "queries" else " (this number is private: do not publish it)"
    warnings.warn(
        f"{moved} of {rows} {name} lay outside the public bound {bound:g} and were moved to its edge{private}",
        OutOfBoundsWarning,
        stacklevel=3,
    )


def _from_blocks(blocks: Any, rows: int | None) -> Rows:
    if rows is None:
        raise InvalidArgument(
            "rows", rows, "given with blocks", "pass the number of rows of all blocks together; it is public"
        )
    number = positive_integer("rows", rows)
    try:
        rest = iter(blocks)
    except TypeError:
        raise InvalidArgument(
            "keys", type(blocks).__name__, "an iterable of (keys, values) blocks when values is None"
        ) from None
    first = next(rest, None)
    if first is None:
        raise InvalidArgument("keys", "an iterable without blocks", "at least one (keys, values) block")
    k, v = _check_block(first, 0)
    return Rows(number, k.shape[1], v.shape[1], _checked((k, v), rest))


def _checked(first: Block, rest: Iterator[Any]) -> Iterator[Block]:
    yield first
    for position, block in enumerate(rest, start=1):
        k, v = _check_block(block, position)
        if (k.shape[1], v.shape[1]) != (first[0].shape[1], first[1].shape[1]):
            raise InvalidArgument(
                f"block {position}",
                f"keys of shape {k.shape} and values of shape {v.shape}",
                f"as wide as the first, ({first[0].shape[1]}) and ({first[1].shape[1]})",
            )
        yield k, v


def _check_block(block: Any, position: int) -> Block:
    try:
        keys, values = block
    except (TypeError, ValueError):
        raise InvalidArgument(f"block {position}", type(block).__name__, "a pair (keys, values) of arrays") from None
    return check_rows(keys, values)


def _dask_blocks(keys: Any, values: Any) -> tuple[Iterator[tuple[Any, Any]], int]:
    """Blocks of rows, computed one at a time."""
    for name, array, ranks in (("keys", keys, (2,)), ("values", values, (1, 2))):
        if array.ndim not in ranks or any(length != length for length in array.shape):  # NaN: unknown length
            raise InvalidArgument(
                name,
                f"a Dask array of shape {array.shape}",
                "of known shape (n, d)",
                "call compute_chunk_sizes() first",
            )
    if len(keys) != len(values):
        raise InvalidArgument("values", f"{len(values)} rows", f"as many rows as keys, {len(keys)}")
    keys = keys.rechunk({1: -1})
    values = values.rechunk({0: keys.chunks[0], **({1: -1} if values.ndim == 2 else {})})
    parts = zip(keys.to_delayed().ravel(), values.to_delayed().ravel(), strict=True)
    return ((k.compute(), v.compute()) for k, v in parts), len(keys)

"""Calling the mechanism: seeds, chunks for several cores, and what counts as an output.

Every call gets a generator of its own, seeded by (seed, run, dataset pair, side, block, chunk). The chunks do not
depend on the number of workers, hence neither do the results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.audits.errors import BadOutput, MechanismFailed
from dpverify.errors import InvalidArgument

Mechanism = Callable[[Any, int, np.random.Generator], Any]
Outputs = npt.NDArray[np.float64]
CHUNK = 1024
SIDES = ("d0", "d1")
ADVICE = "a mechanism is called as mechanism(dataset, size, rng) and returns `size` independent outputs"


@dataclass(frozen=True)
class Draw:
    """One call of the mechanism: which dataset pair, side (0 or 1), how many outputs, and its seed."""

    pair: int
    side: int
    size: int
    seed: int
    spawn_key: tuple[int, ...]

    def generator(self) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=self.spawn_key))


@dataclass
class Encoder:
    """Turns outputs into floats; text labels become codes in order of appearance, the same for both datasets."""

    codes: dict[Any, int] = field(default_factory=dict)
    width: int | None = None  # columns of an output, 0 for scalars, None before the first output
    text: bool = False

    def encode(self, raw: Any, draw: Draw) -> Outputs:
        """Outputs as a float array of shape (size, columns).

        Raises:
            BadOutput: not ``size`` outputs, or outputs of changing or unsupported kind.
        """
        where = f"the mechanism's output on {SIDES[draw.side]} (size = {draw.size}, seed = {draw.seed})"
        array = _array(raw, where)
        if array.ndim not in (1, 2) or array.shape[0] != draw.size or (array.ndim == 2 and array.shape[1] == 0):
            raise BadOutput(
                where,
                f"of shape {array.shape}",
                f"of shape ({draw.size},) or ({draw.size}, k)",
                f"{ADVICE}; reshape or flatten each output to a row",
            )
        if array.dtype.kind not in "biufUS":
            raise BadOutput(where, f"of dtype {array.dtype}", "numbers, booleans or text", "encode it first")
        width = 0 if array.ndim == 1 else int(array.shape[1])
        if self.width is None:
            self.width, self.text = width, array.dtype.kind in "US"
        elif width != self.width or (array.dtype.kind in "US") != self.text:
            raise BadOutput(
                where,
                f"of shape {array.shape} and dtype {array.dtype}",
                "of the same shape and kind in every call and on both datasets",
                "on earlier calls it was "
                + ("text, " if self.text else "numeric, ")
                + (f"{self.width} columns" if self.width else "one scalar")
                + " an output",
            )
        return self.floats(array)

    def floats(self, array: npt.NDArray[Any]) -> Outputs:
        """The array as floats of shape (size, columns), new labels getting new codes."""
        if array.dtype.kind in "US":
            flat = [self.codes.setdefault(label, len(self.codes)) for label in array.ravel().tolist()]
            array = np.array(flat, dtype=np.float64).reshape(array.shape)
        return np.asarray(array, dtype=np.float64).reshape(len(array), -1)

    def label(self, value: float) -> str:
        """How a coded value is shown to the reader."""
        if not self.text:
            return f"{value:.6g}"
        return repr(next((label for label, code in self.codes.items() if code == value), value))


def _array(raw: Any, where: str) -> npt.NDArray[Any]:
    try:
        return np.asarray(raw)
    except (TypeError, ValueError) as error:  # rows of different lengths, for example
        needed = "an array, or lists of rows of one length"
        raise BadOutput(where, f"a {type(raw).__name__} that makes no array ({error})", needed, ADVICE) from error


def call(mechanism: Mechanism, dataset: Any, draw: Draw) -> Any:
    """One call; whatever the mechanism raises comes back as MechanismFailed with all it takes to reproduce it."""
    try:
        return mechanism(dataset, draw.size, draw.generator())
    except Exception as error:
        described = f"{type(error).__name__}: {error}"
        raise MechanismFailed(SIDES[draw.side], draw.size, draw.seed, draw.spawn_key, described) from error


def draws(pair: int, side: int, size: int, seed: int, key: tuple[int, ...]) -> list[Draw]:
    """The calls that make up ``size`` outputs."""
    sizes = [CHUNK] * (size // CHUNK) + ([size % CHUNK] if size % CHUNK else [])
    return [Draw(pair, side, part, seed, (*key, pair, side, chunk)) for chunk, part in enumerate(sizes)]


def sample_block(
    mechanism: Mechanism,
    pairs: Sequence[tuple[Any, Any]],
    size: int,
    seed: int,
    key: tuple[int, ...],
    n_jobs: int | None,
    encoder: Encoder,
) -> list[tuple[Outputs, Outputs]]:
    """``size`` outputs on both datasets of every pair; the same for every ``n_jobs``."""
    tasks = [d for i in range(len(pairs)) for side in (0, 1) for d in draws(i, side, size, seed, key)]
    if n_jobs == 1 or len(tasks) <= 2:
        raw = [call(mechanism, pairs[d.pair][d.side], d) for d in tasks]
    else:
        from joblib import Parallel, delayed

        parallel = Parallel() if n_jobs is None else Parallel(n_jobs=n_jobs)
        raw = list(parallel(delayed(call)(mechanism, pairs[d.pair][d.side], d) for d in tasks))
    parts: list[tuple[list[Outputs], list[Outputs]]] = [([], []) for _ in pairs]
    for d, outputs in zip(tasks, raw, strict=True):
        parts[d.pair][d.side].append(encoder.encode(outputs, d))
    return [(np.concatenate(x), np.concatenate(y)) for x, y in parts]


def repeats_itself(mechanism: Mechanism, pair: tuple[Any, Any], size: int, seed: int, key: tuple[int, ...]) -> bool:
    """Whether two calls on d0 with the same seed agree bit for bit."""
    draw = draws(0, 0, min(size, CHUNK), seed, key)[0]
    where = f"the mechanism's output on d0 (size = {draw.size}, seed = {draw.seed})"
    first, second = (_array(call(mechanism, pair[0], draw), where) for _ in range(2))
    return first.shape == second.shape and first.tobytes() == second.tobytes()


def check_pair(d0: Any, d1: Any) -> None:
    """Refuse two identical datasets: no mechanism can tell them apart, so the audit would prove nothing.

    Raises:
        InvalidArgument: d0 and d1 are equal.
    """
    if same(d0, d1):
        raise InvalidArgument(
            "d1",
            "equal to d0",
            "a dataset that differs from d0",
            "pass two neighbouring datasets, such as [0] and [1]",
        )


def same(left: Any, right: Any) -> bool:
    """Deep equality that understands arrays, and takes NaN as equal to NaN."""
    if left is right:
        return True
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        a, b = np.asarray(left), np.asarray(right)
        if a.shape != b.shape or a.dtype.kind != b.dtype.kind:
            return False
        return bool(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    if type(left) is type(right) and callable(getattr(left, "equals", None)):
        return bool(left.equals(right))  # tables, whose == is a table
    if isinstance(left, float) and isinstance(right, float) and left != left and right != right:
        return True
    try:
        return bool(left == right)
    except (TypeError, ValueError):
        return False

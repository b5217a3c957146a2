"""Neighbouring datasets on which a mechanism is likely to betray itself.

``audit`` takes one pair of datasets or an iterable of pairs. These functions make such pairs; choosing among them by
looking at outputs (``worst_pair``) is fair as long as the audit that follows draws fresh outputs, by another seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dpverify.audits.betting import audit
from dpverify.audits.sampling import Mechanism
from dpverify.errors import InvalidArgument
from dpverify.guarantees import ApproxDP

Floats = npt.NDArray[np.float64]
Table = tuple[Floats, Floats]
Shape = Literal["ball", "box", "positive_box"]


def attention_pairs(
    rows: int, d: int, d_v: int, *, key: float, value: float, shape: Shape = "ball", seed: int = 0
) -> list[tuple[Table, Table]]:
    """Pairs ((K, V), (K', V')) that differ in the first row, at the extremes of the public bounds.

    Args:
        rows: of each dataset, at least 1; d, d_v: width of keys and values.
        key, value: the bounds; shape: as in ``dpverify.Bounds`` ("ball": l2 norm of a row; "box": entries in
            [-bound, bound]; "positive_box": keys in [0, bound], values in [-bound, bound]).

    Returns:
        Opposite keys with opposite values; one key with opposite values; opposite keys with one value; a small
        move of the key (within a bucket of most trees) with opposite values; a move along one coordinate only. Each
        with the other rows all at the origin, and with the other rows random.
    """
    if rows < 1 or d < 1 or d_v < 1:
        raise InvalidArgument("rows, d, d_v", (rows, d, d_v), "at least 1 each")
    if not (key > 0 and value > 0):
        raise InvalidArgument("key, value", (key, value), "greater than 0")
    if shape not in ("ball", "box", "positive_box"):
        raise InvalidArgument("shape", shape, "'ball', 'box' or 'positive_box'")
    top = _corner(d, key, shape)
    bottom = np.zeros(d) if shape == "positive_box" else -top
    up = _corner(d_v, value, "ball" if shape == "ball" else "box")
    axis = top.copy()
    axis[0] = bottom[0]
    moves = [
        ((top, up), (bottom, -up)),
        ((top, up), (top, -up)),
        ((top, up), (bottom, up)),
        ((top, up), (top * (1 - 1e-3), -up)),
        ((top, up), (axis, -up)),
    ]
    rng = np.random.default_rng(seed)
    scatter = rng.uniform(0.0 if shape == "positive_box" else -1.0, 1.0, (rows, d)) * top
    values = rng.uniform(-1.0, 1.0, (rows, d_v)) * up
    pairs = []
    for others, theirs in ((np.zeros((rows, d)), np.zeros((rows, d_v))), (scatter, values)):
        for (k0, v0), (k1, v1) in moves:
            tables = []
            for k, v in ((k0, v0), (k1, v1)):
                keys, vals = others.copy(), theirs.copy()
                keys[0], vals[0] = k, v
                tables.append((keys, vals))
            pairs.append((tables[0], tables[1]))
    return pairs


def _corner(width: int, bound: float, shape: Shape) -> Floats:
    return np.full(width, bound / np.sqrt(width) if shape == "ball" else bound)


def replacements(data: Floats, low: float, high: float, *, rows: Sequence[int] = (0,)) -> list[tuple[Floats, Floats]]:
    """Pairs (data, data') where one entry of one row, or the whole row, is moved to a bound.

    Args:
        data: shape (n,) or (n, k); low, high: bounds of its entries; rows: which rows to replace.
    """
    array = np.asarray(data, dtype=np.float64)
    if array.ndim not in (1, 2) or not len(array):
        raise InvalidArgument("data", f"of shape {array.shape}", "of shape (n,) or (n, k) with n >= 1")
    if not low < high:
        raise InvalidArgument("low", low, f"less than high = {high}")
    pairs = []
    for row in rows:
        places: list[Any] = [row] if array.ndim == 1 else [row, *((row, j) for j in range(array.shape[1]))]
        for place in places:
            for bound in (low, high):
                moved = array.copy()
                moved[place] = bound
                if not np.array_equal(moved, array):
                    pairs.append((array, moved))
    return pairs


def worst_pair(
    mechanism: Mechanism, pairs: Iterable[tuple[Any, Any]], claim: ApproxDP, *, pilot: int = 500, seed: int = 0
) -> tuple[Any, Any]:
    """The pair on which the mechanism's outputs differ most, by a short audit of each against a quarter of epsilon.

    Audit the pair that it returns with a seed other than ``seed``.
    """
    weak = ApproxDP(claim.epsilon / 4.0, claim.delta)
    best: tuple[float, tuple[Any, Any]] | None = None
    for d0, d1 in pairs:
        result = audit(mechanism, d0, d1, weak, alpha=0.5, max_pairs=pilot, seed=seed, stop_early=False)
        if best is None or result.log_e_value > best[0]:
            best = (result.log_e_value, (d0, d1))
    if best is None:
        raise InvalidArgument("pairs", "empty", "an iterable of at least one pair")
    return best[1]


def coordinate_search(
    mechanism: Mechanism,
    data: Floats,
    claim: ApproxDP,
    *,
    low: float,
    high: float,
    row: int = 0,
    sweeps: int = 1,
    pilot: int = 500,
    seed: int = 0,
) -> tuple[Floats, Floats]:
    """Two versions of one row of the user's data, each coordinate moved greedily to the bound that tells most.

    Starts from (all low, all high). Costs ``3 * columns * sweeps`` short audits.
    """
    first, second = (np.array(data, dtype=np.float64) for _ in range(2))
    if first.ndim not in (1, 2) or not len(first):
        raise InvalidArgument("data", f"of shape {first.shape}", "of shape (n,) or (n, k) with n >= 1")
    first[row], second[row] = low, high
    if first.ndim == 1:
        return first, second
    for _ in range(sweeps):
        for j in range(first.shape[1]):
            candidates = []
            for a, b in ((low, high), (high, low), (high, high)):
                left, right = first.copy(), second.copy()
                left[row, j], right[row, j] = a, b
                if not np.array_equal(left, right):
                    candidates.append((left, right))
            first, second = worst_pair(mechanism, candidates, claim, pilot=pilot, seed=seed)
    return first, second

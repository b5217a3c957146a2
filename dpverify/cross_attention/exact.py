"""Exact attention: the reference, without any privacy."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from dpverify.checks import finite_array, real
from dpverify.errors import InvalidArgument
from dpverify.spec import contract
from dpverify.spec.attention import attention_weights

CHUNK_BYTES = 1 << 26


@contract(relies_on=[attention_weights.LEMMA])
def attention(
    queries: npt.ArrayLike, keys: npt.ArrayLike, values: npt.ArrayLike, scale: float | None = None
) -> npt.NDArray[np.float64]:
    """``softmax(scale Q K^T) V``, stable for logits of any size. NOT private.

    Args:
        queries: shape (m, d).
        keys: shape (n, d), n >= 1.
        values: shape (n, d_v), or (n,) for one column.
        scale: of the logits; None means 1/d.

    Returns:
        Shape (m, d_v). Relative error about n 2^-53 of the largest value.

    >>> attention([[0.0, 0.0]], [[1.0, 2.0], [3.0, 4.0]], [1.0, 3.0]).tolist()
    [[2.0]]
    """
    q, k, v = check_queries(queries), *check_rows(keys, values)
    if q.shape[1] != k.shape[1]:
        raise InvalidArgument("queries", f"of shape {q.shape}", f"of shape (m, {k.shape[1]}), as wide as the keys")
    factor = check_scale(scale, k.shape[1])
    out = np.empty((len(q), v.shape[1]))
    step = max(1, CHUNK_BYTES // (8 * len(k)))
    for start in range(0, len(q), step):
        logits = factor * (q[start : start + step] @ k.T)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        out[start : start + step] = (weights @ v) / weights.sum(axis=1, keepdims=True)
    return out


def check_rows(keys: npt.ArrayLike, values: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Keys as (n, d) and values as (n, d_v), finite, n >= 1, d >= 1, as many keys as values."""
    k = finite_array("keys", keys, rank=2)
    v = finite_array("values", values)
    if v.ndim == 1:
        v = v[:, None]
    if v.ndim != 2:
        raise InvalidArgument("values", f"an array of shape {v.shape}", "of shape (n, d_v) or (n,)")
    if len(k) != len(v):
        raise InvalidArgument("values", f"{len(v)} rows", f"as many rows as keys, {len(k)}")
    if not all((*k.shape, *v.shape)):
        name, shape = ("keys", k.shape) if 0 in k.shape else ("values", v.shape)
        raise InvalidArgument(name, f"an array of shape {shape}", "non-empty (n >= 1 rows, at least one column)")
    return k, v


def check_queries(queries: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Queries as (m, d), finite."""
    return finite_array("queries", queries, rank=2)


def check_scale(scale: float | None, dimension: int) -> float:
    """The logit scale, 1/d by default; > 0 and finite."""
    factor = 1.0 / dimension if scale is None else real("scale", scale)
    if not 0 < factor < math.inf:
        raise InvalidArgument("scale", scale, "positive and finite (flip the sign of the queries instead)")
    return factor

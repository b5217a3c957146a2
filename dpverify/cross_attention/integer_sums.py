"""Exact sums of outer products: each row is put on a grid first, then integers are summed.

A float sum has a larger sensitivity than its real counterpart (Casacuberta et al., CCS 2022). Here features and
values become integers row by row, rounded toward zero so that no norm grows; their norms are checked in
integers; and the matrix products are exact in float64, whatever the order of summation, because every partial
sum stays below 2^53. That is decided from the public bounds before anything is computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dpverify.cross_attention.feature_maps import FeatureMap
from dpverify.cross_attention.parameters import Parameters
from dpverify.cross_attention.polynomial import PolynomialMap
from dpverify.spec import contract
from dpverify.spec.attention import functional_sensitivity
from dpverify.spec.kernel import feature_norm
from dpverify.threads import one_blas_thread

Array = npt.NDArray[np.float64]
LEAST_BLOCK_ROWS = 256
CACHED_ENTRIES, MOST_ENTRIES = 1 << 18, 1 << 20  # of features at a time: what stays near the processor, and at most
WORTHWHILE_ROWS = 1 << 10  # at a time, so that a block's overhead does not count
EXACT_BITS = 53  # float64 represents every integer up to 2^53
NORM_ROOM = 1.0 + 2.0**-30  # float errors of clipping (1e-12) and of features stay far below this


class Evaluated(Protocol):
    """What sums need of a feature map."""

    @property
    def parameters(self) -> Parameters: ...
    @property
    def size(self) -> int: ...
    def __call__(self, rows: Array) -> Array: ...


@dataclass(frozen=True)
class Grids:
    """Power-of-two grids and the integer bounds that rows meet on them.

    Attributes:
        feature, value: grid spacings; a feature row has squared norm at most ``feature_norm2`` steps squared, a
            value row (without the normaliser's entry) at most ``value_norm2``.
        weight_steps: the normaliser's entry c, in steps of ``value``.
        block_rows: products of so many rows sum to less than 2^53, whatever the rows.
    """

    feature: float
    value: float
    feature_norm2: int
    value_norm2: int
    weight_steps: int
    block_rows: int

    @property
    def unit(self) -> float:
        """Value of one step of the sums."""
        return self.feature * self.value

    @property
    def normaliser_weight(self) -> float:
        return self.weight_steps * self.value


def choose_grids(features: FeatureMap, normaliser_weight: float) -> Grids:
    """The finest grids for which no partial sum of 256 rows can reach 2^53 and no total 2^62.

    Rows of features have norm at most b and rows [v, c] norm at most w: a block of R products stays below
    R (b / feature grid) (w / value grid).
    """
    parameters = features.parameters
    b = features.norm(parameters.bounds.key)
    w = math.hypot(parameters.value_norm, normaliser_weight)
    budget = min(EXACT_BITS - LEAST_BLOCK_ROWS.bit_length(), 62 - parameters.rows.bit_length()) - 2
    feature_bits = min(25, (budget + 5) // 2)
    value_bits = min(25, budget - feature_bits)
    feature = math.ldexp(1.0, math.frexp(b)[1] - feature_bits)
    value = math.ldexp(1.0, math.frexp(w)[1] - value_bits)
    return Grids(
        feature,
        value,
        feature_norm2=math.floor((b * NORM_ROOM / feature) ** 2),
        value_norm2=math.floor((parameters.value_norm * NORM_ROOM / value) ** 2),
        weight_steps=max(1, round(normaliser_weight / value)),
        block_rows=1 << (EXACT_BITS - 3 - feature_bits - value_bits),
    )


@contract(enforces=[feature_norm.LEMMA, functional_sensitivity.LEMMA])
def outer_product_sums(
    blocks: Iterable[tuple[Array, Array]], features: Evaluated, grids: Grids
) -> npt.NDArray[np.int64]:
    """``sum_i phi(k_i) [v_i, c]^T`` of rounded rows, exactly, in steps of ``grids.unit``; PRIVATE until noised.

    Args:
        blocks: keys and values of shapes (n_j, d) and (n_j, d_v), inside the bounds; no more rows in all than
            ``features.parameters.rows``.

    Returns:
        int64 of shape (r, d_v + 1), the same for any order of the rows and any blocks.

    Raises:
        ConclusionViolated: a rounded row exceeds its integer norm bound. Squared norms are exact, since they stay
            below 2^53.
    """
    columns = features.parameters.columns
    total = np.zeros((columns + 1, features.size), dtype=np.int64)  # so the products are faster than transposed
    size = min(grids.block_rows, _rows_at_a_time(features.size))
    rows = np.full((columns + 1, size), float(grids.weight_steps))
    in_steps = _evaluation(features, grids.feature, size)
    largest = np.zeros(2)  # squared norm of a row of features, and of values, so far
    for keys, values in blocks:
        with _threads_for(features):
            for start in range(0, len(keys), size):
                part = slice(start, start + size)
                phi = in_steps(keys[part])
                np.trunc(phi, out=phi)
                row = rows[:, : phi.shape[1]]
                np.divide(values[part].T, grids.value, out=row[:-1])
                np.trunc(row[:-1], out=row[:-1])
                norms = [np.einsum("ij,ij->j", rounded, rounded).max() for rounded in (phi, row[:-1])]
                np.maximum(largest, norms, out=largest)  # NaN stays
                total += (row @ phi.T).astype(np.int64)
    feature_norm.LEMMA.enforce(norms_squared=largest[0], bound=grids.feature_norm2)
    functional_sensitivity.LEMMA.enforce(norms_squared=largest[1], bound=grids.value_norm2)
    return np.ascontiguousarray(total.T)


def _rows_at_a_time(features: int) -> int:
    wanted = max(WORTHWHILE_ROWS, CACHED_ENTRIES // features)
    return max(LEAST_BLOCK_ROWS, min(wanted, MOST_ENTRIES // features))


def _threads_for(features: Evaluated) -> AbstractContextManager[Any]:
    """Polynomial features are made between short products; other maps consist of long ones."""
    return one_blas_thread() if isinstance(features, PolynomialMap) else nullcontext()


def _evaluation(features: Evaluated, step: float, size: int) -> Callable[[Array], Array]:
    """Features of up to ``size`` rows in grid steps; where the map can, always in the same memory."""
    if not isinstance(features, PolynomialMap):
        return lambda keys: features(keys) / step
    buffer = np.empty((features.size, size))
    return lambda keys: features.fill(keys, step, buffer[:, : len(keys)])

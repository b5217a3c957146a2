"""Exact sums of outer products: each row is put on a grid first, then integers are summed.

A float sum has a larger sensitivity than its real counterpart (Casacuberta et al., CCS 2022). Here features and
values become integers row by row, rounded toward zero so that no norm grows; their norms are checked in
integers; and the matrix products are exact in float64, whatever the order of summation, because every partial
sum stays below 2^53. That is decided from the public bounds before anything is computed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dpverify.cross_attention.parameters import Parameters
from dpverify.spec import contract
from dpverify.spec.attention import functional_sensitivity
from dpverify.spec.kernel import feature_norm

Array = npt.NDArray[np.float64]
BLOCK_ROWS = 256
EXACT_BITS = 53  # float64 represents every integer up to 2^53
NORM_ROOM = 1.0 + 2.0**-30  # float errors of clipping (1e-12) and of features stay far below this


@dataclass(frozen=True)
class Grids:
    """Power-of-two grids and the integer bounds that rows meet on them.

    Attributes:
        feature, value: grid spacings; a feature row has squared norm at most ``feature_norm2`` steps squared, a
            value row (without the normaliser's entry) at most ``value_norm2``.
        weight_steps: the normaliser's entry c, in steps of ``value``.
    """

    feature: float
    value: float
    feature_norm2: int
    value_norm2: int
    weight_steps: int

    @property
    def unit(self) -> float:
        """Value of one step of the sums."""
        return self.feature * self.value

    @property
    def normaliser_weight(self) -> float:
        return self.weight_steps * self.value


def choose_grids(parameters: Parameters, normaliser_weight: float) -> Grids:
    """The finest grids for which no partial sum can reach 2^53 and no total 2^62.

    Rows of features have norm at most b and rows [v, c] norm at most w: a block of 256 products stays below
    256 (b / feature grid) (w / value grid).
    """
    b = parameters.feature_norm(parameters.bounds.key)
    w = math.hypot(parameters.value_norm, normaliser_weight)
    budget = min(EXACT_BITS - BLOCK_ROWS.bit_length(), 62 - parameters.rows.bit_length()) - 2
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
    )


@contract(enforces=[feature_norm.LEMMA, functional_sensitivity.LEMMA])
def outer_product_sums(keys: Array, values: Array, parameters: Parameters, grids: Grids) -> npt.NDArray[np.int64]:
    """``sum_i phi(k_i) [v_i, c]^T`` of rounded rows, exactly, in steps of ``grids.unit``; PRIVATE until noised.

    Args:
        keys, values: shapes (n, d) and (n, d_v), inside the bounds.

    Returns:
        int64 of shape (r, d_v + 1), the same for any order of the rows and any block size.

    Raises:
        ConclusionViolated: a rounded row exceeds its integer norm bound. Squared norms are exact, since they stay
            below 2^53.
    """
    total = np.zeros((parameters.features.size, parameters.columns + 1), dtype=np.int64)
    weight = np.full((BLOCK_ROWS, 1), float(grids.weight_steps))
    for start in range(0, len(keys), BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        phi = np.trunc(parameters.features(keys[part]) / grids.feature)
        v = np.trunc(values[part] / grids.value)
        feature_norm.LEMMA.enforce(norms_squared=(phi * phi).sum(axis=0), bound=grids.feature_norm2)
        functional_sensitivity.LEMMA.enforce(norms_squared=(v * v).sum(axis=1), bound=grids.value_norm2)
        total += (phi @ np.hstack([v, weight[: len(v)]])).astype(np.int64)
    return total

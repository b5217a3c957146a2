"""The exact exponential kernel, seen from the queries that are asked: public numbers, and exact sums over the rows.

Everything is divided by sqrt(k(q, q)), so that the kernel between queries is ``exp(-s |q - q'|^2 / 2)``. The logit
``scale <q, k>`` does not change when queries are divided by a number and keys multiplied by it. The number that
makes both radii equal gives the least noise: with logits up to X, kernel values between keys reach e^X, and so do
those between queries.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.cross_attention.integer_sums import NORM_ROOM, Grids, outer_product_sums
from dpverify.cross_attention.parameters import Parameters
from dpverify.errors import InvalidArgument
from dpverify.spec import contract
from dpverify.spec.attention import functional_sensitivity, lazy_jitter
from dpverify.spec.kernel import nystrom_contraction, nystrom_norm

Array = npt.NDArray[np.float64]
Objects = npt.NDArray[np.object_]
LEAST_JITTER = 2.0**-12
JITTER_ROOM = 2.0**18  # times what covers rounding: two machines' factors then agree far better than anything needs
MOST_JITTER = 2.0**-5
INVERSE_ERROR = 2.0**-14  # of the whole inverse factor, in Frobenius norm
UP = 1.0 + 2.0**-40
COARSE_BITS, FINE_BITS, VALUE_BITS, BLOCK_ROWS = 25, 20, 20, 128  # partial sums of blocks stay below 2^53
ROWS_AT_A_TIME = 1 << 16  # 64-bit totals hold so many; beyond, Python's integers


@dataclass(frozen=True)
class LazyKernel:
    """What follows from the public parameters and the limit of queries.

    Attributes:
        max_queries: T, the largest number of different queries.
    """

    parameters: Parameters
    max_queries: int

    @cached_property
    def logit(self) -> float:
        """Largest |scale <q, k>|, with room for rows that clipping leaves an ulp outside; so is s |q|^2."""
        p = self.parameters
        return p.scale * p.key_radius * p.query_radius * (1.0 + 2e-9)

    @property
    def query_scale(self) -> float:
        """s: the kernel between queries is exp(s <q, q'>)."""
        p = self.parameters
        return p.scale * p.key_radius / p.query_radius

    @property
    def key_norm(self) -> float:
        """b: largest sqrt(k(x, x)) of a key, rounded up."""
        return math.exp(self.logit / 2.0) * UP

    def query_norms(self, queries: Array) -> Array:
        """sqrt(k(q, q)), shape (m,)."""
        return np.asarray(np.exp(0.5 * self.query_scale * (queries * queries).sum(axis=1)))

    @property
    def float_error(self) -> float:
        """Relative error of exp of a logit less half a squared norm or two in floats, hence of all kernel values."""
        return nystrom_norm.kernel_error(self.logit, self.parameters.dimension + 4, 2.0)

    @property
    def covering_jitter(self) -> float:
        """The least jitter for which rounding of the factor costs no privacy."""
        return lazy_jitter.least_jitter(self.max_queries, 1.0, self.float_error)

    @cached_property
    def jitter(self) -> float:
        """Variance of the noise that each query has of its own, in the unit of k(q, q) sigma^2.

        Raises:
            InvalidArgument: floats are too coarse for so many queries.
        """
        found = max(LEAST_JITTER, JITTER_ROOM * self.covering_jitter)
        if not found <= MOST_JITTER:
            raise InvalidArgument(
                "max_queries",
                self.max_queries,
                f"so small that rounding stays far below the noise (jitter {found:.2g}, at most {MOST_JITTER:g})",
                "lower it, or lower scale, the bounds or the dimension",
            )
        return found

    @property
    def excess(self) -> float:
        """eta, with ``|G K G^T|_2 <= 1 + eta`` for the rows G of the inverse factors that are used.

        With K + jitter = L* L*^T exactly, each process's float factor is L = L* (I + X), |X|_F <= 2 E / jitter where E
        is the covering jitter (of L^-1 (L L^T - L* L*^T) L^-T the lower triangle), and G L = I + R with |R|_F within
        INVERSE_ERROR, which is checked. A file may be continued by other machines, whose rows have other X: T of them
        add up to sqrt(T) |X|_F at most. And ``G K G^T <= (G L*) (G L*)^T``.
        """
        moved = INVERSE_ERROR + 2.0 * math.sqrt(self.max_queries) * self.covering_jitter / self.jitter
        return (1.0 + 1.01 * moved) ** 2 - 1.0

    @property
    def step(self) -> float:
        """How far a weight, divided by sqrt(k(q, q)), can be from what floats and the grid make of it."""
        b = self.key_norm
        return math.ldexp(2.0 * b, -COARSE_BITS - FINE_BITS) + self.float_error * b

    @property
    def deviation(self) -> float:
        """What that makes of a row's coefficients in l2: |G|_F sqrt(T) steps, |G|_F^2 <= T (1 + eta) / jitter.

        In Frobenius norm, since a later process may round earlier weights anew.
        """
        return 1.01 * self.max_queries * math.sqrt((1.0 + self.excess) / self.jitter) * self.step

    def grids(self, normaliser_weight: float) -> Grids:
        """Grids of weights (their coarse part) and of values."""
        p, b = self.parameters, self.key_norm
        w = math.hypot(p.value_norm, normaliser_weight)
        feature = math.ldexp(1.0, math.frexp(b)[1] - COARSE_BITS)
        value = math.ldexp(1.0, math.frexp(w)[1] - VALUE_BITS)
        return Grids(
            feature,
            value,
            feature_norm2=math.floor((b * NORM_ROOM / feature) ** 2) + (1 << (2 * FINE_BITS)),
            value_norm2=math.floor((p.value_norm * NORM_ROOM / value) ** 2),
            weight_steps=max(1, round(normaliser_weight / value)),
            block_rows=BLOCK_ROWS,
        )

    @contract(
        relies_on=[functional_sensitivity.LEMMA, nystrom_contraction.LEMMA, nystrom_norm.LEMMA, lazy_jitter.LEMMA]
    )
    def sensitivity(self, value_norm: float, normaliser_weight: float) -> float:
        """l2 sensitivity of all coefficients together, whatever is asked, rounded up; value rows have that norm."""
        p = self.parameters
        exact = functional_sensitivity.l2(
            self.key_norm**2 * UP,
            math.exp(-self.logit) / UP if p.bounds.signed else 1.0,
            value_norm,
            normaliser_weight,
            values_nonnegative=p.bounds.values_nonnegative,
        )
        return nystrom_contraction.rounded(
            exact, self.excess, self.deviation, math.hypot(value_norm, normaliser_weight) * UP
        )

    def gram(self, one: Array, other: Array) -> Array:
        """exp(-s |q - q'|^2 / 2), shape (m, m'), within ``float_error``."""
        exponent = self.query_scale * (one @ other.T - _half_squares(one)[:, None] - _half_squares(other)[None, :])
        return np.asarray(np.exp(np.minimum(exponent, 0.0)))


@dataclass(frozen=True, eq=False)
class WeightColumns:
    """As features of keys: their weights at given queries, in two parts of different scale.

    ``phi_j(x) = exp(scale <q_j, x>) / sqrt(k(q_j, q_j))``, at most b. The first m features are what the grid
    keeps of it, the other m what it cuts off, 2^FINE_BITS times as large.
    """

    kernel: LazyKernel
    points: Array
    grid: float
    kind = "exact kernel"

    @property
    def parameters(self) -> Parameters:
        return self.kernel.parameters

    @property
    def size(self) -> int:
        return 2 * len(self.points)

    def __call__(self, rows: Array) -> Array:
        kernel = self.kernel
        own = kernel.query_scale * _half_squares(self.points)
        weights = np.exp(kernel.parameters.scale * (self.points @ rows.T) - own[:, None])
        coarse = np.trunc(weights / self.grid) * self.grid
        return np.concatenate([coarse, np.ldexp(weights - coarse, FINE_BITS)])


def exact_sums(keys: Array, values: Array, kernel: LazyKernel, grids: Grids, points: Array) -> Objects:
    """``sum_i a_i(q) [v_i, c] / sqrt(k(q, q))`` of rounded rows for every query, exactly. PRIVATE.

    Returns:
        Python integers of shape (m, d_v + 1), in units of ``grids.unit`` 2^-FINE_BITS.
    """
    columns = WeightColumns(kernel, points, grids.feature)
    wide = replace(grids, feature_norm2=grids.feature_norm2 * len(points))
    total = np.zeros((2 * len(points), values.shape[1] + 1), dtype=object)
    for block in _blocks(keys, values):
        total += outer_product_sums([block], columns, wide).astype(object)
    return np.asarray((total[: len(points)] << FINE_BITS) + total[len(points) :])


def _blocks(keys: Array, values: Array) -> Iterator[tuple[Array, Array]]:
    for start in range(0, len(keys), ROWS_AT_A_TIME):
        part = slice(start, start + ROWS_AT_A_TIME)
        yield keys[part], values[part]


def _half_squares(rows: Array) -> Any:
    return 0.5 * (rows * rows).sum(axis=1)

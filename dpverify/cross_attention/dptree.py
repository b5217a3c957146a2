"""The published data structure (arXiv 2407.14717v3): kernel features, weighted distances, prefix-sum trees.

``2 <P(k), P(q)> = |P(k)|^2 + |P(q)|^2 - |P(k) - P(q)|^2``, and the distance splits over features. For every
feature and every column (each value column, and a column of ones for the normaliser) three trees hold noisy sums
of w, w x and w x^2 over buckets of the feature's range. Every number that is used comes from a noisy node: the
papers' ``sum w |P(k)|^2`` and ``sum w`` are roots of these trees.

For squared distances the trees are redundant (lemma ``distance.tree_redundancy``): three root sums would do.
They are built because the paper builds them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.certificate import Certificate
from dpverify.cross_attention.parameters import Parameters
from dpverify.guarantees import ApproxDP
from dpverify.nodes import NoisyNodes
from dpverify.noise.bits import BitSource
from dpverify.spec import contract
from dpverify.spec.attention import ratio_error_interval
from dpverify.spec.distance import law_of_cosines, prefix_sum_answer_p2, separability
from dpverify.spec.kernel import feature_entry_bound, feature_identity
from dpverify.spec.noise import bounded_sum_tail
from dpverify.tree import DPTree

Array = npt.NDArray[np.float64]
MOMENTS = 3  # w, w x, w x^2
CHUNK_BYTES = 1 << 26


@dataclass(frozen=True, eq=False)
class TreeState:
    """What is released: public from here on.

    Attributes:
        nodes: noisy nodes of 3 r (d_v + 1) trees in the order (feature, column, moment); the last column is the
            normaliser's. Features are in units of their bound, values in units of theirs.
        contribution_step: rows' contributions were truncated to this grid.
        node_bound, node_variance: of the noise of one node.
        coupling: probability that the sampled noise differs from the ideal law anywhere.
    """

    parameters: Parameters
    nodes: NoisyNodes
    contribution_step: float
    node_bound: float
    node_variance: float
    coupling: float

    def weighted_sums(self, queries: Array) -> tuple[Array, Array]:
        """Noisy ``sum_i a_i(q) v_i``, shape (m, d_v), and ``sum_i a_i(q)``, shape (m,)."""
        out = np.empty((len(queries), self.parameters.columns + 1))
        step = max(1, CHUNK_BYTES // (8 * self.nodes.trees))
        for start in range(0, len(queries), step):
            out[start : start + step] = self._weighted_sums(queries[start : start + step])
        return out[:, :-1] * self.parameters.bounds.value, out[:, -1]

    def _weighted_sums(self, queries: Array) -> Array:
        p = self.parameters
        limits = feature_limits(p)
        shape = (len(queries), p.features.size, p.columns + 1, MOMENTS)
        y = p.features(queries).T / limits
        bucket = buckets(y, self.nodes.levels[0].shape[1], p.bounds.signed)
        stops = np.repeat(bucket, (p.columns + 1) * MOMENTS, axis=1)
        total = np.full_like(stops, self.nodes.levels[0].shape[1])
        # the distance from y is answered from both sides of y's bucket
        sides = self.nodes.prefix(stops) + self.nodes.interval(stops, total)
        s0, s1, s2 = np.moveaxis(sides.reshape(shape), -1, 0)
        root0, _, root2 = np.moveaxis(self.nodes.root().reshape(shape[1:]), -1, 0)
        y = y[:, :, None]
        distance = prefix_sum_answer_p2.squared_distance(s0, s1, s2, y)
        halves = law_of_cosines.inner_product(root2, y * y * root0, distance)
        return np.asarray((halves * (limits**2)[None, :, None]).sum(axis=1))

    @property
    def denominator_min(self) -> float:
        """Public lower bound on the normaliser of any query of the domain; 0 if the degree is too low for one."""
        p = self.parameters
        return p.rows * p.weight_min * max(0.0, p.kernel_factors[0])

    def error_bound(self, failure_probability: float) -> float:
        """Bound on the largest entry of |answer - exact attention| for one query, over the whole domain."""
        p = self.parameters
        low, high = p.kernel_factors
        remaining = failure_probability - self.coupling
        if low <= 0 or remaining <= 0:
            return 2.0 * p.bounds.value
        sums = self._sum_deviation(remaining / (p.columns + 1))
        approximation = ratio_error_interval.absolute_error(low, high, p.bounds.value)
        # numerators are in units of the value bound, so both kinds of sum deviate alike
        return min(2.0 * p.bounds.value, approximation + 2.0 * p.bounds.value * sums / self.denominator_min)

    def _sum_deviation(self, failure_probability: float) -> float:
        """How far one noisy weighted sum may lie from the exact sum of the polynomial kernel.

        A query reads at most height + 1 nodes a tree (both sides together) and the root, with coefficients
        G^2/2 (w x^2), G^2 y (w x) and G^2 y^2/2 (w), |y| <= Y.
        """
        p = self.parameters
        g2 = feature_limits(p) ** 2
        y = _query_limits(p) / feature_limits(p)
        used = self.nodes.height + 1
        outer, middle = g2 / 2 * np.maximum(1.0, y * y), g2 * y
        squares = float(((used + 1) * (g2**2 / 4) * (1 + y**4) + used * middle**2).sum())
        largest = float(np.maximum(2 * outer, middle).max())
        noise = bounded_sum_tail.deviation(squares, largest, self.node_bound, self.node_variance, failure_probability)
        # nodes were rounded to the noise's grid, rows to the grid of contributions (once each for w x and w)
        per_node = float(((used + 1) * g2 / 2 * (1 + y * y) + used * middle).sum()) * self.nodes.grid / 2
        per_row = float(middle.sum()) * self.contribution_step * p.rows
        return noise + per_node + per_row

    def to_dict(self) -> dict[str, Any]:
        return {
            "parameters": self.parameters.to_dict(),
            "grid": self.nodes.grid,
            "contribution_step": self.contribution_step,
            "node_bound": self.node_bound,
            "node_variance": self.node_variance,
            "coupling": self.coupling,
        }

    def arrays(self) -> dict[str, npt.NDArray[np.int64]]:
        return {f"level_{i}": level for i, level in enumerate(self.nodes.levels)}

    @classmethod
    def from_parts(cls, data: dict[str, Any], arrays: dict[str, npt.NDArray[np.int64]]) -> TreeState:
        parameters = Parameters.from_dict(data["parameters"])
        levels = tuple(arrays[f"level_{i}"] for i in range(len(arrays)))
        trees = parameters.features.size * (parameters.columns + 1) * MOMENTS
        for i, level in enumerate(levels):
            if level.shape != (trees, 1 << (len(levels) - 1 - i)):
                raise ValueError(f"level {i} has shape {level.shape}")
        return cls(
            parameters,
            NoisyNodes(levels, data["grid"]),
            data["contribution_step"],
            data["node_bound"],
            data["node_variance"],
            data["coupling"],
        )


@contract(
    relies_on=[
        feature_identity.LEMMA,
        feature_entry_bound.LEMMA,
        law_of_cosines.LEMMA,
        separability.LEMMA,
        prefix_sum_answer_p2.LEMMA,
        bounded_sum_tail.LEMMA,
        ratio_error_interval.LEMMA,
    ]
)
def release_dptree(
    keys: Array, values: Array, parameters: Parameters, claim: ApproxDP, bits: BitSource
) -> tuple[TreeState, Certificate]:
    """Build the noisy trees and their certificate from rows that lie inside the bounds."""
    leaves = 1 << max(0, parameters.rows - 1).bit_length()
    fraction_bits = min(24, 51 - parameters.rows.bit_length())
    tree = DPTree.from_steps(
        leaf_sums(keys, values, parameters, leaves, fraction_bits),
        math.ldexp(1.0, -fraction_bits),
        1 << fraction_bits,
        claim,
        bits=bits,
    )
    state = TreeState(
        parameters,
        tree.nodes,
        math.ldexp(1.0, -fraction_bits),
        tree.noise.bound,
        tree.noise.std**2,
        tree.nodes.size * tree.noise.law.total_variation,
    )
    return state, Certificate(
        mechanism="attention, prefix-sum trees over kernel features",
        claim=claim,
        adjacency=tree.certificate.adjacency,
        delta_upper=tree.certificate.delta_upper,
        noise=tree.certificate.noise,
        charges=tree.certificate.charges,
        private=bits.private,
        details={
            **tree.certificate.details,
            "rows": parameters.rows,
            "degree": parameters.degree,
            "features": parameters.features.size,
            "logit scale": parameters.scale,
        },
    )


def leaf_sums(
    keys: Array, values: Array, parameters: Parameters, leaves: int, fraction_bits: int
) -> npt.NDArray[np.int64]:
    """Exact sums of w, w x and w x^2 per bucket in steps of 2^-fraction_bits; PRIVATE until noised.

    Every contribution lies in [-1, 1] and is truncated toward zero row by row; the sums of integers below 2^53
    are exact in float64. Shape (3 r (d_v + 1), leaves).
    """
    p = parameters
    limits = feature_limits(p)
    weights = np.hstack([values / p.bounds.value, np.ones((len(values), 1))]).clip(-1.0, 1.0).T
    out = np.empty((p.features.size, p.columns + 1, MOMENTS, leaves), dtype=np.int64)
    scale = math.ldexp(1.0, fraction_bits)
    low = -1.0 if p.bounds.signed else 0.0
    for feature, x in enumerate(p.features(keys) / limits[:, None]):
        position = buckets(x, leaves, p.bounds.signed)
        powers = x.clip(low, 1.0) ** np.arange(MOMENTS)[:, None]
        for column, w in enumerate(weights):
            for moment in range(MOMENTS):
                steps = np.trunc(w * powers[moment] * scale)
                out[feature, column, moment] = np.bincount(position, weights=steps, minlength=leaves)
    return out.reshape(-1, leaves)


def buckets(x: Array, leaves: int, signed: bool) -> npt.NDArray[np.int64]:
    """The bucket of x in [-1, 1] (or [0, 1]); beyond the range, the first or the last."""
    share = (x + 1.0) / 2.0 if signed else x
    return np.clip(np.floor(share * leaves), 0, leaves - 1).astype(np.int64)


def feature_limits(parameters: Parameters) -> Array:
    """Largest magnitude of every feature over the keys' domain, shape (r,)."""
    return _limits(parameters, parameters.bounds.key)


def _query_limits(parameters: Parameters) -> Array:
    return _limits(parameters, parameters.bounds.query)


def _limits(parameters: Parameters, bound: float) -> Array:
    indices = feature_identity.multi_indices(parameters.dimension, parameters.degree)
    return np.array(
        [
            feature_entry_bound.entry_bound(index, parameters.scale, bound, parameters.bounds.shape)
            for index in indices.tolist()
        ]
    )

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
from dpverify.cross_attention import accuracy
from dpverify.cross_attention.answers import Margins, NoisySums
from dpverify.cross_attention.parameters import Parameters
from dpverify.cross_attention.polynomial import PolynomialMap
from dpverify.guarantees import ApproxDP
from dpverify.nodes import NoisyNodes
from dpverify.noise.bits import BitSource
from dpverify.spec import contract
from dpverify.spec.adaptive import sign_patterns
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

    features: PolynomialMap
    nodes: NoisyNodes
    contribution_step: float
    node_bound: float
    node_variance: float
    coupling: float

    @property
    def parameters(self) -> Parameters:
        return self.features.parameters

    def weighted_sums(self, queries: Array) -> tuple[Array, Array]:
        """Noisy ``sum_i a_i(q) v_i``, shape (m, d_v), and ``sum_i a_i(q)``, shape (m,)."""
        out = np.empty((len(queries), self.parameters.columns + 1))
        step = max(1, CHUNK_BYTES // (8 * self.nodes.trees))
        for start in range(0, len(queries), step):
            out[start : start + step] = self._weighted_sums(queries[start : start + step])
        return out[:, :-1] * self.parameters.bounds.value, out[:, -1]

    def _weighted_sums(self, queries: Array) -> Array:
        p = self.parameters
        limits = feature_limits(self.features)
        shape = (len(queries), self.features.size, p.columns + 1, MOMENTS)
        y = self.features(queries).T / limits
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

    def noisy_sums(self, queries: Array) -> NoisySums:
        """What the release says of queries of shape (m, d)."""
        numerators, normalisers = self.weighted_sums(queries)
        std = np.sqrt(self.node_variance * self._coefficients(queries)[0])
        least = accuracy.normaliser_min(self.features, queries, np.zeros(len(queries)))
        return NoisySums(numerators, normalisers, self.parameters.bounds.value * std, std, least)

    def margins(self, queries: Array, failure_probability: float, *, adaptive: bool) -> Margins:
        """See :class:`dpverify.cross_attention.accuracy.Answering`."""
        p, zero = self.parameters, np.zeros(len(queries))
        bias, beyond = accuracy.kernel_margins(self.features, queries, zero)
        if adaptive:
            deviation = np.full(len(queries), self._simultaneous_deviation(failure_probability / (2 * p.columns)))
        else:
            squares, largest, total, rounding = self._coefficients(queries)
            share = failure_probability / (2 * p.columns)  # the numerator alone, and with the normaliser
            found = [
                bounded_sum_tail.deviation(2 * c2, c, self.node_bound, self.node_variance, share, 2 * c1)
                for c2, c, c1 in zip(squares.tolist(), largest.tolist(), total.tolist(), strict=True)
            ]
            deviation = np.array(found) + 2 * rounding
        return Margins(p.bounds.value * deviation, zero, zero, bias, beyond)

    def _coefficients(self, queries: Array) -> tuple[Array, Array, Array, Array]:
        """Of the nodes that one column's sum reads at each query: sum of squares, largest magnitude, sum of
        magnitudes; and how far rounding moves that sum. Each of shape (m,), in units of the value bound.

        A feature's nodes have coefficients G^2/2 (w x^2), G^2 y (w x), G^2 y^2/2 (w); its two roots G^2/2 and
        G^2 y^2/2, and the sum of both sides is the root itself, whose coefficients cancel, in the first bucket.
        """
        p = self.parameters
        limits = feature_limits(self.features)[:, None]
        leaves = self.nodes.levels[0].shape[1]
        out = np.empty((4, len(queries)))
        for part in accuracy.chunks(queries, self.features.size):
            y = self.features(queries[part]) / limits
            bucket = buckets(y, leaves, p.bounds.signed)
            read = _set_bits(bucket) + _set_bits(leaves - bucket)
            outer = np.where(bucket > 0, read + 1, 0)
            ends, middle = limits**2 / 2, limits**2 * np.abs(y)
            out[0, part] = (outer * ends**2 * (1 + y**4) + read * middle**2).sum(axis=0)
            out[1, part] = np.maximum(np.where(bucket > 0, ends * np.maximum(1.0, y * y), 0.0), middle).max(axis=0)
            out[2, part] = (outer * ends * (1 + y * y) + read * middle).sum(axis=0)
            # nodes were rounded to the noise's grid, rows to the grid of contributions: of w x only, the others cancel
            out[3, part] = out[2, part] * self.nodes.grid / 2 + middle.sum(axis=0) * self.contribution_step * p.rows
        return out[0], out[1], out[2], out[3]

    @property
    def denominator_min(self) -> float:
        """Public lower bound on the normaliser of any query of the domain; that of exact attention if the degree is
        too low for one of its own."""
        p, low = self.parameters, self.features.kernel_factors[0]
        return p.rows * p.weight_min * (low if low > 0 else 1.0)

    def error_bound(self, failure_probability: float) -> float:
        """Bound on the largest entry of |answer - exact attention| for one query, over the whole domain."""
        p = self.parameters
        low, high = self.features.kernel_factors
        remaining = failure_probability - self.coupling
        if low <= 0 or remaining <= 0:
            return p.bounds.value_span
        sums = self._sum_deviation(remaining / (p.columns + 1))
        approximation = ratio_error_interval.absolute_error(low, high, p.bounds.value)
        # numerators are in units of the value bound, so both kinds of sum deviate alike
        return min(p.bounds.value_span, approximation + 2.0 * p.bounds.value * sums / self.denominator_min)

    def simultaneous_error_bound(self, failure_probability: float) -> float:
        """The same for all queries of the domain at once."""
        p = self.parameters
        low, high = self.features.kernel_factors
        remaining = failure_probability - self.coupling
        if low <= 0 or remaining <= 0:
            return p.bounds.value_span
        sums = self._simultaneous_deviation(remaining / (2 * p.columns))
        approximation = ratio_error_interval.absolute_error(low, high, p.bounds.value)
        return min(p.bounds.value_span, approximation + p.bounds.value * sums / self.denominator_min)

    def _sum_deviation(self, failure_probability: float) -> float:
        """How far one noisy weighted sum may lie from the exact sum of the polynomial kernel."""
        squares, largest, _, rounding = self._largest_coefficients()
        spread = (largest, self.node_bound, self.node_variance)
        return bounded_sum_tail.deviation(squares, *spread, failure_probability) + rounding

    def _simultaneous_deviation(self, failure_probability: float) -> float:
        """How far ``e1 - x e2``, one x in [-1, 1], may lie from zero for all queries at once, in units of the value
        bound; e1, e2 are the errors of two columns' sums.

        The queries are split by the buckets that their features fall into and by a fine grid. Within such a class the
        same nodes are read, so the noise changes by no more than the grid's spacing allows, whatever the noise is;
        and there are few classes (lemma ``adaptive.sign_patterns``), so a union bound over one query of each serves.
        """
        p = self.parameters
        squares, largest, total, rounding = self._largest_coefficients()
        leaves, degree = self.nodes.levels[0].shape[1], max(1, self.features.degree)
        found = [2.0 * self.node_bound * total]
        for cells in (1 << k for k in range(0, 42, 3)):
            planes = self.features.size * (leaves - 1) + p.dimension * (cells + 1)
            share = failure_probability * math.exp(-sign_patterns.log_count(planes, degree, p.dimension))
            if share > 0.0:
                noise = bounded_sum_tail.deviation(2 * squares, largest, self.node_bound, self.node_variance, share)
                found.append(noise + 2.0 * self._variation() / cells)
        return min(found) + 2.0 * rounding

    def _variation(self) -> float:
        """Times the width of a cell, as a share of the domain's: bound on the change of one noisy sum among queries of
        that cell whose features fall into the same buckets."""
        p, limits = self.parameters, feature_limits(self.features)
        indices = feature_identity.multi_indices(p.dimension, self.features.degree)
        corner = [feature_entry_bound.entry_bound(index, p.scale, p.bounds.query, "box") for index in indices.tolist()]
        # a monomial of total degree j changes by at most j / bound of its largest value, times the change of q
        steepness = indices.sum(axis=1) * np.array(corner) / limits * (2.0 if p.bounds.signed else 1.0)
        used, y = self.nodes.height + 1, _query_limits(self.features) / limits
        return self.node_bound * float((limits**2 * (used + y * (used + 1)) * steepness).sum())

    def _largest_coefficients(self) -> tuple[float, float, float, float]:
        """As ``_coefficients``, at least what any query of the domain has.

        A query reads at most height + 1 nodes of a tree, both sides together, and the root.
        """
        p = self.parameters
        g2 = feature_limits(self.features) ** 2
        y = _query_limits(self.features) / feature_limits(self.features)
        used = self.nodes.height + 1
        middle = g2 * y
        squares = float(((used + 1) * (g2**2 / 4) * (1 + y**4) + used * middle**2).sum())
        largest = float(np.maximum(g2 / 2 * np.maximum(1.0, y * y), middle).max())
        total = float(((used + 1) * g2 / 2 * (1 + y * y) + used * middle).sum())
        # nodes were rounded to the noise's grid, rows to the grid of contributions: of w x only, the others cancel
        rounding = total * self.nodes.grid / 2 + float(middle.sum()) * self.contribution_step * p.rows
        return squares, largest, total, rounding

    def to_dict(self) -> dict[str, Any]:
        return {
            "parameters": self.parameters.to_dict(),
            "features": self.features.to_dict(),
            "grid": self.nodes.grid,
            "contribution_step": self.contribution_step,
            "node_bound": self.node_bound,
            "node_variance": self.node_variance,
            "coupling": self.coupling,
        }

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {f"level_{i}": level for i, level in enumerate(self.nodes.levels)}

    @classmethod
    def from_parts(cls, data: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> TreeState:
        parameters = Parameters.from_dict(data["parameters"])
        features = PolynomialMap.from_parts(parameters, data["features"], {})
        levels = tuple(arrays[f"level_{i}"] for i in range(len(arrays)))
        trees = features.size * (parameters.columns + 1) * MOMENTS
        for i, level in enumerate(levels):
            if level.shape != (trees, 1 << (len(levels) - 1 - i)):
                raise ValueError(f"level {i} has shape {level.shape}")
        return cls(
            features,
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
        sign_patterns.LEMMA,
    ]
)
def release_dptree(
    keys: Array, values: Array, features: PolynomialMap, claim: ApproxDP, bits: BitSource
) -> tuple[TreeState, Certificate]:
    """Build the noisy trees and their certificate from rows that lie inside the bounds."""
    parameters = features.parameters
    leaves = 1 << max(0, parameters.rows - 1).bit_length()
    fraction_bits = min(24, 51 - parameters.rows.bit_length())
    tree = DPTree.from_steps(
        leaf_sums(keys, values, features, leaves, fraction_bits),
        math.ldexp(1.0, -fraction_bits),
        1 << fraction_bits,
        claim,
        bits=bits,
    )
    state = TreeState(
        features,
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
            **features.details(),
            "logit scale": parameters.scale,
        },
    )


def leaf_sums(
    keys: Array, values: Array, features: PolynomialMap, leaves: int, fraction_bits: int
) -> npt.NDArray[np.int64]:
    """Exact sums of w, w x and w x^2 per bucket in steps of 2^-fraction_bits; PRIVATE until noised.

    Every contribution lies in [-1, 1] and is truncated toward zero row by row; the sums of integers below 2^53
    are exact in float64. Shape (3 r (d_v + 1), leaves).
    """
    p = features.parameters
    limits = feature_limits(features)
    weights = np.hstack([values / p.bounds.value, np.ones((len(values), 1))]).clip(-1.0, 1.0).T
    out = np.empty((features.size, p.columns + 1, MOMENTS, leaves), dtype=np.int64)
    scale = math.ldexp(1.0, fraction_bits)
    low = -1.0 if p.bounds.signed else 0.0
    for feature, x in enumerate(features(keys) / limits[:, None]):
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


def _set_bits(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """How many bits of each number are 1."""
    return sum(((numbers >> k) & 1 for k in range(int(numbers.max(initial=1)).bit_length())), np.zeros_like(numbers))


def feature_limits(features: PolynomialMap) -> Array:
    """Largest magnitude of every feature over the keys' domain, shape (r,)."""
    return _limits(features, features.parameters.bounds.key)


def _query_limits(features: PolynomialMap) -> Array:
    return _limits(features, features.parameters.bounds.query)


def _limits(features: PolynomialMap, bound: float) -> Array:
    p = features.parameters
    indices = feature_identity.multi_indices(p.dimension, features.degree)
    return np.array(
        [feature_entry_bound.entry_bound(index, p.scale, bound, p.bounds.shape) for index in indices.tolist()]
    )

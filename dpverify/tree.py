"""The private segment tree: every node of one or many complete binary trees gets noise once, at build time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from dpverify.certificate import Certificate, noise_summary
from dpverify.checks import finite_array, positive
from dpverify.errors import InvalidArgument
from dpverify.guarantees import Adjacency, ApproxDP
from dpverify.nodes import Integers, NoisyNodes
from dpverify.noise import TruncatedLaplace, calibrate, tree_alternatives
from dpverify.noise.bits import BitSource, OSBits
from dpverify.noise.grid import check_grid, coarsen, power_of_two_below, to_steps
from dpverify.spec import contract
from dpverify.spec.noise import grid_rounding, truncated_laplace_privacy
from dpverify.spec.tree import (
    leaf_membership,
    node_sum,
    privacy_composition,
    privacy_vector,
    sensitivity_l1,
)

Split = Literal["levels", "vector", "exact"]
FINE_BITS = 24  # leaves are put on a grid 2^24 times finer than the change of one leaf


@contract(
    relies_on=[
        leaf_membership.LEMMA,
        sensitivity_l1.LEMMA,
        privacy_composition.LEMMA,
        privacy_vector.LEMMA,
        grid_rounding.LEMMA,
    ],
    enforces=[node_sum.LEMMA, truncated_laplace_privacy.LEMMA],
)
class DPTree:
    """Private range sums over one or many arrays of leaves at once.

    The leaves are padded with zeros to a power of two. They are put on a fine grid and summed as integers, so
    the node values do not depend on an order of summation; nodes are then rounded to the noise's grid and get
    one draw of truncated Laplace noise each. Queries are post-processing and cost no privacy.

    Args:
        leaves: shape (n,) or (trees, n), real or integer.
        sensitivity: how much one row can change one leaf of one tree, > 0. A row may touch every tree.
        claim: (epsilon, delta) for all nodes of all trees together; epsilon > 0, 0 < delta <= 1/2.
        adjacency: REPLACE_ONE: a row may leave one leaf and enter another (two paths change in each tree);
            ADD_REMOVE: one leaf changes (one path).
        split: "levels", the published form: each level of each tree gets an equal part of epsilon and delta;
            "vector": one calibration for the l1-sensitivity of all nodes together. Their scales agree; the
            support of "levels" is slightly smaller; "exact": the smallest noise by exact composition of all nodes
            (some seconds; it pays from a few trees on).
        grid: grid of the noise, a power of two; chosen if not given.
        bits: None for the operating system's randomness; a SeededBits for tests.

    Attributes:
        height: the number of levels is height + 1.
        nodes: the noisy nodes; everything after them is post-processing.
        noise: what every node got.
        certificate: claim, certified delta, charges.

    Source: arXiv 2407.14717v3, Algorithm 1, with the budget split by height + 1 levels (not log2 n).

    >>> from dpverify.noise import SeededBits
    >>> tree = DPTree([3, 1, 4, 1, 5], 1, ApproxDP(8.0, 1e-3), bits=SeededBits(0))
    >>> tree.height, tree.prefix(3).shape
    (3, ())
    """

    def __init__(
        self,
        leaves: npt.ArrayLike,
        sensitivity: float,
        claim: ApproxDP,
        *,
        adjacency: Adjacency = Adjacency.REPLACE_ONE,
        split: Split = "levels",
        grid: float | None = None,
        bits: BitSource | None = None,
    ) -> None:
        values = finite_array("leaves", leaves)
        if values.ndim not in (1, 2) or values.size == 0:
            raise InvalidArgument(
                "leaves", f"an array of shape {values.shape}", "of shape (n,) or (trees, n), not empty"
            )
        sensitivity = positive("sensitivity", sensitivity)
        fine = power_of_two_below(sensitivity) * 2.0**-FINE_BITS
        change = grid_rounding.rounded_steps_scalar(sensitivity, fine)
        self._build(to_steps(np.atleast_2d(values), fine), fine, change, claim, adjacency, split, grid, bits)
        self._single = values.ndim == 1

    @classmethod
    def from_steps(
        cls,
        steps: Integers,
        unit: float,
        change: int,
        claim: ApproxDP,
        *,
        adjacency: Adjacency = Adjacency.REPLACE_ONE,
        split: Split = "levels",
        bits: BitSource | None = None,
    ) -> DPTree:
        """A tree over leaves that are integers already, in units of ``unit`` (a power of two).

        Args:
            steps: shape (trees, n); ``change`` bounds how many steps one row can change one leaf.
        """
        tree = cls.__new__(cls)
        tree._build(steps, check_grid(unit), change, claim, adjacency, split, None, bits)
        tree._single = False
        return tree

    def _build(
        self,
        steps: Integers,
        unit: float,
        change: int,
        claim: ApproxDP,
        adjacency: Adjacency,
        split: Split,
        grid: float | None,
        bits: BitSource | None,
    ) -> None:
        if split not in ("levels", "vector", "exact"):
            raise InvalidArgument("split", split, "'levels', 'vector' or 'exact'")
        truncated_laplace_privacy.LEMMA.require(epsilon=claim.epsilon, delta=claim.delta)
        trees, leaves = steps.shape
        levels = leaf_membership.levels(leaves)
        self.height = levels - 1
        self.leaves = leaves
        _check_sums_fit(steps)
        leaves_changed = 2 if adjacency is Adjacency.REPLACE_ONE else 1
        calibrated = _calibrate(trees, self.height, change * unit, leaves_changed, claim, split, grid)
        self.noise = calibrated.noise
        coarser = round(math.log2(self.noise.grid / unit))
        if coarser < 0:
            raise InvalidArgument("grid", grid, f"at least the grid of the leaves, {unit:g}")
        source = OSBits() if bits is None else bits

        level = np.zeros((trees, 1 << self.height), dtype=np.int64)
        level[:, :leaves] = steps
        noisy: list[Integers] = []
        for depth in range(levels):
            noise = self.noise.sample_steps(level.shape, source)
            noisy.append(coarsen(level, coarser) + noise)
            if depth < self.height:
                parents = node_sum.parent_level(level)
                node_sum.LEMMA.enforce(parents=parents, children=level)
                level = parents
        self.nodes = NoisyNodes(tuple(noisy), self.noise.grid)
        self.certificate = Certificate(
            mechanism=f"DPTree ({split})",
            claim=claim,
            adjacency=adjacency,
            delta_upper=calibrated.delta_upper,
            noise=noise_summary(self.noise),
            charges={
                "rounding share of sensitivity": self.noise.rounding_charge,
                "tables' share of delta": calibrated.table_charge,
            },
            private=source.private,
            details={"trees": trees, "leaves": leaves, "levels": levels, "nodes": self.nodes.size},
        )

    def root(self) -> npt.NDArray[np.float64]:
        """The noisy total of each tree; shape (trees,), or () for one array of leaves."""
        return self._shaped(self.nodes.root())

    def prefix(self, stop: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Noisy sum of leaves 0 .. stop - 1.

        Args:
            stop: an integer for every tree alike, or integers of shape (..., trees) (for one array of leaves: any
                shape), in [0, number of leaves].

        Returns:
            That shape (an integer gives (trees,), or () for one array of leaves). At most max(1, height) nodes
            are added for each answer.
        """
        return self._shaped(self.nodes.prefix(self._indices("stop", stop)))

    def interval(self, start: npt.ArrayLike, stop: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Noisy sum of leaves start .. stop - 1; shapes as for :meth:`prefix`.

        At most max(1, 2 (height - 1)) nodes are added for each answer.
        """
        left, right = np.broadcast_arrays(self._indices("start", start), self._indices("stop", stop))
        if np.any(left > right):
            raise InvalidArgument("start", start, "at most stop in every place")
        return self._shaped(self.nodes.interval(left, right))

    def _indices(self, name: str, value: npt.ArrayLike) -> Integers:
        """Leaf positions with one column a tree (a single array of leaves counts as one tree)."""
        given = np.asarray(value)
        if given.dtype.kind not in "iu":
            raise InvalidArgument(name, value, "an integer or an array of integers")
        index = given.astype(np.int64)
        if np.any((index < 0) | (index > self.leaves)):
            raise InvalidArgument(name, value, f"in [0, {self.leaves}], the number of leaves")
        if self._single:
            return index[..., None]
        if index.ndim == 0:
            return np.broadcast_to(index, (self.nodes.trees,))
        if index.shape[-1] != self.nodes.trees:
            raise InvalidArgument(
                name, f"an array of shape {index.shape}", f"of shape (..., {self.nodes.trees}), one column a tree"
            )
        return index

    def _shaped(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return values[..., 0] if self._single else values


@dataclass(frozen=True)
class _Calibrated:
    """The noise of one node, and what is certain about all nodes together."""

    noise: TruncatedLaplace
    delta_upper: float
    table_charge: float


def _calibrate(
    trees: int, height: int, change: float, leaves_changed: int, claim: ApproxDP, split: Split, grid: float | None
) -> _Calibrated:
    nodes = trees * (2 ** (height + 1) - 1)
    if split == "exact":
        one_tree = tree_alternatives(change, height, leaves_changed)
        changes = [[(by, trees * count) for by, count in moved] for moved in one_tree]
        found = calibrate(changes, claim, draws=nodes, grid=grid)
        return _Calibrated(found.noise, found.delta_upper, found.noise.table_charge)
    if split == "levels":
        parts = trees * (height + 1)
        share = math.nextafter(claim.epsilon / trees, 0.0), math.nextafter(claim.delta / trees, 0.0)
        part = ApproxDP(*privacy_composition.level_budget(*share, height))
        # one level of one tree: the nodes on at most two paths change
        noise = TruncatedLaplace(leaves_changed * change, part, draws=1 << height, changed=leaves_changed, grid=grid)
        delta = math.nextafter(parts * noise.delta(part.epsilon), math.inf)
        return _Calibrated(noise, delta, parts * noise.table_charge)
    total = trees * sensitivity_l1.l1(change, height, leaves_changed)
    paths = trees * leaves_changed * (height + 1)
    noise = TruncatedLaplace(total, claim, draws=nodes, changed=paths, grid=grid)
    return _Calibrated(noise, noise.delta(claim.epsilon), noise.table_charge)


def _check_sums_fit(steps: Integers) -> None:
    """Node sums stay below 2^62, so that no integer overflows, nor after adding noise."""
    largest = float(np.abs(steps.astype(np.float64)).sum(axis=1).max())
    if not largest < 2.0**61:
        raise InvalidArgument(
            "leaves",
            f"an array whose magnitudes sum to {largest:.3g} steps",
            "summable below 2^61 steps of its grid",
            "rescale the leaves or raise sensitivity to what one row can really change",
        )

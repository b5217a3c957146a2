"""The library's own mechanisms in the form that an audit takes, each with a worst pair of neighbours.

A tree or a release draws its noise once, independently of the data, and adds it to exact integers. Building it with
a known seed and subtracting that noise gives the integers back; many independent outputs are then those integers
plus fresh noise from the same tables. Nothing but an audit may do this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from dpverify.accounting import PrivacyLoss, epsilon_bracket
from dpverify.audits.additive import Additive, fresh
from dpverify.cross_attention import Bounds, release_attention
from dpverify.cross_attention.dptree import TreeState
from dpverify.cross_attention.feature_maps import Features
from dpverify.cross_attention.functional import FunctionalState
from dpverify.cross_attention.lazy import LazyState
from dpverify.cross_attention.nystrom import Nystrom
from dpverify.cross_attention.random_features import PositiveRandomFeatures
from dpverify.guarantees import ApproxDP
from dpverify.noise import Gaussian, SeededBits, TruncatedLaplace, tree_alternatives
from dpverify.noise.integer_noise import IntegerNoise
from dpverify.spec import contract
from dpverify.spec.attention import functional_sensitivity
from dpverify.spec.noise import gaussian_profile, truncated_laplace_privacy
from dpverify.spec.tree import privacy_composition, privacy_vector
from dpverify.tree import DPTree, Split

__all__ = ["BUILDERS", "Shipped", "fresh", "shipped"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Losses = Sequence[tuple[PrivacyLoss, int]]
PAIR_WIDTH = 1e-3  # relative, of the brackets of a pair's delta


@dataclass(frozen=True)
class Shipped:
    """A mechanism with its claim and a pair of neighbours on which its loss is largest, or nearly so.

    Attributes:
        name: for tables.
        claim: what it was built for.
        mechanism: ``mechanism(dataset, size, rng)``; outputs of many numbers are reduced to one.
        whole: the same with all numbers of an output, and their law.
        pair: the neighbours.
        noise: what every number gets, for :func:`dpverify.certify`; ``parts`` such draws make up the claim by
            composition.
        alternatives: what one row can do, each a composition of losses; the claim covers the worst of them.
    """

    name: str
    claim: ApproxDP
    mechanism: Callable[[Any, int, np.random.Generator], Floats]
    whole: Additive
    pair: tuple[Any, Any]
    noise: IntegerNoise
    parts: int
    alternatives: tuple[Losses, ...]

    def epsilon_certified(self) -> float:
        """Upper bound on epsilon at the claim's delta, whatever the neighbours."""
        return max(epsilon_bracket(losses, self.claim.delta).upper for losses in self.alternatives)

    def epsilon_of_pair(self) -> float:
        """Certified lower bound on epsilon at the claim's delta of this very pair: of the law that is sampled."""
        losses = self.whole.losses(*self.pair, merged=True)
        return epsilon_bracket(losses, self.claim.delta, relative_width=PAIR_WIDTH).lower


@contract(
    audits=[
        truncated_laplace_privacy.LEMMA,
        gaussian_profile.LEMMA,
        privacy_composition.LEMMA,
        privacy_vector.LEMMA,
        functional_sensitivity.LEMMA,
    ]
)
def shipped(claim: ApproxDP) -> list[Shipped]:
    """All mechanisms, each built for ``claim`` as a whole; epsilon > 0 and 0 < delta <= 1/2."""
    return [build(name, claim) for name, build in BUILDERS.items()]


def _scalar(kind: type[TruncatedLaplace] | type[Gaussian], name: str, claim: ApproxDP) -> Shipped:
    noise = kind(1.0, claim)
    whole = Additive(lambda dataset: dataset, noise)

    def mechanism(dataset: float, size: int, rng: np.random.Generator) -> Floats:
        return whole(dataset, size, rng)[:, 0]

    return Shipped(name, claim, mechanism, whole, (0.0, 1.0), noise, 1, ([(noise.privacy_loss(), 1)],))


def _tree(split: Split, name: str, claim: ApproxDP) -> Shipped:
    """Eight leaves; a row of value 1 leaves the first, and comes back as -1 in the last: every level changes by 2."""

    def build(leaves: Floats) -> DPTree:
        return DPTree(leaves, 1.0, claim, split=split, bits=SeededBits(0))

    first, last = np.zeros(8), np.zeros(8)
    first[0], last[7] = 1.0, -1.0
    tree = build(first)
    noise, parts = tree.noise, 1 if split == "vector" else tree.height + 1
    alternatives: tuple[Losses, ...] = ([(noise.privacy_loss(), parts)],)
    if split == "exact":
        moves = tree_alternatives(1.0, tree.height, leaves_changed=2)
        alternatives = tuple([(noise.privacy_loss_at(by), count) for by, count in move] for move in moves)
    return _noisy(name, claim, lambda d: build(d).nodes.levels, (first, last), noise, parts, alternatives)


def _functional(name: str, claim: ApproxDP, features: Features | None = None) -> Shipped:
    """One row in one dimension moves from one end of the key box to the other, and its value likewise."""

    def build(rows: Floats) -> FunctionalState:
        release = release_attention(
            rows[:, :1],
            rows[:, 1],
            claim,
            bounds=Bounds(shape="box"),
            features=features,
            degree=degree,
            bits=SeededBits(0),
        )
        sensitivity.append(release.certificate.details["l2 sensitivity"])
        return cast(FunctionalState, release.state)

    degree = 3 if features is None else None
    sensitivity: list[float] = []
    rows, other = np.zeros((4, 2)), np.zeros((4, 2))
    rows[0], other[0] = (1.0, 1.0), (-1.0, -1.0)
    state = build(rows)
    noise = Gaussian(sensitivity[0], claim, draws=state.sums.size)
    if noise.grid != state.unit:
        noise = Gaussian(sensitivity[0], claim, draws=state.sums.size, grid=state.unit, on_grid=True)
    return _noisy(name, claim, lambda d: [build(d).sums], (rows, other), noise)


def _lazy(name: str, claim: ApproxDP) -> Shipped:
    """The same move of one row, seen through the innovations of six queries of a lazy release."""
    queries = np.linspace(-1.0, 1.0, 6)[:, None]

    def build(rows: Floats) -> LazyState:
        release = release_attention(
            rows[:, :1],
            rows[:, 1],
            claim,
            bounds=Bounds(shape="box"),
            method="lazy",
            max_queries=len(queries),
            bits=SeededBits(0),
        )
        state = cast(LazyState, release.state)
        state.noisy_sums(queries)  # the innovations; answers would only warn of how few rows there are
        return state

    rows, other = np.zeros((4, 2)), np.zeros((4, 2))
    rows[0], other[0] = (1.0, 1.0), (-1.0, -1.0)
    state = build(rows)
    noise = Gaussian(state.to_dict()["sensitivity"], claim, draws=state.arrays()["coefficients"].size)
    return _noisy(name, claim, lambda d: [build(d).arrays()["coefficients"]], (rows, other), noise)


def _attention_trees(name: str, claim: ApproxDP) -> Shipped:
    """Two rows, one feature of degree 0 and one of degree 1; the first row moves between the ends of the box."""

    def build(rows: Floats) -> tuple[Integers, ...]:
        release = release_attention(
            rows[:, :1], rows[:, 1], claim, bounds=Bounds(shape="box"), degree=1, method="dptree", bits=SeededBits(0)
        )
        return cast(TreeState, release.state).nodes.levels

    rows, other = np.array([[1.0, 1.0], [0.0, 0.0]]), np.array([[-1.0, -1.0], [0.0, 0.0]])
    levels = build(rows)
    blank = np.zeros(levels[0].shape, dtype=np.int64)
    noise = DPTree.from_steps(blank, 2.0**-24, 1 << 24, claim, bits=SeededBits(0)).noise
    return _noisy(name, claim, build, (rows, other), noise, len(blank) * len(levels))


def _noisy(
    name: str,
    claim: ApproxDP,
    released: Callable[[Floats], Sequence[Integers]],
    pair: tuple[Floats, Floats],
    noise: IntegerNoise,
    parts: int = 1,
    alternatives: tuple[Losses, ...] | None = None,
) -> Shipped:
    """From what is released with the bits of ``SeededBits(0)``: arrays of integers, each plus ``noise``, in order."""

    def exact(dataset: Floats) -> Floats:
        bits = SeededBits(0)
        steps = [part - noise.sample_steps(part.shape, bits) for part in released(dataset)]
        return np.concatenate([part.ravel() for part in steps]) * noise.grid

    values = [exact(dataset) for dataset in pair]

    def statistic(dataset: Floats) -> Floats:
        for known, value in zip(pair, values, strict=True):
            if np.array_equal(dataset, known):
                return value
        return exact(dataset)

    whole = Additive(statistic, noise)
    covered = ([(noise.privacy_loss(), parts)],) if alternatives is None else alternatives
    return Shipped(name, claim, _reduced(whole, pair), whole, pair, noise, parts, covered)


def _reduced(whole: Additive, pair: tuple[Floats, Floats]) -> Callable[[Any, int, np.random.Generator], Floats]:
    """``size`` outputs, each reduced to one number: post-processing, so what it betrays the whole output betrays.

    The number is the log likelihood ratio of the two neighbours up to a factor: linear in the output for Gaussian
    noise, a difference of l1 distances for (truncated) Laplace noise.
    """
    first, second = (whole.steps(dataset) for dataset in pair)

    def mechanism(dataset: Floats, size: int, rng: np.random.Generator) -> Floats:
        outputs = whole(dataset, size, rng) / whole.noise.grid
        if isinstance(whole.noise, Gaussian):
            return np.asarray((outputs - first) @ (second - first), dtype=np.float64)
        return np.asarray((np.abs(outputs - second) - np.abs(outputs - first)).sum(axis=1), dtype=np.float64)

    return mechanism


# one line for every mechanism that the library ships
BUILDERS: dict[str, Callable[[str, ApproxDP], Shipped]] = {
    "truncated Laplace": partial(_scalar, TruncatedLaplace),
    "Gaussian": partial(_scalar, Gaussian),
    "DPTree, levels": partial(_tree, "levels"),
    "DPTree, vector": partial(_tree, "vector"),
    "DPTree, exact": partial(_tree, "exact"),
    "attention, functional": _functional,
    "attention, Nystrom": partial(_functional, features=Nystrom(number=8)),
    "attention, positive": partial(_functional, features=PositiveRandomFeatures(number=8)),
    "attention, lazy": _lazy,
    "attention, trees": _attention_trees,
}

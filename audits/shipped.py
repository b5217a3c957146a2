"""The library's own mechanisms in the form that an audit takes, each with a worst pair of neighbours.

A tree or a release draws its noise once, independently of the data, and adds it to exact integers. Building it with
a known seed and subtracting that noise gives the integers back; many independent outputs are then those integers
plus fresh noise from the same tables. Nothing but an audit may do this.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.cross_attention import Bounds, Release, release_attention
from dpverify.guarantees import ApproxDP
from dpverify.noise import Gaussian, SeededBits, TruncatedLaplace
from dpverify.noise.integer_noise import IntegerNoise
from dpverify.spec import contract
from dpverify.spec.attention import functional_sensitivity
from dpverify.spec.noise import gaussian_profile, truncated_laplace_privacy
from dpverify.spec.tree import privacy_composition, privacy_vector
from dpverify.tree import DPTree

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Shipped:
    """A mechanism with its claim and a pair of neighbours on which its loss is largest, or nearly so.

    Attributes:
        name: for tables.
        claim: what it was built for.
        mechanism: ``mechanism(dataset, size, rng)``; outputs of many coordinates are reduced to one number.
        pair: the neighbours.
        noise: what it draws, for :func:`dpverify.certify`; ``parts`` such draws make up the claim by composition.
    """

    name: str
    claim: ApproxDP
    mechanism: Callable[[Any, int, np.random.Generator], Floats]
    pair: tuple[Any, Any]
    noise: IntegerNoise
    parts: int = 1


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
    return [
        _scalar("truncated Laplace", TruncatedLaplace(1.0, claim)),
        _scalar("Gaussian", Gaussian(1.0, claim)),
        _tree(claim, "levels"),
        _tree(claim, "vector"),
        _functional(claim),
        _attention_tree(claim),
    ]


def fresh(rng: np.random.Generator) -> SeededBits:
    """A bit source that follows the audit's generator, so that an audit can be repeated."""
    return SeededBits(int(rng.integers(2**63)))


def _scalar(name: str, noise: IntegerNoise) -> Shipped:
    def mechanism(dataset: float, size: int, rng: np.random.Generator) -> Floats:
        on_grid = float(np.round(dataset / noise.grid)) * noise.grid
        return np.asarray(on_grid + noise.sample(size, fresh(rng)), dtype=np.float64)

    return Shipped(name, noise.claim, mechanism, (0.0, 1.0), noise)


def _tree(claim: ApproxDP, split: Any) -> Shipped:
    """Eight leaves; the last row leaves the first leaf, another enters the last."""

    def build(leaves: Floats) -> tuple[npt.NDArray[np.int64], DPTree]:
        tree = DPTree(leaves, 1.0, claim, split=split, bits=SeededBits(0))
        bits = SeededBits(0)
        exact = [level - tree.noise.sample_steps(level.shape, bits) for level in tree.nodes.levels]
        return np.concatenate([level.ravel() for level in exact]), tree

    first, last = np.zeros(8), np.zeros(8)
    first[0], last[7] = 1.0, 1.0
    tree = build(first)[1]
    parts = tree.height + 1 if split == "levels" else 1
    return Shipped(
        f"DPTree, {split}",
        claim,
        _reduced(lambda leaves: build(leaves)[0], tree.noise, (first, last)),
        (first, last),
        tree.noise,
        parts,
    )


def _functional(claim: ApproxDP) -> Shipped:
    """One row in one dimension moves from one end of the key box to the other, with its value's sign."""
    bounds = Bounds(shape="box")

    def exact(rows: Floats) -> npt.NDArray[np.int64]:
        release = release_attention(rows[:, :1], rows[:, 1], claim, bounds=bounds, degree=3, bits=SeededBits(0))
        sums = release.state.arrays()["sums"]
        return (sums - _matrix_noise(claim, bounds).sample_steps(sums.shape, SeededBits(0))).ravel()

    rows, other = np.zeros((4, 2)), np.zeros((4, 2))
    rows[0], other[0] = (1.0, 1.0), (1.0, -1.0)
    noise = _matrix_noise(claim, bounds)
    return Shipped("attention, functional", claim, _reduced(exact, noise, (rows, other)), (rows, other), noise)


def _matrix_noise(claim: ApproxDP, bounds: Bounds) -> Gaussian:
    """The noise of that release, from its certificate."""
    keys = np.zeros((4, 1))
    release = release_attention(keys, keys, claim, bounds=bounds, degree=3, bits=SeededBits(0))
    details = release.certificate.details
    return Gaussian(details["l2 sensitivity"], claim, draws=2 * details["features"])


def _attention_tree(claim: ApproxDP) -> Shipped:
    """Two rows, one feature of degree 0 and one of degree 1; the first row moves between the ends of the box."""
    bounds = Bounds(shape="box")

    def build(rows: Floats) -> Release:
        return release_attention(
            rows[:, :1], rows[:, 1], claim, bounds=bounds, degree=1, method="dptree", bits=SeededBits(0)
        )

    rows, other = np.array([[1.0, 1.0], [0.0, 0.0]]), np.array([[-1.0, -1.0], [0.0, 0.0]])
    levels = list(build(rows).state.arrays().values())
    trees, height = levels[0].shape[0], len(levels) - 1
    noise = DPTree.from_steps(
        np.zeros((trees, 1 << height), dtype=np.int64), 2.0**-24, 1 << 24, claim, bits=SeededBits(0)
    ).noise

    def exact(dataset: Floats) -> npt.NDArray[np.int64]:
        bits = SeededBits(0)
        parts = [level - noise.sample_steps(level.shape, bits) for level in build(dataset).state.arrays().values()]
        return np.concatenate([part.ravel() for part in parts])

    return Shipped(
        "attention, trees", claim, _reduced(exact, noise, (rows, other)), (rows, other), noise, trees * (height + 1)
    )


def _reduced(
    exact: Callable[[Floats], npt.NDArray[np.int64]], noise: IntegerNoise, pair: tuple[Floats, Floats]
) -> Callable[[Any, int, np.random.Generator], Floats]:
    """``size`` outputs, each reduced to one number: post-processing, so what it betrays the whole output betrays.

    The number is the log likelihood ratio of the two neighbours up to a factor: linear in the output for Gaussian
    noise, a difference of l1 distances for (truncated) Laplace noise.
    """
    first, second = (exact(dataset).astype(np.float64) for dataset in pair)

    def mechanism(dataset: Floats, size: int, rng: np.random.Generator) -> Floats:
        sums = first if np.array_equal(dataset, pair[0]) else second
        outputs = sums + noise.sample_steps((size, len(sums)), fresh(rng))
        if isinstance(noise, Gaussian):
            return np.asarray((outputs - first) @ (second - first), dtype=np.float64)
        return np.asarray((np.abs(outputs - second) - np.abs(outputs - first)).sum(axis=1), dtype=np.float64)

    return mechanism

"""Broken mechanisms: mistakes that were made in print or in code, each with neighbours on which it shows.

Every one claims (1, 1e-6)-DP and does not keep it. They draw from a generator passed by the audit, in float where
the mistake is not about floats; nothing here is for use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.audits.shipped import fresh
from dpverify.guarantees import ApproxDP
from dpverify.noise import Gaussian, TruncatedLaplace
from dpverify.noise.integer_noise import IntegerNoise

Floats = npt.NDArray[np.float64]
CLAIM = ApproxDP(1.0, 1e-6)


@dataclass(frozen=True)
class Broken:
    """A mistake.

    Attributes:
        name, mistake: in words.
        corrected: the lemma (or exhibit) that says what is right.
        mechanism: ``mechanism(dataset, size, rng)``.
        pair: neighbours.
    """

    name: str
    mistake: str
    corrected: str
    mechanism: Callable[[Any, int, np.random.Generator], Floats]
    pair: tuple[Any, Any]


def gallery() -> list[Broken]:
    """All broken mechanisms."""
    return [
        Broken(
            "half the noise",
            "the sensitivity of a sum of values in [-1, 1] under replace-one is 2, not 1",
            "noise.truncated_laplace_privacy",
            _add_noise(TruncatedLaplace(1.0, CLAIM)),
            (-1.0, 1.0),
        ),
        Broken(
            "budget of one node at every node",
            "a leaf of a tree of height 3 meets four nodes, and each got the whole budget",
            "tree.privacy_composition",
            _path(4, TruncatedLaplace(1.0, CLAIM)),
            (0.0, 1.0),
        ),
        Broken(
            "budget split by log2 n",
            "two leaves have log2(2) = 1 level by the paper's count, but a leaf meets two nodes",
            "exhibit.budget_by_log_n",
            _path(2, TruncatedLaplace(1.0, CLAIM)),
            (0.0, 1.0),
        ),
        Broken(
            "the normaliser without noise",
            "'only a normalisation factor': the sum of the attention weights is released exactly",
            "exhibit.exact_normaliser",
            _exact_normaliser,
            (np.array([0.2, 0.9]), np.array([0.2, 0.1])),
        ),
        Broken(
            "prefix sums without noise",
            "the bucket counts are noisy, the precomputed sums of w x beside them are not",
            "exhibit.exact_prefix_sums",
            _exact_sums,
            (np.array([0.25, 0.5]), np.array([0.25, 0.75])),
        ),
        Broken(
            "private with high probability",
            "with probability 0.01 the data itself is printed, and that probability is not in delta",
            "exhibit.probable_privacy",
            _prints_sometimes,
            (0.0, 1.0),
        ),
        Broken(
            "bounds read off the data",
            "values are clipped to the largest one, and the noise is scaled to it",
            "noise.truncated_laplace_privacy",
            _scaled_to_data,
            (np.array([1.0, 1.0, 8.0]), np.array([1.0, 1.0, 1.0])),
        ),
        Broken(
            "a quarter of the Gaussian noise",
            "calibrated for half the sensitivity twice over: the release is averaged over four draws",
            "noise.gaussian_profile",
            _averaged(Gaussian(0.5, CLAIM)),
            (0.0, 1.0),
        ),
    ]


def _add_noise(noise: IntegerNoise) -> Callable[[float, int, np.random.Generator], Floats]:
    def mechanism(dataset: float, size: int, rng: np.random.Generator) -> Floats:
        return np.asarray(dataset + noise.sample(size, fresh(rng)), dtype=np.float64)

    return mechanism


def _averaged(noise: IntegerNoise) -> Callable[[float, int, np.random.Generator], Floats]:
    def mechanism(dataset: float, size: int, rng: np.random.Generator) -> Floats:
        return np.asarray(dataset + noise.sample((size, 4), fresh(rng)).mean(axis=1), dtype=np.float64)

    return mechanism


def _path(nodes: int, noise: IntegerNoise) -> Callable[[float, int, np.random.Generator], Floats]:
    """All nodes on the path of the leaf that changes."""

    def mechanism(leaf: float, size: int, rng: np.random.Generator) -> Floats:
        return np.asarray(leaf + noise.sample((size, nodes), fresh(rng)), dtype=np.float64)

    return mechanism


def _exact_normaliser(keys: Floats, size: int, rng: np.random.Generator) -> Floats:
    weights = np.exp(keys)
    noisy = weights @ keys + rng.laplace(scale=2 * np.e, size=size)
    return np.stack([noisy, np.full(size, weights.sum())], axis=1)


def _exact_sums(keys: Floats, size: int, rng: np.random.Generator) -> Floats:
    counts = np.histogram(keys, bins=2, range=(0.0, 1.0))[0] + rng.laplace(scale=2.0, size=(size, 2))
    return np.column_stack([counts, np.full(size, keys.sum())])


def _prints_sometimes(dataset: float, size: int, rng: np.random.Generator) -> Floats:
    return np.where(rng.random(size) < 0.01, dataset, dataset + rng.laplace(size=size))


def _scaled_to_data(values: Floats, size: int, rng: np.random.Generator) -> Floats:
    bound = float(values.max())
    return np.asarray(values.sum() + rng.laplace(scale=bound, size=size), dtype=np.float64)

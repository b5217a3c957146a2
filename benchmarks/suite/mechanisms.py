"""The mechanisms of the suite, as mechanism(dataset, size, rng): right or wrong by their parameters."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

import dpverify as dv
from dpverify.noise import TruncatedLaplace

Floats = npt.NDArray[np.float64]
Rng = np.random.Generator


def add_laplace(d: Any, size: int, rng: Rng, scale: float = 1.0) -> Floats:
    return np.asarray(d + rng.laplace(scale=scale, size=size))


def add_gaussian(d: Any, size: int, rng: Rng, sigma: float = 1.0) -> Floats:
    return np.asarray(d + rng.normal(scale=sigma, size=size))


def response(d: Any, size: int, rng: Rng, truthful: float = 0.5) -> npt.NDArray[np.int64]:
    return np.where(rng.random(size) < truthful, int(d), 1 - int(d))


def truncated(d: Any, size: int, rng: Rng, bound: float = 1.0, scale: float = 1.0, clamp: bool = False) -> Floats:
    if clamp:
        return np.asarray(d + np.clip(rng.laplace(scale=scale, size=size), -bound, bound))
    magnitude = -scale * np.log1p(rng.random(size) * np.expm1(-bound / scale))
    return np.asarray(d + magnitude * rng.choice([-1.0, 1.0], size=size))


def sparse_vector(
    d: Any,
    size: int,
    rng: Rng,
    threshold: float = 0.0,
    query: float = 2.0,
    threshold_noise: float = 2.0,
    first_only: bool = False,
) -> npt.NDArray[np.int64]:
    queries = np.asarray(d, dtype=float)
    line = threshold + (rng.laplace(scale=threshold_noise, size=(size, 1)) if threshold_noise else 0.0)
    noisy = queries + (rng.laplace(scale=query, size=(size, len(queries))) if query else np.zeros((size, 1)))
    above = noisy >= line
    if first_only:
        return np.where(above.any(axis=1), above.argmax(axis=1), len(queries)).astype(np.int64)
    return above.astype(np.int64)


def sparse_vector_with_value(d: Any, size: int, rng: Rng) -> Floats:
    """Releases the value found as well, with fresh noise that nobody paid for."""
    index = sparse_vector(d, size, rng, threshold=1.0, first_only=True)
    value = np.append(np.asarray(d, dtype=float), 0.0)[index] + rng.laplace(size=size)
    return np.stack([index.astype(float), np.where(index == len(d), 0.0, value)], axis=1)


def noisy_max(d: Any, size: int, rng: Rng) -> npt.NDArray[np.int64]:
    return (np.asarray(d) + rng.exponential(size=(size, len(d)))).argmax(axis=1)


def noisy_max_with_value(d: Any, size: int, rng: Rng) -> Floats:
    noisy = np.asarray(d) + rng.laplace(size=(size, len(d)))
    return np.stack([noisy.argmax(axis=1).astype(float), noisy.max(axis=1)], axis=1)


def stable_histogram(d: Any, size: int, rng: Rng, threshold: float = 1.0) -> Floats:
    """Noise on non-empty bins only; what stays below the threshold is not shown."""
    counts = np.asarray(d, dtype=float)
    noisy = counts + rng.laplace(size=(size, len(counts)))
    return np.where((counts > 0) & (noisy >= threshold), noisy, 0.0)


def tree_nodes(d: Any, size: int, rng: Rng, scale: float = 4.0) -> Floats:
    """All nodes of the dyadic tree over the leaves."""
    leaves = np.asarray(d, dtype=float)
    nodes = np.concatenate([leaves.reshape(len(leaves) >> k, -1).sum(axis=1) for k in range(len(leaves).bit_length())])
    return np.asarray(nodes + rng.laplace(scale=scale, size=(size, len(nodes))))


def prefix_sums(d: Any, size: int, rng: Rng) -> Floats:
    """All prefix sums of 8 leaves, put together from nodes that each got the whole budget."""
    nodes = tree_nodes(d, size, rng, scale=1.0)
    first = [0, 8, 12, 14]  # where each level begins
    out = np.zeros((size, 8))
    for end in range(1, 9):
        start = 0
        for level in reversed(range(4)):
            if end - start >= 1 << level:
                out[:, end - 1] += nodes[:, first[level] + (start >> level)]
                start += 1 << level
    return out


def scaled_to_data(d: Any, size: int, rng: Rng) -> Floats:
    """The bound on the values, hence the noise, is their largest value."""
    values = np.asarray(d, dtype=float)
    return np.asarray(values.sum() + rng.laplace(scale=values.max(), size=size))


def mean_with_private_size(d: Any, size: int, rng: Rng) -> Floats:
    """One row may come or go, but noise and divisor take the number of rows as public."""
    return np.asarray(np.mean(d) + rng.laplace(scale=1.0 / len(d), size=size))


def geometric(d: Any, size: int, rng: Rng) -> npt.NDArray[np.int64]:
    success = -math.expm1(-1.0)
    return int(d) + rng.geometric(success, size) - rng.geometric(success, size)


def library_nodes(d: Any, size: int, rng: Rng, noise: TruncatedLaplace) -> Floats:
    """All nodes of a ``dpverify.DPTree`` over 8 leaves: exact sums (0 or 1 here) plus its noise, as it draws it."""
    leaves = np.asarray(d, dtype=float)
    exact = np.concatenate([leaves.reshape(8 >> k, -1).sum(axis=1) for k in range(4)])
    return np.asarray(exact + noise.sample((size, len(exact)), dv.SeededBits(int(rng.integers(2**63)))))

"""Fifteen broken mechanisms and ten correct ones, each with its claim, its neighbours and the truth."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy import optimize, stats
from suite.mechanisms import (
    Floats,
    Rng,
    add_gaussian,
    add_laplace,
    geometric,
    library_nodes,
    mean_with_private_size,
    noisy_max,
    noisy_max_with_value,
    prefix_sums,
    response,
    scaled_to_data,
    sparse_vector,
    sparse_vector_with_value,
    stable_histogram,
    tree_nodes,
    truncated,
)
from suite.truth import (
    PURE,
    Truth,
    certified,
    from_masses,
    gaussian_delta,
    gaussian_truth,
    histogram_truth,
    index_value_truth,
    laplace_truth,
    max_index_truth,
    max_value_truth,
    product_truth,
    svt_truth,
    truncated_truth,
    two_laplaces,
)

import dpverify as dv


@dataclass(frozen=True)
class Case:
    """A mechanism, its claim, two neighbours, and the truth, computed when it is asked for."""

    name: str
    mechanism: Callable[[Any, int, Rng], Any]
    claim: dv.ApproxDP
    d0: Any
    d1: Any
    truth: Callable[[], Truth]


def broken() -> list[Case]:
    """Fifteen mechanisms that break their claims."""
    approximate, coarse = dv.ApproxDP(1.0, 1e-5), dv.ApproxDP(1.0, 1e-3)
    classical = math.sqrt(2.0 * math.log(1.25 / approximate.delta))
    bound = math.log1p(math.expm1(1.0) / (2.0 * coarse.delta))  # right for sensitivity 1
    up, down = np.ones(6), np.zeros(6)
    mixed = np.array([1.0, 1.0, 1.0, -1.0, -1.0, -1.0])
    tail = np.array([0.0, 0.0, 0.0, 1.0]), np.array([1.0, 1.0, 1.0, 0.0])
    first, none = np.eye(8)[0], np.zeros(8)
    counts = np.array([3.0, 1.0, 5.0]), np.array([3.0, 0.0, 5.0])
    vector = np.full(16, 0.25)
    no_query_noise = {"threshold": 0.5, "query": 0.0, "threshold_noise": 2.0, "first_only": False}
    no_cut_off = {"threshold": 0.0, "query": 2.0, "threshold_noise": 2.0, "first_only": False}
    bare_threshold = {"threshold": 0.5, "query": 2.0, "threshold_noise": 0.0, "first_only": False}
    crossed = np.array([1.0, 0.0, 1.0, 0.0]), np.array([0.0, 1.0, 0.0, 1.0])

    def svt(name: str, d0: Floats, d1: Floats, how: dict[str, Any]) -> Case:
        return Case(name, partial(sparse_vector, **how), PURE, d0, d1, partial(svt_truth, d0, d1, PURE, **how))

    return [
        Case("Laplace, sensitivity 2 taken for 1", add_laplace, PURE, 1.0, -1.0, partial(laplace_truth, 2.0, 1.0)),
        Case(
            "Gaussian, variance taken for deviation",
            partial(add_gaussian, sigma=math.sqrt(classical)),
            approximate,
            1.0,
            0.0,
            partial(gaussian_truth, math.sqrt(classical), approximate),
        ),
        Case(
            "truncated Laplace, clamped, bound too low",
            partial(truncated, bound=bound, scale=2.0, clamp=True),
            coarse,
            2.0,
            0.0,
            partial(truncated_truth, 2.0, bound, 2.0, True, coarse),
        ),
        Case(
            "randomised response, textbook coin",
            partial(response, truthful=0.75),
            PURE,
            1,
            0,
            partial(from_masses, np.array([0.75, 0.25]), np.array([0.25, 0.75]), PURE),
        ),
        svt("sparse vector, queries without noise", *crossed, no_query_noise),
        svt("sparse vector, no cut-off", down, mixed, no_cut_off),
        Case(
            "sparse vector, (index, value)",
            sparse_vector_with_value,
            PURE,
            *tail,
            partial(index_value_truth, *tail),
        ),
        svt("sparse vector, threshold without noise", up, down, bare_threshold),
        Case(
            "noisy max with its value",
            noisy_max_with_value,
            PURE,
            np.ones(4),
            np.zeros(4),
            partial(max_value_truth, np.ones(4), np.zeros(4)),
        ),
        Case(
            "histogram, empty bins bare, threshold too low",
            partial(stable_histogram, threshold=math.log(0.5 / coarse.delta)),
            coarse,
            *counts,
            partial(histogram_truth, math.log(0.5 / coarse.delta), coarse),
        ),
        Case(
            "tree of 8, budget split by log2 8",
            partial(tree_nodes, scale=3.0),
            PURE,
            first,
            none,
            partial(product_truth, np.ones(4), 3.0),
        ),
        Case(
            "prefix sums of 8, budget not split",
            prefix_sums,
            PURE,
            first,
            none,
            partial(product_truth, np.ones(4), 1.0),
        ),
        Case(
            "16 coordinates, l2 for l1 sensitivity",
            lambda d, size, rng: d + rng.laplace(size=(size, 16)),
            PURE,
            vector,
            np.zeros(16),
            partial(product_truth, vector, 1.0),
        ),
        Case(
            "sum, bound read off the data",
            scaled_to_data,
            PURE,
            [1.0, 1.0, 4.0],
            [1.0, 1.0, 1.0],
            partial(two_laplaces, (6.0, 4.0), (3.0, 1.0)),
        ),
        Case(
            "mean, number of rows taken as public",
            mean_with_private_size,
            PURE,
            [1.0, 1.0, 0.0],
            [1.0, 1.0],
            partial(two_laplaces, (2.0 / 3.0, 1.0 / 3.0), (1.0, 0.5)),
        ),
    ]


def correct() -> list[Case]:
    """Ten mechanisms that keep their claims, most of them tightly."""
    approximate, coarse = dv.ApproxDP(1.0, 1e-5), dv.ApproxDP(1.0, 1e-3)
    sigma = float(optimize.brentq(lambda s: gaussian_delta(s, 1.0) - approximate.delta, 0.1, 100.0))
    bound = math.log1p(math.expm1(1.0) / (2.0 * coarse.delta))
    coin = math.e / (1.0 + math.e)
    threshold = 1.0 + math.log(0.5 / coarse.delta)
    counts = np.array([3.0, 1.0, 5.0]), np.array([3.0, 0.0, 5.0])
    maxima = np.array([1.0, 0.0, 0.0, 1.0]), np.array([1.0, 1.0, 0.0, 1.0])
    queries = np.array([0.0, 0.0, 0.0, 1.0]), np.array([1.0, 1.0, 1.0, 0.0])
    first, none = np.eye(8)[0], np.zeros(8)
    sparse = {"threshold": 1.0, "query": 4.0, "threshold_noise": 2.0, "first_only": True}
    steps = np.arange(-80, 82)
    tree_claim = dv.ApproxDP(1.0, 1e-6)
    last = np.eye(8)[7]  # replace-one: a row leaves the first leaf and enters the last
    tree = dv.DPTree(none, 1.0, tree_claim, split="levels", bits=dv.SeededBits(0))
    return [
        Case("Laplace", add_laplace, PURE, 1.0, 0.0, partial(laplace_truth, 1.0, 1.0)),
        Case(
            "Gaussian",
            partial(add_gaussian, sigma=sigma),
            approximate,
            1.0,
            0.0,
            partial(gaussian_truth, sigma, approximate),
        ),
        Case(
            "truncated Laplace",
            partial(truncated, bound=bound),
            coarse,
            1.0,
            0.0,
            partial(truncated_truth, 1.0, bound, 1.0, False, coarse),
        ),
        Case(
            "geometric",
            geometric,
            PURE,
            1,
            0,
            lambda: from_masses(stats.dlaplace(1.0).pmf(steps - 1), stats.dlaplace(1.0).pmf(steps), PURE),
        ),
        Case(
            "randomised response",
            partial(response, truthful=coin),
            PURE,
            1,
            0,
            partial(from_masses, np.array([coin, 1.0 - coin]), np.array([1.0 - coin, coin]), PURE),
        ),
        Case("noisy max, exponential noise", noisy_max, PURE, *maxima, partial(max_index_truth, *maxima)),
        Case(
            "sparse vector",
            partial(sparse_vector, **sparse),
            PURE,
            *queries,
            partial(svt_truth, *queries, PURE, **sparse),
        ),
        Case(
            "stable histogram",
            partial(stable_histogram, threshold=threshold),
            coarse,
            *counts,
            partial(histogram_truth, threshold, coarse),
        ),
        Case(
            "tree of 8, budget split by 4 levels",
            tree_nodes,
            PURE,
            first,
            none,
            partial(product_truth, np.ones(4), 4.0),
        ),
        Case(
            "DPTree of dpverify, 8 leaves",
            partial(library_nodes, noise=tree.noise),
            tree_claim,
            first,
            last,
            partial(certified, tree.noise, 4, tree_claim),
        ),
    ]

"""Exact attention, the published trees, and ours, at the same claim: error, build, query, size, largest dimension.

    python benchmarks/comparison.py [--rows 10000]

Keys and 200 queries uniform in [0, 1]^3, values in [-1, 1], logits scaled by 1/d, (epsilon, delta) = (1, 1e-6).
"largest d": the largest dimension of [0, 1]^d for which the release is not refused: the published trees and the
polynomial features at the least degree with relative kernel error 1e-3, within 4 GiB; the others hold no more than
landmarks, or the rows themselves.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

import dpverify as dv
from dpverify.cross_attention.parameters import Parameters
from dpverify.cross_attention.release import check_capacity

Array = npt.NDArray[np.float64]
CLAIM = dv.ApproxDP(1.0, 1e-6)
BOUNDS = dv.Bounds(shape="positive_box")
DIMENSION = 3
RELEASES = 9
METHODS: dict[str, dict[str, Any]] = {
    "published trees": {"method": "dptree"},
    "functional, polynomial": {"method": "functional"},
    "functional, Nystrom 100": {"method": "functional", "features": dv.Nystrom(number=100)},
    "lazy, exact kernel": {"method": "lazy"},
}


def data(rows: int, dimension: int) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(0)
    keys, queries = rng.uniform(0, 1, (rows, dimension)), rng.uniform(0, 1, (200, dimension))
    return keys, np.sin(4 * keys.sum(axis=1)), queries


def largest_dimension(method: str, rows: int) -> str:
    """By bisection on the check that refuses a release before any work."""
    if method not in ("published trees", "functional, polynomial"):
        return "no limit"
    name = METHODS[method]["method"]

    def fits(dimension: int) -> bool:
        parameters = Parameters(rows, dimension, 1, 1.0 / dimension, BOUNDS)
        try:
            check_capacity(dv.Polynomial().build(parameters), name)
        except dv.CapacityError:
            return False
        return True

    low, high = 1, 2
    while fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return str(low)


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    found = call()
    return found, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    rows = parser.parse_args().rows
    warnings.simplefilter("ignore", dv.DrownedDenominatorWarning)
    keys, values, queries = data(rows, DIMENSION)
    exact, seconds = timed(lambda: dv.attention(queries, keys, values))
    print(f"n = {rows:,}, d = {DIMENSION}, (1, 1e-6)-DP; medians of {RELEASES} releases")
    print(
        f"{'':26s} {'rms error':>10s} {'bound':>8s} {'build s':>8s} {'query us':>9s} {'bytes':>13s} {'largest d':>10s}"
    )
    print(
        f"{'exact, not private':26s} {0.0:10.4f} {0.0:8.3f} {0.0:8.2f} {1e6 * seconds / len(queries):9.1f} "
        f"{keys.nbytes + values.nbytes:13,d} {'no limit':>10s}"
    )
    for name, options in METHODS.items():
        figures = []
        for _ in range(RELEASES):
            release, build = timed(lambda o=options: dv.release_attention(keys, values, CLAIM, bounds=BOUNDS, **o))  # type: ignore[misc]
            answers, query = timed(lambda r=release: r.query(queries))  # type: ignore[misc]
            size = sum(array.nbytes for array in release.state.arrays().values())
            if options["method"] == "lazy":
                size += keys.nbytes + values.nbytes  # it keeps the private rows
            error = float(np.sqrt(((answers - exact) ** 2).mean()))
            figures.append((error, release.error_bound(0.05), build, 1e6 * query / len(queries), size))
        error, bound, build, query, size = np.median(np.array(figures), axis=0)
        print(
            f"{name:26s} {error:10.4f} {bound:8.3f} {build:8.2f} {query:9.1f} {int(size):13,d} "
            f"{largest_dimension(name, rows):>10s}",
            flush=True,
        )
    print("bound: error_bound(0.05) of one query, in the unit of the values (their span is 2, where it says nothing)")


if __name__ == "__main__":
    main()

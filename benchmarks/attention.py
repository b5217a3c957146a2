"""Private attention: error at equal claim, query time against n, and the tree's memory, as ratios and exponents.

    python benchmarks/attention.py [--rows 10000]

Prints, for d = 2, 3, 4: the error of the functional release and of the published trees at the same claim and the same
polynomial kernel (root mean square over queries and three releases), for the weighted sums before any clamping and for
the answers; then query time against the number of rows; then the numbers that the trees hold against rows and degree.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import numpy.typing as npt

import dpverify as dv
from dpverify.cross_attention.release import Method

CLAIM = dv.ApproxDP(1.0, 1e-6)
BOUNDS = dv.Bounds(key=1.0, query=1.0, value=1.0, shape="positive_box")
DEGREE = 3
RELEASES = 3
Array = npt.NDArray[np.float64]


def data(rows: int, dimension: int, seed: int = 0) -> tuple[Array, Array, Array]:
    """Uniform keys and queries, values that depend on the keys."""
    rng = np.random.default_rng(seed)
    keys, queries = rng.uniform(0, 1, (rows, dimension)), rng.uniform(0, 1, (200, dimension))
    return keys, np.sin(4 * keys.sum(axis=1, keepdims=True)), queries


def errors(method: Method, rows: int, dimension: int) -> tuple[float, float]:
    """Root mean square error of the weighted sums (as a share of the rows) and of the answers."""
    keys, values, queries = data(rows, dimension)
    exact = dv.attention(queries, keys, values)
    sums, answers = [], []
    for _ in range(RELEASES):
        release = dv.release_attention(keys, values, CLAIM, bounds=BOUNDS, method=method, degree=DEGREE)
        features = release.state.features
        kernel = features(queries).T @ features(keys)
        numerators, denominators = release.state.weighted_sums(queries)
        sums += [numerators[:, 0] - (kernel @ values)[:, 0], denominators - kernel.sum(axis=1)]
        answers.append(release.query(queries) - exact)
    return rms(np.concatenate(sums)) / rows, rms(np.concatenate(answers))


def rms(x: Array) -> float:
    return float(np.sqrt((x**2).mean()))


def compare_errors(rows: int) -> None:
    print(f"error at epsilon = 1, delta = 1e-6, n = {rows:,}, degree {DEGREE} (root mean square)")
    print("   d    sums: functional      trees    ratio    answers: functional      trees    ratio")
    for dimension in (2, 3, 4):
        (fs, fa), (ts, ta) = (errors(m, rows, dimension) for m in ("functional", "dptree"))
        print(f"   {dimension} {fs:20.3g} {ts:10.3g} {ts / fs:8.0f} {fa:22.3g} {ta:10.3g} {ta / fa:8.0f}")
    print("   Trees' answers are clamped to the public range of the values, so their error stops at about 1.\n")


def query_time() -> None:
    print("time of a query, d = 4, batches of 200 (median of 20), and of exact attention")
    print("          n    functional us     exact us      ratio")
    for rows in (1_000, 10_000, 100_000, 1_000_000):
        keys, values, queries = data(rows, 4)
        release = dv.release_attention(keys, values, CLAIM, bounds=BOUNDS, degree=DEGREE)
        private = median_time(lambda r=release, q=queries: r.query(q)) / len(queries)
        asked = queries[:20] if rows > 100_000 else queries
        exact = median_time(lambda k=keys, v=values, q=asked: dv.attention(q, k, v), 3) / len(asked)
        print(f"   {rows:8,} {1e6 * private:14.2f} {1e6 * exact:12.2f} {exact / private:10.0f}")
    print()


def median_time(call: object, repeats: int = 20) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()  # type: ignore[operator]
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def tree_memory() -> None:
    print("numbers held by the published trees, d = d_v = 2, against the claimed n d r^2 (r features)")
    print("          n  degree     r       numbers     n d r^2    ratio")
    counted: dict[tuple[int, int], tuple[int, int]] = {}
    for rows, degree in ((256, 2), (1024, 2), (4096, 2), (1024, 1), (1024, 3), (1024, 4)):
        keys, values, _ = data(rows, 2)
        two = np.hstack([values, -values])
        release = dv.release_attention(keys, two, CLAIM, bounds=BOUNDS, method="dptree", degree=degree)
        held = sum(a.size for a in release.state.arrays().values())
        r = release.state.features.size
        counted[rows, degree] = held, r
        claimed = rows * 2 * r * r
        print(f"   {rows:8,} {degree:7} {r:5} {held:13,} {claimed:11,} {held / claimed:8.2f}")
    over_rows = [(n, counted[n, 2][0]) for n in (256, 1024, 4096)]
    over_features = [(counted[1024, s][1], counted[1024, s][0]) for s in (1, 2, 3, 4)]
    print(f"   fitted exponents: n^{exponent(over_rows):.3f} (claimed 1), r^{exponent(over_features):.3f} (claimed 2)")
    print("   A constant of 6 (three moments, inner nodes) makes small r exceed n d r^2; the exponents do not.\n")


def exponent(points: list[tuple[int, int]]) -> float:
    """Least-squares slope in log-log."""
    x, y = np.log(np.array(points, dtype=float)).T
    return float(np.polyfit(x, y, 1)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    options = parser.parse_args()
    warnings.simplefilter("ignore", dv.DrownedDenominatorWarning)
    compare_errors(options.rows)
    query_time()
    tree_memory()


if __name__ == "__main__":
    main()

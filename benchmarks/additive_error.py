"""Does the additive error fall as 1/n? Error of private attention at fixed queries against the number of rows.

    python benchmarks/additive_error.py [--largest 1000000] [--releases 10] [--picture PATH]

Keys uniform in [0, 1]^2, values in [-1, 1] that depend on them, 50 fixed queries in the box; (1, 1e-6)-DP. The rows are
nested: the first n of one sample. For each n: several releases with seeded noise; the error of an answer is
|answer - exact attention|, in units of the values, worst over queries and releases, and mean; the error of the weighted
sums behind it (root mean square), which should not depend on n; and ``release.error_bound(0.05)``, which is computed
without the data, for one query.

* functional, at a degree whose kernel error is below everything else, and at a low degree, where the kernel's error is
  a floor that no n removes: the floor (the polynomial kernel without noise) is measured and printed;
* dptree, the published trees, for fewer rows: they take memory in proportion to n.

Exponents are fitted where the worst error is below a tenth of the value bound (above, answers are clamped) and the mean
is ten times above the floor; the interval is a 95 % t interval over the sizes of that range.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pictures import COLOURS, MARKERS, arguments, exponent, panels, save

import dpverify as dv
from dpverify.spec.kernel import relative_error

CLAIM = dv.ApproxDP(1.0, 1e-6)
BOUNDS = dv.Bounds(key=1.0, query=1.0, value=1.0, shape="positive_box")
DIMENSION, QUERIES = 2, 50
HIGH, LOW, TREE = 12, 3, 3  # degrees
FAILURE = 0.05  # of the error bound
CLAMPED, ABOVE_FLOOR = 0.1, 10.0  # what is fitted: errors below the one and this many times the floor
CHUNK = 1 << 16
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Point:
    """At one n: errors of the answers (worst, mean), of the weighted sums (rms), the bound, and the floor."""

    rows: int
    worst: float
    mean: float
    sums: float
    bound: float
    floor: float


def data(rows: int, seed: int) -> tuple[Array, Array, Array]:
    """Keys, values and queries; the first n rows are the same for every ``rows`` >= n."""
    queries = np.random.default_rng(seed).uniform(0, 1, (QUERIES, DIMENSION))
    keys = np.random.default_rng(seed + 1).uniform(0, 1, (rows, DIMENSION))
    return keys, np.sin(4 * keys.sum(axis=1, keepdims=True)), queries


def polynomial(logits: Array, degree: int) -> Array:
    """p_s(logits), by Horner's rule."""
    total = np.ones_like(logits)
    for j in range(degree, 0, -1):
        total = 1.0 + total * logits / j
    return total


def noise_free(keys: Array, values: Array, queries: Array, degree: int) -> Array:
    """Numerators and normalisers of the polynomial kernel, shape (queries, 2)."""
    out = np.zeros((len(queries), 2))
    for start in range(0, len(keys), CHUNK):
        part = slice(start, start + CHUNK)
        kernel = polynomial(queries @ keys[part].T / DIMENSION, degree)
        out += np.column_stack([kernel @ values[part], kernel.sum(axis=1)])
    return out


def measure(method: str, degree: int, sizes: Sequence[int], releases: int, seed: int) -> list[Point]:
    """Errors at every size; the noise differs between sizes and releases."""
    keys, values, queries = data(max(sizes), seed)
    bits, points = dv.SeededBits(seed), []
    for rows in sizes:
        exact = dv.attention(queries, keys[:rows], values[:rows])
        sums = noise_free(keys[:rows], values[:rows], queries, degree)
        floor = float(np.abs(sums[:, :1] / sums[:, 1:] - exact).max())
        answers, deviations = [], []
        for _ in range(releases):
            release = dv.release_attention(
                keys[:rows],
                values[:rows],
                CLAIM,
                bounds=BOUNDS,
                method=method,  # type: ignore[arg-type]
                degree=degree,
                bits=bits,
            )
            numerators, denominators = release.state.weighted_sums(queries)
            deviations.append(np.column_stack([numerators, denominators]) - sums)
            answers.append(np.abs(release.query(queries) - exact))
        errors = np.array(answers)
        points.append(
            Point(
                rows,
                float(errors.max()),
                float(errors.mean()),
                float(np.sqrt(np.mean(np.square(deviations)))),
                release.error_bound(FAILURE),
                floor,
            )
        )
    return points


def fitted(points: Sequence[Point], name: str) -> tuple[float, float, int]:
    """Exponent of n in that error, half width of its interval, and how many sizes it is fitted to."""
    used = [p for p in points if p.worst < CLAMPED and p.mean > ABOVE_FLOOR * p.floor]
    if len(used) < 3:
        return math.nan, math.nan, len(used)
    return *exponent([p.rows for p in used], [getattr(p, name) for p in used]), len(used)


def show(label: str, degree: int, points: Sequence[Point]) -> None:
    eps = relative_error.relative_error(degree, 1.0)  # logits <q, k> / 2 lie in [0, 1]
    print(f"{label}, degree {degree}: eps_s = {eps:.1e}")
    print("          n   worst error  mean error  floor     bound  bound/worst   sums (rms)  n x mean error")
    for p in points:
        print(
            f"  {p.rows:9,} {p.worst:13.2e} {p.mean:11.2e} {p.floor:7.0e} {p.bound:9.2e} {p.bound / p.worst:11.1f} "
            f"{p.sums:13.4g} {p.rows * p.mean:13.4g}"
        )
    fits = [(name, *fitted(points, name)) for name in ("worst", "mean", "bound")]
    if math.isnan(fits[0][1]):
        print(f"  no exponent: {fits[0][3]} sizes between clamped answers and the floor")
    else:
        print("  " + "; ".join(f"{name} ~ n^{slope:.3f} +- {half:.3f}" for name, slope, half, _ in fits), end="")
        print(f" over {fits[0][3]} sizes")
    slope, half = exponent([p.rows for p in points], [p.sums for p in points])
    levels = exponent([1 + math.ceil(math.log2(p.rows)) for p in points], [p.sums for p in points])
    print(
        f"  sums ~ n^{slope:.3f} +- {half:.3f}, ~ (log2 n + 1)^{levels[0]:.2f} +- {levels[1]:.2f} over all sizes\n",
        flush=True,
    )


def draw(found: dict[str, list[Point]], path: Path) -> None:
    figure, (left, right) = panels(2, height=3.8)
    for i, (label, points) in enumerate(found.items()):
        rows = [p.rows for p in points]
        style = {"color": COLOURS[i], "linewidth": 1.1}
        left.plot(rows, [p.worst for p in points], marker=MARKERS[i], markersize=3.5, label=f"{label}: worst", **style)
        left.plot(rows, [p.bound for p in points], "--", label=f"{label}: bound", **style)
        right.plot(rows, [p.sums for p in points], marker=MARKERS[i], markersize=3.5, label=label, **style)
    rows = [p.rows for p in next(iter(found.values()))]
    first = next(iter(found.values()))[-1]
    guide = [first.worst * first.rows / n for n in rows]
    left.plot(rows, guide, ":", color=COLOURS[6], linewidth=1, label="1 / n")
    left.set(ylabel="error of an answer (unit of the values)")
    right.set(ylabel="rms error of the weighted sums (rows)")
    for axis in (left, right):
        axis.set(xscale="log", yscale="log", xlabel="n (rows)")
    left.legend(fontsize=6.5, loc="lower left")
    right.legend(fontsize=6.5, loc="center right")
    save(figure, path)


def main() -> None:
    parser = arguments(__doc__, "additive_error")
    parser.add_argument("--largest", type=int, default=1_000_000, help="rows of the functional release")
    parser.add_argument("--largest-tree", type=int, default=65_536, help="rows of the trees")
    parser.add_argument("--releases", type=int, default=10, help="a size")
    options = parser.parse_args()
    warnings.simplefilter("ignore", dv.DrownedDenominatorWarning)
    sizes = [round(10 ** (j / 2)) for j in range(4, 1 + math.floor(2 * math.log10(options.largest) + 1e-9))]
    tree_sizes = [1 << h for h in range(6, options.largest_tree.bit_length(), 2)]
    print(f"epsilon = 1, delta = 1e-6, d = {DIMENSION}, {QUERIES} queries, {options.releases} releases")
    print(f"seed {options.seed}\n")
    cases = (("functional", HIGH, sizes), ("functional", LOW, sizes), ("dptree", TREE, tree_sizes))
    found = {}
    for method, degree, chosen in cases:
        label = f"{method}, s = {degree}"
        found[label] = measure(method, degree, chosen, options.releases, options.seed)
        show(method, degree, found[label])
    draw(found, options.picture)


if __name__ == "__main__":
    main()

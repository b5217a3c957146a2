"""Memory and time of private attention against n, r, d_v and d: fitted exponents beside the claimed ones.

    python benchmarks/scaling.py [--quick] [--picture PATH]

For the published trees (method="dptree") and the functional release, one quantity is varied at a time:

* n rows (d = d_v = 2, degree 2); r features, through the degree s (d = d_v = 2); d_v + 1 columns, the normaliser's
  included; and d with d_v = d at degree 2, as in the paper, where V is n x d.

Measured: bytes of the noisy integers that are kept (they are what is saved, before compression); peak of the memory
allocated while building, by tracemalloc; CPU seconds of a build and of a query (one thread, least of several; batches
of 100 queries). Exponents are least-squares slopes of logarithms with 95 % t intervals, which know of scatter, not of a
bend; "end" is the slope between the two largest sizes, where fixed costs weigh least.

Claimed: memory O(n d r^2) and query time O(d r^2) (arXiv 2407.14717v3, main theorem; spec lemmas complexity.tree_space
and complexity.tree_query). For the functional release: lemma complexity.functional_size.
"""

from __future__ import annotations

import math
import time
import tracemalloc
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pictures import COLOURS, MARKERS, arguments, exponent, panels, save
from threadpoolctl import threadpool_limits

import dpverify as dv
from dpverify.spec.complexity import functional_size, tree_query, tree_space

CLAIM = dv.ApproxDP(1.0, 1e-6)
BOUNDS = dv.Bounds(key=1.0, query=1.0, value=1.0, shape="positive_box")
QUERIES = 100
MEASURES = ("kept", "peak", "build", "query")
UNITS = {"kept": "bytes kept", "peak": "peak bytes", "build": "build (CPU s)", "query": "query (CPU s)"}
METHODS = ("dptree", "functional")
LIMIT = 1 << 32  # bytes, of the largest dimension


@dataclass(frozen=True)
class Size:
    """Rows, key dimension, degree, value columns."""

    rows: int
    dimension: int
    degree: int
    columns: int

    @property
    def features(self) -> int:
        return math.comb(self.dimension + self.degree, self.degree)


@dataclass(frozen=True)
class Cost:
    """Bytes and seconds; ``query`` is of one query of a batch."""

    kept: int
    peak: int
    build: float
    query: float


@dataclass(frozen=True)
class Sweep:
    """One quantity varied; ``claimed`` gives exponents of (kept, query) by method, None where nothing is claimed."""

    name: str
    sizes: tuple[Size, ...]
    of: Callable[[Size], int]
    claimed: dict[str, tuple[float | None, float | None]]


def measure(method: str, size: Size, seed: int, repeats: int) -> Cost:
    """Builds and queries at one size; memory is measured in a build of its own, since tracing it takes time."""
    rng = np.random.default_rng(seed)
    keys, queries = rng.uniform(0, 1, (size.rows, size.dimension)), rng.uniform(0, 1, (QUERIES, size.dimension))
    values = rng.uniform(-1, 1, (size.rows, size.columns))

    def build() -> dv.Release:
        return dv.release_attention(
            keys,
            values,
            CLAIM,
            bounds=BOUNDS,
            method=method,  # type: ignore[arg-type]
            degree=size.degree,
            bits=dv.SeededBits(seed),
        )

    release = build()
    kept = sum(array.nbytes for array in release.state.arrays().values())
    tracemalloc.start()
    build()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    query = seconds(lambda: release.query(queries), repeats) / QUERIES
    return Cost(kept, peak, seconds(build, repeats), query)


def seconds(call: Callable[[], object], repeats: int) -> float:
    """CPU seconds of a call: the least of several means over at least 20 ms, so that other processes count little."""
    start = time.process_time()
    call()
    calls = max(1, math.ceil(0.02 / max(time.process_time() - start, 1e-6)))
    times = []
    for _ in range(repeats):
        start = time.process_time()
        for _ in range(calls):
            call()
        times.append((time.process_time() - start) / calls)
    return min(times)


def sweeps(method: str, quick: bool) -> list[Sweep]:
    """What is varied; the functional release is given more rows, as it can take them."""
    tree = method == "dptree"
    tree_claims = list(zip(tree_space.CLAIMED, tree_query.CLAIMED, strict=True))  # of n, r and d
    ours = [(exponent, exponent if exponent else 0.0) for exponent in functional_size.CLAIMED]
    n, r, columns = tree_claims if tree else ours
    base = 256 if tree else 4096
    rows = [2**h for h in (range(6, 13, 2) if quick else range(6, 15))]
    if not tree:
        rows = [16 * x for x in rows]
    degrees = (1, 2, 4, 8) if quick else ((1, 2, 4, 8, 12, 16) if tree else (1, 2, 4, 8, 16, 32))
    widths = (2, 4, 8, 16, 32) if quick else (2, 4, 8, 16, 32, 64, 128)
    dimensions = (2, 3, 4, 6, 8) if quick else ((2, 3, 4, 6, 8, 12, 16) if tree else (2, 4, 8, 16, 24, 32, 48))
    # d r^2 with r about d^2 / 2 is d^5; d r would be d^3
    paper = (5.0, 5.0) if tree else (3.0, 3.0)
    return [
        Sweep("n", tuple(Size(x, 2, 2, 2) for x in rows), lambda size: size.rows, {method: n}),
        Sweep("r", tuple(Size(base, 2, s, 2) for s in degrees), lambda size: size.features, {method: r}),
        Sweep("d_v + 1", tuple(Size(base, 2, 2, c) for c in widths), lambda size: size.columns + 1, {method: columns}),
        Sweep("d = d_v", tuple(Size(base, d, 2, d) for d in dimensions), lambda size: size.dimension, {method: paper}),
    ]


def counted(method: str, size: Size) -> int:
    """Bytes that the lemmas say are kept."""
    if method == "dptree":
        return 8 * tree_space.numbers_stored(size.rows, size.dimension, size.degree, size.columns)
    return 8 * functional_size.numbers_released(size.dimension, size.degree, size.columns)


def run(method: str, quick: bool, seed: int) -> dict[str, tuple[Sweep, list[Cost]]]:
    """Every sweep of a method, printed with its exponents."""
    out = {}
    print(f"{method}; seed {seed}")
    for sweep in sweeps(method, quick):
        costs = [measure(method, size, seed, 3 if quick else 5) for size in sweep.sizes]
        out[sweep.name] = sweep, costs
        print(
            f"  {sweep.name:>8}        n   d   s     r  d_v    bytes kept  / lemma    peak bytes   build ms   query us"
        )
        for size, cost in zip(sweep.sizes, costs, strict=True):
            shape = f"{size.rows:8} {size.dimension:3} {size.degree:3} {size.features:5} {size.columns:4}"
            print(
                f"  {sweep.of(size):8} {shape} {cost.kept:13,} {cost.kept / counted(method, size):8.3f} "
                f"{cost.peak:13,} {1e3 * cost.build:10.2f} {1e6 * cost.query:10.2f}"
            )
        print(f"  {exponents_line(method, sweep, costs)}", flush=True)
    print()
    return out


def exponents_line(method: str, sweep: Sweep, costs: Sequence[Cost]) -> str:
    kept, query = sweep.claimed[method]
    claims = {"kept": kept, "query": query}
    cells = []
    for name in MEASURES:
        x, y = [sweep.of(size) for size in sweep.sizes], [getattr(cost, name) for cost in costs]
        (slope, half), (end, _) = exponent(x, y), exponent(x[-2:], y[-2:])
        claim = f", claimed {claims[name]:g}" if claims.get(name) is not None else ""
        cells.append(f"{name} {slope:.2f} +- {half:.2f} (end {end:.2f}{claim})")
    return f"exponents of {sweep.name}: " + "; ".join(cells)


def largest_dimension(method: str, rows: int, degree: int) -> int:
    """The largest d = d_v whose numbers fit the limit."""
    d = 0
    while counted(method, Size(rows, d + 1, degree, d + 1)) <= LIMIT:
        d += 1
    return d


def draw(found: dict[str, dict[str, tuple[Sweep, list[Cost]]]], path: Path) -> None:
    figure, axes = panels(4, rows=2, height=3.0)
    shown = (("n", "kept"), ("n", "query"), ("r", "kept"), ("r", "query"))
    for axis, (name, measured) in zip(axes, shown, strict=True):
        for i, method in enumerate(METHODS):
            sweep, costs = found[method][name]
            x = [sweep.of(size) for size in sweep.sizes]
            y = [getattr(cost, measured) for cost in costs]
            slope = exponent(x, y)[0]
            label = f"{method}: {name}^{slope:.2f}"
            axis.plot(x, y, marker=MARKERS[i], color=COLOURS[i], markersize=3.5, linewidth=1.1, label=label)
            claimed = sweep.claimed[method][0 if measured == "kept" else 1]
            if claimed is not None and method == "dptree":
                line = y[0] * (np.array(x) / x[0]) ** claimed
                axis.plot(x, line, "--", color=COLOURS[i], linewidth=0.9, label=f"claimed: {name}^{claimed:g}")
        axis.set(xscale="log", yscale="log", xlabel=f"{name} ({'rows' if name == 'n' else 'features'})")
        axis.set_ylabel(UNITS[measured])
        axis.legend(fontsize=6.5)
    save(figure, path)


def main() -> None:
    parser = arguments(__doc__, "scaling")
    parser.add_argument("--quick", action="store_true", help="fewer and smaller sizes")
    options = parser.parse_args()
    warnings.simplefilter("ignore", dv.DrownedDenominatorWarning)
    with threadpool_limits(1):  # CPU seconds of several threads would add up
        found = {method: run(method, options.quick, options.seed) for method in METHODS}
    print("largest d = d_v whose noisy numbers fit 4 GiB, degree 3:")
    for rows in (10_000, 1_000_000):
        print(f"  n = {rows:,}: dptree {largest_dimension('dptree', rows, 3)}")
    print(f"  any n: functional {largest_dimension('functional', 1, 3)}")
    draw(found, options.picture)


if __name__ == "__main__":
    main()

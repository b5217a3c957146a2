"""The tree's unit test, which the papers have no experiment for: variance of its answers against the lemma.

    python benchmarks/tree_variance.py [--builds 2000] [--heights 3 6 10] [--picture PATH]

A tree over 2^h integer leaves is built again and again. An answer that adds m nodes must have m times the variance
of one node's noise (lemma tree.query_variance), mean zero, and stay within the bounds of lemma tree.query_deviation.

* levels, vector: ``dv.DPTree`` built that many times;
* exact: calibrated once by ``dv.DPTree(split="exact")`` (seconds), then that many draws for all of its nodes;
* Gaussian: the same with ``dv.Gaussian`` for the l2 sensitivity of all nodes, which DPTree does not offer.

Noise is seeded, so the numbers are reproducible; the seed is printed. Variances are in units of the leaves, squared.
Intervals are chi-square intervals about the known mean of zero whose degrees of freedom, 2 R / (kurtosis - 1), allow
for the noise's kurtosis (Box 1953): Laplace noise has up to 6 where a normal law has 3, and plain ones would be too
short. Together they hold with probability 99 % (Bonferroni over the table).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pictures import COLOURS, MARKERS, arguments, panels, save
from scipy import special, stats

import dpverify as dv
from dpverify.nodes import NoisyNodes
from dpverify.spec.tree import interval_decomposition, prefix_decomposition, sensitivity_l2

CLAIM = dv.ApproxDP(1.0, 1e-6)
SPLITS = ("levels", "vector", "exact", "Gaussian")
CONFIDENCE = 0.99  # of all intervals of a table together
TAIL = 1e-2  # failure probability at which the tail bound is counted
Array = npt.NDArray[np.float64]
Query = tuple[int, int]  # an interval [start, stop); a prefix starts at 0
Noise = dv.TruncatedLaplace | dv.Gaussian


@dataclass(frozen=True)
class Row:
    """One query, asked of every build.

    Attributes:
        nodes: m; claimed: variance by the lemma; ratio: measured over claimed, with its interval.
        mean: of the errors, in units of its standard error.
        worst: largest error; tail: what one build in R may exceed; beyond: share of errors above the bound at 1 %.
        surely: m B, which no error may exceed.
    """

    nodes: int
    claimed: float
    ratio: float
    interval: tuple[float, float]
    mean: float
    worst: float
    tail: float
    beyond: float
    surely: float


def errors_of_trees(split: str, height: int, builds: int, queries: Sequence[Query], seed: int) -> tuple[Array, Noise]:
    """Answer minus truth, shape (builds, queries), and the noise of one node."""
    leaves = np.random.default_rng(seed).integers(-9, 10, size=1 << height)
    sums = np.concatenate([[0], leaves.cumsum()])
    starts, stops = np.array(queries).T
    truth, bits = sums[stops] - sums[starts], dv.SeededBits(seed)
    if split in ("levels", "vector"):
        made = []
        for _ in range(builds):
            tree = dv.DPTree(leaves, 1.0, CLAIM, split=split, bits=bits)  # type: ignore[arg-type]
            made.append(np.where(starts == 0, tree.prefix(stops), tree.interval(starts, stops)) - truth)
        return np.array(made), tree.noise
    noise: Noise
    if split == "exact":
        noise = dv.DPTree(leaves, 1.0, CLAIM, split="exact", bits=bits).noise
    else:
        noise = dv.Gaussian(sensitivity_l2.l2(1.0, height, 2), CLAIM, draws=2 ** (height + 1) - 1)
    out = np.empty((builds, len(queries)))
    step = max(1, (1 << 22) >> height)
    for first in range(0, builds, step):  # without data: errors are sums of noise
        trees = min(step, builds - first)
        levels = tuple(noise.sample_steps((trees, 1 << (height - level)), bits) for level in range(height + 1))
        nodes = NoisyNodes(levels, noise.grid)
        for column, (start, stop) in enumerate(queries):
            left, right = np.full(trees, start), np.full(trees, stop)
            out[first : first + trees, column] = nodes.interval(left, right) if start else nodes.prefix(right)
    return out, noise


def nodes_of(query: Query, height: int) -> int:
    """How many nodes the lemmas say the answer adds."""
    start, stop = query
    return len(
        interval_decomposition.interval(start, stop, height) if start else prefix_decomposition.prefix(stop, height)
    )


def kurtosis(noise: Noise) -> float:
    """Fourth moment over squared variance of one node's noise (of the continuous law; the grid is far finer)."""
    if isinstance(noise, dv.Gaussian):
        return 3.0
    length = noise.bound * noise.claim.epsilon / (noise.shift * noise.grid)  # L, where the law is cut
    moments = [math.factorial(k) * special.gammainc(k + 1, length) / -math.expm1(-length) for k in (2, 4)]
    return float(moments[1] / moments[0] ** 2)


def summary(errors: Array, nodes: int, noise: Noise, intervals: int) -> Row:
    """What the table says of one query; ``intervals`` of them share the confidence."""
    variance = dv.spec.lemma("tree.query_variance").formula(nodes, noise.std**2)
    deviation = dv.spec.lemma("tree.query_deviation").formula
    ratio = float((errors**2).mean()) / variance
    # a sum of m independent terms has excess kurtosis excess / m
    freedom = 2.0 * len(errors) / (2.0 + (kurtosis(noise) - 3.0) / nodes)
    missed = (1.0 - CONFIDENCE) / (2 * intervals)
    low, high = (freedom / stats.chi2.ppf(p, freedom) for p in (1 - missed, missed))
    return Row(
        nodes,
        variance,
        ratio,
        (ratio * low, ratio * high),
        float(errors.mean()) / math.sqrt(variance / len(errors)),
        float(np.abs(errors).max()),
        deviation(nodes, noise.bound, noise.std**2, 1.0 / len(errors)),
        float((np.abs(errors) > deviation(nodes, noise.bound, noise.std**2, TAIL)).mean()),
        nodes * noise.bound,
    )


def queries_of(height: int) -> dict[str, Query]:
    """The cheapest and the dearest prefix, the dearest interval, the root."""
    full = 1 << height
    return {
        "prefix, 1 node": (0, full // 2),
        "prefix, most": (0, full - 1),
        "interval, most": (1, full - 1),
        "root": (0, full),
    }


def table(heights: Sequence[int], builds: int, seed: int) -> dict[tuple[str, int, str], Row]:
    """Every split, height and query, printed."""
    intervals = len(SPLITS) * len(heights) * 4
    rows = {}
    print(f"{builds:,} builds; replace-one, a row contributes at most 1; epsilon = 1, delta = 1e-6; seed {seed}")
    print(
        "  split     h  query           m  claimed var  measured/claimed [interval]    mean/se  worst  one in R"
        "   m B  beyond 1 %"
    )
    for split in SPLITS:
        for height in heights:
            queries = queries_of(height)
            errors, noise = errors_of_trees(split, height, builds, list(queries.values()), seed)
            for (name, query), column in zip(queries.items(), errors.T, strict=True):
                row = summary(column, nodes_of(query, height), noise, intervals)
                rows[split, height, name] = row
                print(
                    f"  {split:8} {height:2}  {name:14} {row.nodes:2} {row.claimed:12.1f}  {row.ratio:7.4f} "
                    f"[{row.interval[0]:.4f}, {row.interval[1]:.4f}] {row.mean:12.2f} {row.worst:6.0f} {row.tail:8.0f}"
                    f" {row.surely:6.0f} {row.beyond:10.4f}",
                    flush=True,
                )
    held = sum(row.interval[0] <= 1.0 <= row.interval[1] for row in rows.values())
    print(
        f"  {held} of {len(rows)} intervals contain 1; largest |mean|/se {max(abs(r.mean) for r in rows.values()):.2f}"
    )
    tables = node_variances(heights)
    print("  variance of the table against lemma noise.truncated_laplace_variance, levels: " + tables)
    return rows


def node_variances(heights: Sequence[int]) -> str:
    """The variance of the table that is sampled over that of the continuous law of the same scale."""
    cells = []
    for height in heights:
        noise = dv.DPTree(np.zeros(1 << height), 1.0, CLAIM, bits=dv.SeededBits(0)).noise
        lemma = dv.spec.lemma("noise.truncated_laplace_variance").formula
        cells.append(
            f"h = {height}: {noise.std**2 / lemma(noise.sensitivity, noise.claim.epsilon, noise.claim.delta):.6f}"
        )
    return ", ".join(cells)


def draw(rows: dict[tuple[str, int, str], Row], height: int, builds: int, seed: int, path: Path) -> None:
    """Left: every prefix of one tree. Right: every row of the table."""
    figure, (left, right) = panels(2)
    stops = list(range(1, (1 << height) + 1))
    queries = [(0, stop) for stop in stops]
    for i, split in ((0, "levels"), (3, "Gaussian")):
        errors, noise = errors_of_trees(split, height, builds, queries, seed)
        measured = (errors**2).mean(axis=0) / noise.std**2
        label = f"measured, {split}"
        left.plot(stops, measured, MARKERS[i], color=COLOURS[i], markersize=3.5, label=label)
    left.step(
        stops, [nodes_of(q, height) for q in queries], where="mid", color="#000000", linewidth=0.8, label="lemma: m"
    )
    left.set(xlabel=f"stop of the prefix (leaves; h = {height})", ylabel="variance (node variances)")
    left.set_ylim(0, height + 2.6)
    left.legend(fontsize=7, loc="upper left", ncols=3, columnspacing=0.8, handletextpad=0.3)
    for at, ((split, _, _), row) in enumerate(rows.items()):
        i = SPLITS.index(split)
        bars = [[row.ratio - row.interval[0]], [row.interval[1] - row.ratio]]
        right.errorbar(at, row.ratio, bars, fmt=MARKERS[i], color=COLOURS[i], markersize=3.5, linewidth=0.9)
    for i, split in enumerate(SPLITS):
        right.plot([], [], MARKERS[i], color=COLOURS[i], markersize=3.5, label=split)
    right.axhline(1.0, color="#000000", linewidth=0.8)
    right.set(xlabel="row of the table", ylabel="measured / claimed variance")
    right.legend(fontsize=7, ncols=4, loc="upper center", columnspacing=0.8, handletextpad=0.3)
    low, high = right.get_ylim()
    right.set_ylim(low, high + 0.12 * (high - low))
    save(figure, path)


def main() -> None:
    parser = arguments(__doc__, "tree_variance")
    parser.add_argument("--builds", type=int, default=2000)
    parser.add_argument("--heights", type=int, nargs="+", default=[3, 6, 10])
    options = parser.parse_args()
    rows = table(options.heights, options.builds, options.seed)
    middle = sorted(options.heights)[len(options.heights) // 2]
    draw(rows, min(middle, 6), options.builds, options.seed + 1, options.picture)


if __name__ == "__main__":
    main()

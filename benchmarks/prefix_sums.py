"""Trees, matrix mechanisms or three sums? Variance at equal privacy (open question 2 of arXiv 2407.14717).

    python benchmarks/prefix_sums.py [--largest 4096] [--draws 20000] [--picture PATH]

N leaves; one row changes one leaf by at most 1 (add/remove); everything at epsilon = 1, delta = 1e-6 and calibrated
exactly (``dv.DPTree``, ``dv.Gaussian``). Variances are in units of one leaf's change, squared.

First, all N prefix sums, M x with M the lower triangle of ones:

* TLap levels, vector, exact: ``dv.DPTree``; the variance of a prefix is (number of nodes) s^2;
* Gaussian tree: l2 sensitivity sqrt(h + 1); least squares: the same noisy nodes, answers of least variance;
* square root: M = L R with L = R the Toeplitz square root of M (Fichtenberger, Henzinger, Upadhyay 2023): noise on
  R x, sensitivity the largest column of R, variance the rows of L;
* optimum: the best M = L R there is, by the fixed point of its dual problem: for unit vectors u and v the largest
  variance is at least sigma_1^2 |diag(u) M diag(v)|_*^2 (gamma_2 norm), and the singular vectors give a
  factorisation. Both ends are printed, so the gap is certain. u = v = 1/sqrt(N) gives the closed form (|M|_* / N)^2.

Second, what attention asks for p = 2: sum w (x - y)^2 over one feature, |w|, |x|, |y| <= 1, from sums of w, w x and
w x^2. Three trees of buckets, or three root sums (lemma distance.tree_redundancy), or the same sums weighted
1 : sqrt(2) : 1. No Gaussian mechanism can be below 16 sigma_1^2: the one answer at y = -1 has sensitivity (1 + 1)^2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pictures import COLOURS, MARKERS, arguments, panels, save
from scipy import linalg

import dpverify as dv
from dpverify.spec.tree import prefix_decomposition, sensitivity_l1, sensitivity_l2

CLAIM = dv.ApproxDP(1.0, 1e-6)
DENSE = 512  # largest N whose matrices are factored
GAP = 2e-3  # relative, between the ends of the optimum
MAX_STEPS = 400
TLAP = ("TLap levels", "TLap vector", "TLap exact")
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Factors:
    """M = answers @ measured: noise on ``measured @ x``. ``lower``: no factorisation has a smaller value.

    The value is (largest or mean squared row of ``answers``) x (largest squared column of ``measured``).
    """

    answers: Array
    measured: Array
    lower: float

    @property
    def sensitivity(self) -> float:
        return float(np.sqrt((self.measured**2).sum(axis=0).max()))

    def variances(self, sigma_one: float) -> Array:
        """Of every answer, with noise sigma_one for a sensitivity of 1."""
        return np.asarray((self.answers**2).sum(axis=1) * (sigma_one * self.sensitivity) ** 2)


def prefixes(leaves: int) -> Array:
    """M: the lower triangle of ones."""
    return np.tril(np.ones((leaves, leaves)))


def square_root(leaves: int) -> Array:
    """First column of the Toeplitz square root of M: binom(2k, k) / 4^k."""
    k = np.arange(1, leaves)
    return np.concatenate([[1.0], np.cumprod((2 * k - 1) / (2 * k))])


def square_root_factors(leaves: int) -> Factors:
    root = linalg.toeplitz(square_root(leaves), np.zeros(leaves))
    return Factors(root, root, nuclear_bound(leaves))


def tree_factors(leaves: int) -> Factors:
    """All nodes of a complete tree, answered by least squares."""
    levels = [np.eye(leaves)]
    while len(levels[-1]) > 1:
        levels.append(levels[-1][::2] + levels[-1][1::2])
    nodes = np.vstack(levels)
    return Factors(prefixes(leaves) @ np.linalg.pinv(nodes), nodes, nuclear_bound(leaves))


def nuclear_bound(leaves: int) -> float:
    """(|M|_* / N)^2, from the singular values 1 / (2 sin((2 j - 1) pi / (4 N + 2))) of M.

    No Gaussian mechanism has a smaller variance / sigma_1^2, neither the largest nor the mean over prefixes.
    """
    angles = (2 * np.arange(1, leaves + 1) - 1) * math.pi / (4 * leaves + 2)
    return float((0.5 / np.sin(angles)).mean() ** 2)


def optimum(matrix: Array, *, mean: bool = False) -> Factors:
    """The best factorisation for the largest (or mean) squared row, within a relative ``GAP`` of its lower bound.

    At singular vectors P, Q and values S of diag(u) M diag(v): L = diag(1/u) P sqrt(S), R = sqrt(S) Q^T diag(1/v); and
    u^2, v^2 become the diagonals of P S P^T and Q S Q^T over |.|_* (for the mean, u stays). Where that no longer
    moves, all rows and columns of the factors are as long, and the two ends meet.
    """
    size = len(matrix)
    u = v = np.full(size, size**-0.5)
    best, lower = None, 0.0
    for _ in range(MAX_STEPS):
        left, values, right = np.linalg.svd(u[:, None] * matrix * v)
        root, nuclear = np.sqrt(values), float(values.sum())
        lower = max(lower, nuclear**2)
        made = Factors(left * root / u[:, None], root[:, None] * right / v, lower)
        if best is None or value(made, mean) < value(best, mean):
            best = made
        if value(best, mean) <= (1 + GAP) * lower:
            break
        if not mean:
            u = np.sqrt((left**2) @ values / nuclear)
        v = np.sqrt(values @ (right**2) / nuclear)
    assert best is not None
    return Factors(best.answers, best.measured, lower)


def value(factors: Factors, mean: bool = False) -> float:
    """Largest (or mean) variance over sigma_1^2."""
    variances = factors.variances(1.0)
    return float(variances.mean() if mean else variances.max())


@lru_cache
def gaussian_std(sensitivity: float) -> float:
    return dv.Gaussian(sensitivity, CLAIM).std


@lru_cache
def tlap_std(split: str, leaves: int) -> float:
    """Of one node of a tree over so many leaves, when one leaf changes by 1."""
    zeros, bits = np.zeros(leaves), dv.SeededBits(0)
    tree = dv.DPTree(zeros, 1.0, CLAIM, adjacency=dv.Adjacency.ADD_REMOVE, split=split, bits=bits)  # type: ignore[arg-type]
    return tree.noise.std


def nodes_read(leaves: int) -> Array:
    """How many nodes each prefix adds."""
    height = leaves.bit_length() - 1
    return np.array([len(prefix_decomposition.prefix(stop, height)) for stop in range(1, leaves + 1)], dtype=float)


def compare(leaves: int) -> dict[str, tuple[float, float]]:
    """(largest, mean) variance over all prefixes, by mechanism; NaN where it was not computed."""
    height, nodes, one = leaves.bit_length() - 1, nodes_read(leaves), gaussian_std(1.0)
    spent = {name: nodes * tlap_std(name.split()[1], leaves) ** 2 for name in TLAP}
    spent["Gaussian tree"] = nodes * gaussian_std(sensitivity_l2.l2(1.0, height, 1)) ** 2
    squares = square_root(leaves) ** 2
    spent["square root"] = one**2 * squares.sum() * np.cumsum(squares)
    out = {name: (float(v.max()), float(v.mean())) for name, v in spent.items()}
    missing = (math.nan, math.nan)
    dense = leaves <= DENSE
    if dense:
        least = tree_factors(leaves).variances(one)
        largest, mean = optimum(prefixes(leaves)), optimum(prefixes(leaves), mean=True)
    out["tree, least squares"] = (float(least.max()), float(least.mean())) if dense else missing
    out["optimum, found"] = (one**2 * value(largest), one**2 * value(mean, mean=True)) if dense else missing
    out["optimum, not below"] = (one**2 * largest.lower, one**2 * mean.lower) if dense else missing
    out["closed-form bound"] = (one**2 * nuclear_bound(leaves),) * 2
    return out


def distance_answer(leaves: int) -> dict[str, float]:
    """Largest variance over y in [-1, 1] of sum w (x - y)^2, one feature, by mechanism.

    One row changes the sums of w x^2, w x and w by at most 1 each; the answer takes them times 1, -2 y, y^2: at
    |y| = 1 noise of variance s^2 on each gives 6 s^2, times the nodes that both sides of y's bucket take.
    """
    height, weights = leaves.bit_length() - 1, 6.0
    both = height + 1  # lemma complexity.tree_query, attained at odd buckets
    zeros = np.zeros((3, leaves))
    tlap = dv.DPTree(zeros, 1.0, CLAIM, adjacency=dv.Adjacency.ADD_REMOVE, bits=dv.SeededBits(0)).noise.std
    roots = dv.TruncatedLaplace(sensitivity_l1.l1(3.0, 0, 1), CLAIM, draws=3).std
    one = gaussian_std(1.0)
    return {
        "three trees, TLap levels": weights * both * tlap**2,
        "three trees, Gaussian": weights * both * (one**2 * 3 * (height + 1)),
        "three roots, TLap": weights * roots**2,
        "three roots, Gaussian": weights * gaussian_std(math.sqrt(3.0)) ** 2,
        "three roots, weighted": weighted_roots_variance() * one**2,
        "not below": 16.0 * one**2,
    }


def weighted_roots_variance(weight: float = math.sqrt(2.0)) -> float:
    """Noise on (S2, weight S1, S0), one sigma for all: the largest variance over y, for sigma_1 = 1."""
    x = y = np.linspace(-1.0, 1.0, 201)
    sensitivity2 = (x**4 + weight**2 * x**2 + 1).max()
    return float((sensitivity2 * (1 + 4 * y**2 / weight**2 + y**4)).max())


def drawn(leaves: int, draws: int, seed: int) -> dict[str, tuple[float, float]]:
    """Measured over computed variance, of the worst prefix and of the mean, from the library's own draws."""
    bits, computed = dv.SeededBits(seed), compare(leaves)
    queries = [(level, index) for level in range(leaves.bit_length()) for index in range(leaves >> level)]
    height = leaves.bit_length() - 1
    used = np.array([[n in prefix_decomposition.prefix(s, height) for n in queries] for s in range(1, leaves + 1)])
    cases: dict[str, tuple[Array, Callable[[tuple[int, int]], Array]]] = {}
    for name in TLAP:
        zeros, change = np.zeros(leaves), dv.Adjacency.ADD_REMOVE
        tree = dv.DPTree(zeros, 1.0, CLAIM, adjacency=change, split=name.split()[1], bits=bits)  # type: ignore[arg-type]
        cases[name] = used.astype(float), lambda size, noise=tree.noise: noise.sample(size, bits)
    factored = {
        "Gaussian tree": Factors(used.astype(float), tree_factors(leaves).measured, 0.0),
        "tree, least squares": tree_factors(leaves),
        "square root": square_root_factors(leaves),
        "optimum, found": optimum(prefixes(leaves)),
    }
    for name, factors in factored.items():
        noise = dv.Gaussian(factors.sensitivity, CLAIM, draws=len(factors.measured))
        cases[name] = factors.answers, lambda size, noise=noise: noise.sample(size, bits)
    out = {}
    for name, (answers, sample) in cases.items():
        variances = ((sample((draws, answers.shape[1])) @ answers.T) ** 2).mean(axis=0)
        exact = (answers**2).sum(axis=1)
        worst = int(exact.argmax())
        mean = computed[name][1] if name != "optimum, found" else computed[name][0] * exact.mean() / exact.max()
        out[name] = (float(variances[worst]) / computed[name][0], float(variances.mean()) / mean)
    return out


def features_from_which_gaussian_wins() -> int:
    """The least r such that 3 r root sums (r features over the same rows) get less Gaussian than TLap noise."""
    r = 1
    while dv.TruncatedLaplace(3.0 * r, CLAIM, draws=3 * r).std <= gaussian_std(math.sqrt(3.0 * r)):
        r += 1
    return r


def show_prefixes(sizes: list[int]) -> dict[int, dict[str, tuple[float, float]]]:
    found = {leaves: compare(leaves) for leaves in sizes}
    print("all prefix sums at (1, 1e-6), one leaf changes by 1; variance, largest over prefixes (mean over prefixes)")
    print("  mechanism            " + "".join(f"{f'N = {n:,}':>18}" for n in sizes))
    for name in found[sizes[0]]:
        cells = [f"{found[n][name][0]:.0f} ({found[n][name][1]:.0f})" for n in sizes]
        print(f"  {name:21}" + "".join(f"{cell.replace('nan (nan)', '-'):>18}" for cell in cells))
    print(
        "  the largest, over that of the best that is certain (optimum found, or the closed-form bound from N = 1,024)"
    )
    for name in [*TLAP, "Gaussian tree", "tree, least squares", "square root"]:
        best = {n: found[n]["optimum, found" if n <= DENSE else "closed-form bound"][0] for n in sizes}
        cells = [f"{found[n][name][0] / best[n]:.2f}" for n in sizes]
        print(f"  {name:21}" + "".join(f"{cell.replace('nan', '-'):>18}" for cell in cells))
    print()
    return found


def show_distance(sizes: list[int]) -> dict[int, dict[str, float]]:
    found = {leaves: distance_answer(leaves) for leaves in sizes}
    print(
        "one answer sum w (x - y)^2, one feature, |w|, |x|, |y| <= 1, at (1, 1e-6): variance, largest over y, buckets"
    )
    print("  mechanism                " + "".join(f"{f'N = {n:,}':>12}" for n in sizes))
    for name in found[sizes[0]]:
        print(f"  {name:25}" + "".join(f"{found[n][name]:12,.0f}" for n in sizes))
    wins = features_from_which_gaussian_wins()
    print(f"  with r features over the same rows the Gaussian is the smaller from r = {wins} on\n")
    return found


def draw(found: dict[int, dict[str, tuple[float, float]]], answers: dict[int, dict[str, float]], path: Path) -> None:
    figure, (left, right) = panels(2, height=3.8)
    sizes = list(found)
    names = ["TLap levels", "Gaussian tree", "tree, least squares", "square root", "optimum, found"]
    for i, name in enumerate(names):  # the other splits of TLap differ by less than 2 %
        line = [found[n][name][0] for n in sizes]
        left.plot(sizes, line, marker=MARKERS[i], color=COLOURS[i], markersize=3.5, linewidth=1.1, label=name)
    bound = [found[n]["closed-form bound"][0] for n in sizes]
    left.plot(sizes, bound, "--", color=COLOURS[6], linewidth=1, label="closed-form lower bound")
    left.set(ylabel="largest variance (leaf changes, squared)", title="all N prefix sums")
    for i, name in enumerate(name for name in answers[sizes[0]] if name != "not below"):
        line = [answers[n][name] for n in sizes]
        right.plot(sizes, line, marker=MARKERS[i], color=COLOURS[i], markersize=3.5, linewidth=1.1, label=name)
    bound = [answers[n]["not below"] for n in sizes]
    right.plot(sizes, bound, "--", color=COLOURS[6], linewidth=1, label="lower bound for Gaussian noise")
    right.set(ylabel="largest variance (unit of the answer, squared)", title="sum w (x - y)², what p = 2 needs")
    for axis in (left, right):
        axis.set(xscale="log", yscale="log", xlabel="N (leaves)")
        axis.set_xscale("log", base=2)
    left.legend(fontsize=6.5, loc="upper left")
    right.legend(fontsize=6.5, loc="center right", bbox_to_anchor=(1.0, 0.4))
    save(figure, path)


def main() -> None:
    parser = arguments(__doc__, "prefix_sums")
    parser.add_argument("--largest", type=int, default=4096, help="N, a power of two")
    parser.add_argument("--draws", type=int, default=20_000, help="for the check by sampling, at N = 64")
    options = parser.parse_args()
    sizes = [1 << h for h in range(2, options.largest.bit_length(), 2)]
    if 64 not in sizes:
        sizes = sorted({*sizes, 64})
    found = show_prefixes(sizes)
    answers = show_distance(sizes)
    print(f"measured over computed variance at N = 64, {options.draws:,} draws, seed {options.seed}: largest, mean")
    for name, (largest, mean) in drawn(64, options.draws, options.seed).items():
        print(f"  {name:21} {largest:7.3f} {mean:7.3f}")
    print(f"  one standard error of the largest: {math.sqrt(2 / options.draws):.3f} (normal noise)")
    draw(found, answers, options.picture)


if __name__ == "__main__":
    main()

"""How many pairs an audit needs, against how many any audit needs; false alarms; lower bounds; speed.

    python benchmarks/audit_power.py [--seeds 100] [--alarms 2000] [--jobs 2] [--only TABLE ...] [--quick]

The limit is ln(1/alpha) / KL*, with KL* = min KL(P||P0) + KL(Q||Q0) over the pairs of output laws (P0, Q0) that keep
the claim, in both orders: no test whose e-value grows in expectation grows faster. It is computed here, in the same
run, on a fine partition of the outputs (a partition can only lower KL*, hence raise the limit and flatter the audit;
halving its cells changes the printed figures by less than one per cent).
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed
from scipy import integrate, optimize, stats

import dpverify as dv
from dpverify.audits import audit
from dpverify.noise import SeededBits

Floats = npt.NDArray[np.float64]
ALPHA = 0.05
BATCH = 100  # runs between two lines of the false-alarm table
LONG = 30_000  # pairs in a limit above which a row gets fewer runs
LONG_RUNS = 20


Sampler = Callable[[Any, int, np.random.Generator], Any]


@dataclass(frozen=True)
class Case:
    """A mechanism on two neighbouring datasets, a claim, and both output laws on a partition."""

    name: str
    mechanism: Sampler
    claim: dv.ApproxDP
    masses: tuple[Floats, Floats]
    bar: float
    max_pairs: int
    d0: Any = 1.0
    d1: Any = 0.0


def kl_star(p: Floats, q: Floats, claim: dv.ApproxDP) -> float:
    """min KL(p||p0) + KL(q||q0) over (p0, q0) with hockey-stick divergence at most delta in both orders.

    By Lagrange duality: a concave maximisation in four multipliers, with the inner minimum of each cell in closed
    form. Every dual value is a lower bound on KL*.
    """
    ratio = np.exp(claim.epsilon)

    def dual(theta: Floats) -> float:
        mu, nu, s, t = np.exp(theta)
        a, b = p / mu, q / nu
        first, second = a > ratio * b, b > ratio * a
        edge_b = (p + q) / (mu * ratio + nu)
        edge_a = (p + q) / (nu * ratio + mu)
        a1, b1, a2, b2 = ratio * edge_b, edge_b, edge_a, ratio * edge_a
        if claim.delta > 0.0:
            free_b, free_a = nu - s * ratio, mu - t * ratio
            with np.errstate(divide="ignore", invalid="ignore"):
                loose = (free_b > 0) & (p / (mu + s) > ratio * q / free_b)
                a1, b1 = np.where(loose, p / (mu + s), a1), np.where(loose, q / free_b, b1)
                loose = (free_a > 0) & (q / (nu + t) > ratio * p / free_a)
                a2, b2 = np.where(loose, p / free_a, a2), np.where(loose, q / (nu + t), b2)
        a, b = np.where(first, a1, np.where(second, a2, a)), np.where(first, b1, np.where(second, b2, b))
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.sum(np.where(p > 0, p * np.log(p / a), 0.0) + np.where(q > 0, q * np.log(q / b), 0.0))
        value += mu * (a.sum() - 1.0) + nu * (b.sum() - 1.0)
        if claim.delta > 0.0:
            value += s * (np.maximum(a - ratio * b, 0.0).sum() - claim.delta)
            value += t * (np.maximum(b - ratio * a, 0.0).sum() - claim.delta)
        return float(value)

    best = -np.inf
    for start in (-8.0, -4.0, -1.0):
        found = optimize.minimize(
            lambda theta: -dual(theta),
            np.array([0.0, 0.0, start, start]),
            method="Nelder-Mead",
            options={"maxiter": 4000, "maxfev": 4000, "xatol": 1e-7, "fatol": 1e-13, "adaptive": True},
        )
        best = max(best, -float(found.fun))
    return best


def cells(p: Any, q: Any, number: int = 4000) -> tuple[Floats, Floats]:
    """Masses of two laws on a partition into quantiles of their average, with fine tails."""
    levels = np.concatenate([np.geomspace(1e-9, 1e-3, 200), np.linspace(1e-3, 1 - 1e-3, number)])
    edges = np.unique(np.concatenate([law.ppf(levels) for law in (p, q)] + [law.isf(levels[:200]) for law in (p, q)]))
    p_masses, q_masses = (
        np.concatenate([[law.cdf(edges[0])], _between(law, edges), [law.sf(edges[-1])]]) for law in (p, q)
    )
    return p_masses, q_masses


def _between(law: Any, edges: Floats) -> Floats:
    """Masses between edges, from the tail that does not cancel."""
    upper: Floats = law.sf(edges[:-1]) - law.sf(edges[1:])
    lower: Floats = law.cdf(edges[1:]) - law.cdf(edges[:-1])
    return np.where(law.cdf(edges[:-1]) > 0.5, upper, lower)


def gaussian_delta(sigma: float, epsilon: float) -> float:
    """Exact profile of N(0, sigma^2) at sensitivity 1 (Balle, Wang 2018, Theorem 8)."""
    first = stats.norm.cdf(0.5 / sigma - epsilon * sigma)
    return float(first - np.exp(epsilon) * stats.norm.cdf(-0.5 / sigma - epsilon * sigma))


def calibrated_sigma(claim: dv.ApproxDP) -> float:
    return float(optimize.brentq(lambda s: gaussian_delta(s, claim.epsilon) - claim.delta, 0.1, 100.0))


def laplace(true: float) -> Sampler:
    def laplace_mechanism(d: Any, size: int, rng: np.random.Generator) -> Any:
        return d + rng.laplace(scale=1 / true, size=size)

    return laplace_mechanism


def gaussian(sigma: float) -> Sampler:
    def gaussian_mechanism(d: Any, size: int, rng: np.random.Generator) -> Any:
        return d + rng.normal(scale=sigma, size=size)

    return gaussian_mechanism


def geometric(true: float) -> Sampler:
    def geometric_mechanism(d: Any, size: int, rng: np.random.Generator) -> Any:
        success = 1 - np.exp(-true)
        return int(d) + rng.geometric(success, size) - rng.geometric(success, size)

    return geometric_mechanism


def randomised_response(true: float) -> Sampler:
    def randomised_response_mechanism(d: Any, size: int, rng: np.random.Generator) -> Any:
        return np.where(rng.random(size) < np.exp(true) / (1 + np.exp(true)), int(d), 1 - int(d))

    return randomised_response_mechanism


def one_leak(true: float, width: int = 8) -> Sampler:
    def one_leak_mechanism(d: Any, size: int, rng: np.random.Generator) -> Any:
        noise = rng.laplace(size=(size, width))
        noise[:, 3] = noise[:, 3] / true + d
        return noise

    return one_leak_mechanism


def detection_cases() -> list[Case]:
    """The mechanisms of the detection table; each breaks its claim."""
    pure, approximate = dv.ApproxDP(1.0), dv.ApproxDP(1.0, 1e-5)

    def shifted(scale: float) -> tuple[Floats, Floats]:
        return cells(stats.laplace(loc=1.0, scale=scale), stats.laplace(scale=scale))

    cases = [
        Case(f"Laplace, true epsilon {true:g}", laplace(true), pure, shifted(1 / true), bar, 100_000)
        for true, bar in ((4.0, 3.5), (2.0, 2.0), (1.2, 2.0), (1.1, 2.0))
    ]
    for factor, limit in ((0.5, 200_000), (0.8, 8_000_000)):
        sigma = factor * calibrated_sigma(approximate)
        masses = cells(stats.norm(loc=1.0, scale=sigma), stats.norm(scale=sigma))
        cases.append(Case(f"Gaussian, {factor:g} of its sigma", gaussian(sigma), approximate, masses, 2.5, limit))
    for true in (2.0, 1.2):
        response = np.exp(true) / (1 + np.exp(true))
        masses = np.array([1 - response, response]), np.array([response, 1 - response])
        cases.append(Case(f"randomised response, {true:g}", randomised_response(true), pure, masses, 2.5, 100_000))
        steps = np.arange(-80, 82)
        law = stats.dlaplace(true)
        masses = law.pmf(steps - 1), law.pmf(steps)
        cases.append(Case(f"geometric, {true:g}", geometric(true), pure, masses, 2.5, 100_000))
    for true in (4.0, 2.0, 1.2):
        cases.append(Case(f"8 coordinates, one leaks {true:g}", one_leak(true), pure, shifted(1 / true), 5.0, 100_000))
    return cases


def noisy_tree(true_levels: int = 4) -> Sampler:
    """All prefix sums of 8 leaves from a dyadic tree whose nodes all got the whole budget of 1."""

    def prefix_sums(d: Any, size: int, rng: np.random.Generator) -> Any:
        leaves = np.asarray(d, dtype=float)
        nodes = {}
        for level in range(true_levels):
            sums = leaves.reshape(8 >> level, -1).sum(axis=1)
            nodes[level] = sums + rng.laplace(size=(size, 8 >> level))
        out = np.zeros((size, 8))
        for end in range(1, 9):
            start = 0
            for level in reversed(range(true_levels)):
                if end - start >= 1 << level:
                    out[:, end - 1] += nodes[level][:, start >> level]
                    start += 1 << level
        return out

    return prefix_sums


def index_and_value(d: Any, size: int, rng: np.random.Generator) -> Any:
    """Sparse vector that also releases the value found, with fresh noise that nobody paid for."""
    queries = np.asarray(d, dtype=float)
    threshold = 1.0 + rng.laplace(scale=2.0, size=size)
    noisy = queries + rng.laplace(scale=2.0, size=(size, len(queries)))
    above = noisy >= threshold[:, None]
    index = np.where(above.any(axis=1), above.argmax(axis=1), len(queries))
    value = np.append(queries, 0.0)[index] + rng.laplace(size=size)
    return np.stack([index.astype(float), np.where(index == len(queries), 0.0, value)], axis=1)


def no_cut_off(d: Any, size: int, rng: np.random.Generator) -> Any:
    """Sparse vector that answers every query above the threshold, without end."""
    threshold = rng.laplace(scale=2.0, size=(size, 1))
    return (np.asarray(d, dtype=float) + rng.laplace(scale=2.0, size=(size, len(d))) >= threshold).astype(np.int64)


def _answers(queries: Floats, pattern: tuple[int, ...], centre: float) -> float:
    """Probability that a prefix of the sparse vector gives this pattern of answers, by quadrature."""

    def integrand(t: float) -> float:
        above = stats.laplace.sf(t - queries[: len(pattern)], scale=2.0)
        factors = np.where(np.array(pattern) == 1, above, 1 - above)
        return float(stats.laplace.pdf(t - centre, scale=2.0) * factors.prod())

    points = sorted({centre, *queries.tolist()})
    pieces = [-60.0, *points, 60.0]
    return sum(integrate.quad(integrand, a, b, limit=200)[0] for a, b in itertools.pairwise(pieces))


def bound_cases() -> list[tuple[str, Any, Any, Any, float]]:
    """Mechanism, two datasets, and the true epsilon (the largest absolute privacy loss)."""
    d0, d1 = np.array([0.0, 0.0, 0.0, 1.0]), np.array([1.0, 1.0, 1.0, 0.0])
    by_index = []
    for index in range(4):
        pattern = (0,) * index + (1,)
        loss = np.log(_answers(d0, pattern, 1.0) / _answers(d1, pattern, 1.0))
        by_index.append(abs(loss) + abs(d0[index] - d1[index]))  # fresh Laplace(1) noise adds at most the difference
    e0, e1 = np.zeros(6), np.array([1.0, 1.0, 1.0, -1.0, -1.0, -1.0])
    patterns = [tuple(int(b) for b in np.binary_repr(i, 6)) for i in range(64)]
    losses = [abs(np.log(_answers(e0, s, 0.0) / _answers(e1, s, 0.0))) for s in patterns]
    first = np.zeros(8)
    second = first.copy()
    second[0] = 1.0
    return [
        ("sparse vector with (index, value)", index_and_value, d0, d1, float(max(by_index))),
        ("prefix sums, budget not split", noisy_tree(), second, first, 4.0),
        ("sparse vector without cut-off", no_cut_off, e0, e1, float(max(losses))),
    ]


def pairs_to_detection(case: Case, seed: int) -> tuple[float, float]:
    """One run: pairs (infinite where nothing was found) and CPU seconds."""
    start = time.process_time()
    result = audit(case.mechanism, case.d0, case.d1, case.claim, alpha=ALPHA, max_pairs=case.max_pairs, seed=seed)
    return float(result.pairs) if result.violated else np.inf, time.process_time() - start


def detection_table(seeds: int, jobs: int) -> None:
    """Pairs to detection, as multiples of the limit."""
    print(f"Pairs to detection at alpha = {ALPHA} (medians over the runs; p90: so many multiples in nine runs of ten)")
    print(
        f"{'mechanism':32s} {'limit':>9s} {'runs':>5s} {'median':>9s} {'ratio':>6s} {'p90':>6s} {'bar':>5s} "
        f"{'missed':>6s} {'s/run':>6s}",
        flush=True,
    )
    for case in detection_cases():
        limit = np.log(1 / ALPHA) / kl_star(*case.masses, case.claim)
        runs = seeds if limit < LONG else min(seeds, LONG_RUNS)
        results = Parallel(n_jobs=jobs)(delayed(pairs_to_detection)(case, seed) for seed in range(runs))
        pairs, seconds = (np.array(values) for values in zip(*results, strict=True))
        ratio, late = np.median(pairs) / limit, np.sort(pairs)[int(0.9 * (runs - 1))] / limit
        missed = int(np.isinf(pairs).sum())
        verdict = "" if ratio <= case.bar else "  MISSES ITS BAR"
        print(
            f"{case.name:32s} {limit:9.1f} {runs:5d} {np.median(pairs):9.0f} {ratio:6.2f} {late:6.2f} {case.bar:5.1f} "
            f"{missed:6d} {seconds.mean():6.2f}{verdict}",
            flush=True,
        )


def bound_table() -> None:
    """Lower bounds on epsilon after 10^6 pairs."""
    print("\nepsilon_lower after 10^6 pairs (claim 1; one run)")
    print(f"{'mechanism':36s} {'true':>7s} {'lower':>7s} {'share':>6s} {'s':>6s}")
    for name, mechanism, d0, d1, true in bound_cases():
        start = time.process_time()
        result = audit(mechanism, d0, d1, dv.ApproxDP(1.0), max_pairs=10**6, stop_early=False)
        seconds = time.process_time() - start
        share = result.epsilon_lower / true
        verdict = "" if share >= 0.9 else "  MISSES ITS BAR"
        print(f"{name:36s} {true:7.3f} {result.epsilon_lower:7.3f} {share:6.2f} {seconds:6.1f}{verdict}", flush=True)


def truncated_laplace(d: Any, size: int, rng: np.random.Generator) -> Any:
    """Truncated Laplace noise for (1, 1e-3), from its definition."""
    length = np.log1p(np.expm1(1.0) / 2e-3)
    magnitude = -np.log1p(rng.random(size) * np.expm1(-length))
    return d + magnitude * rng.choice([-1.0, 1.0], size=size)


def noisy_max(d: Any, size: int, rng: np.random.Generator) -> Any:
    """Index of the largest of monotone counts with exponential noise of scale 1."""
    return (np.asarray(d) + rng.exponential(size=(size, len(d)))).argmax(axis=1)


def library_tree(claim: dv.ApproxDP) -> Sampler:
    """All 15 nodes of a ``DPTree`` over 8 leaves, with noise from that tree's own table."""
    noise = dv.DPTree(np.zeros(8), 1.0, claim, bits=SeededBits(0)).noise

    def noisy_nodes(d: Any, size: int, rng: np.random.Generator) -> Any:
        leaves = np.asarray(d, dtype=float)
        sums = np.concatenate([leaves.reshape(8 >> level, -1).sum(axis=1) for level in range(4)])
        return sums + noise.grid * noise.sample_steps((size, len(sums)), SeededBits(int(rng.integers(2**63))))

    return noisy_nodes


def alarm_cases() -> list[tuple[str, Sampler, Any, Any, dv.ApproxDP]]:
    """Mechanisms that keep their claims, tightly."""
    pure, approximate = dv.ApproxDP(1.0), dv.ApproxDP(1.0, 1e-5)
    base = np.zeros(8)
    moved = base.copy()
    moved[2] = 1.0
    return [
        ("Laplace", laplace(1.0), 1.0, 0.0, pure),
        ("Gaussian", gaussian(calibrated_sigma(approximate)), 1.0, 0.0, approximate),
        ("truncated Laplace", truncated_laplace, 1.0, 0.0, dv.ApproxDP(1.0, 1e-3)),
        ("geometric", geometric(1.0), 1.0, 0.0, pure),
        ("noisy max", noisy_max, [1.0, 0.0, 0.0, 1.0], [1.0, 1.0, 0.0, 1.0], pure),
        ("DPTree, 15 nodes", library_tree(approximate), moved, base, approximate),
    ]


def alarm(case: tuple[str, Sampler, Any, Any, dv.ApproxDP], pairs: int, seed: int) -> tuple[bool, float]:
    """One run: whether it cried wolf, and CPU seconds."""
    _, mechanism, d0, d1, claim = case
    start = time.process_time()
    violated = audit(mechanism, d0, d1, claim, alpha=ALPHA, max_pairs=pairs, seed=seed).violated
    return violated, time.process_time() - start


def alarm_table(runs: int, pairs: int, jobs: int, rows: Sequence[str]) -> None:
    """False alarms, row by row in rounds of BATCH runs, so that the last line of each row counts."""
    print(f"\nFalse alarms at alpha = {ALPHA}, {pairs} pairs each (p: binomial test of more than alpha)", flush=True)
    cases = [case for case in alarm_cases() if case[0] in rows]
    found: list[list[tuple[bool, float]]] = [[] for _ in cases]
    for start in range(0, runs, BATCH):
        seeds = range(start, min(runs, start + BATCH))
        for case, so_far in zip(cases, found, strict=True):
            so_far.extend(Parallel(n_jobs=jobs)(delayed(alarm)(case, pairs, seed) for seed in seeds))
            alarms, done = sum(violated for violated, _ in so_far), len(so_far)
            p_value = stats.binomtest(alarms, done, ALPHA, alternative="greater").pvalue
            seconds = np.mean([spent for _, spent in so_far])
            print(f"{case[0]:20s} {alarms:5d} of {done:5d}  p = {p_value:.3f}  ({seconds:.2f} s a run)", flush=True)


def laplace_bound(seed: int) -> float:
    """``epsilon_lower`` after 10^6 pairs of Laplace noise with epsilon 1."""
    claim = dv.ApproxDP(2.0)
    return audit(laplace(1.0), 1.0, 0.0, claim, max_pairs=10**6, seed=seed, stop_early=False).epsilon_lower


def laplace_bound_table(runs: int, jobs: int) -> None:
    """Laplace with epsilon 1: the bound after 10^6 pairs, and how often it exceeds 1."""
    print("\nLaplace, epsilon = 1", flush=True)
    start = time.perf_counter()
    bounds = Parallel(n_jobs=jobs)(delayed(laplace_bound)(seed) for seed in range(runs))
    seconds = (time.perf_counter() - start) / runs
    print(
        f"epsilon_lower after 10^6 pairs: median {np.median(bounds):.3f}, smallest {min(bounds):.3f}, "
        f"above 1 in {sum(b > 1.0 for b in bounds)} of {runs} runs ({seconds:.1f} s a run)",
        flush=True,
    )


def speed_table() -> None:
    """CPU time of 10^5 pairs of a scalar mechanism, less the mechanism's own."""
    rng = np.random.default_rng(0)
    start = time.process_time()
    for _ in range(2):
        laplace(1.0)(0.0, 10**5, rng)
    own = time.process_time() - start
    times = []
    for seed in range(5):
        start = time.process_time()
        audit(laplace(1.0), 1.0, 0.0, dv.ApproxDP(1.0), max_pairs=10**5, seed=seed, stop_early=False)
        times.append(time.process_time() - start - own)
    print(
        f"\n10^5 pairs of a scalar: {np.median(times):.2f} s beyond the mechanism's own {own:.3f} s "
        f"(CPU; median of 5, {min(times):.2f} to {max(times):.2f})",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100, help="runs for each row of the detection table")
    parser.add_argument("--alarms", type=int, default=2000, help="runs for each row of the false-alarm table")
    parser.add_argument("--alarm-pairs", type=int, default=20_000)
    rows = [case[0] for case in alarm_cases()]
    parser.add_argument("--rows", nargs="+", choices=rows, default=rows, help="which rows of the false-alarm table")
    parser.add_argument("--bounds", type=int, default=200, help="runs of 10^6 pairs for the lower bound")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--quick", action="store_true", help="a few minutes instead of hours")
    tables = ("speed", "detection", "lower", "bounds", "alarms")
    parser.add_argument("--only", nargs="+", choices=tables, default=tables, help="which tables")
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.alarms, options.alarm_pairs, options.bounds = 20, 60, 5_000, 3
    if "speed" in options.only:
        speed_table()
    if "detection" in options.only:
        detection_table(options.seeds, options.jobs)
    if "lower" in options.only:
        bound_table()
    if "bounds" in options.only:
        laplace_bound_table(options.bounds, options.jobs)
    if "alarms" in options.only:
        alarm_table(options.alarms, options.alarm_pairs, options.jobs, options.rows)


if __name__ == "__main__":
    main()

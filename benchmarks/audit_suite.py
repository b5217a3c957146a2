"""Fifteen broken mechanisms and ten that keep their claims, each audited three times at epsilon = 1.

    python benchmarks/audit_suite.py [--seeds 3] [--max-pairs 1000000] [--only WORDS] [--peer] [--quick]

The mistakes are those of the literature: Lyu, Su, Li 2017 (sparse vector); Chan, Shi, Song 2011 and its users (trees);
Balle, Wang 2018 (calibration); Korolova et al. 2009 (histograms); Warner 1965 (coins); and of code reviews. None is
about float arithmetic. The truth beside each result is computed here from the output laws (``suite/truth.py``), never
quoted: epsilon at the claimed delta, delta at epsilon = 1, and the number of pairs that the best test needs ("limit").

With ``--peer`` the fixed-sample audit of dpverify (an event chosen on one half, Clopper-Pearson on the other) gets the
same broken mechanisms, with as many pairs as the betting audit used, and with a larger sample.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np
from suite.cases import Case, broken, correct

from dpverify.audits import audit, fixed_sample

ALPHA = 0.05  # of every single run: a correct mechanism may be rejected in one run out of twenty


def table(cases: list[Case], seeds: int, max_pairs: int) -> tuple[int, int, dict[str, int]]:
    """Audit each case with each seed; returns how many runs said "violated", of how many, and the median pairs."""
    print(
        f"{'mechanism':46s} {'true eps':>8s} {'delta(1)':>9s} {'claimed':>8s} {'caught':>7s} "
        f"{'limit':>7s} {'median pairs':>12s} {'eps_lower':>9s} {'s/run':>6s}"
    )
    total, runs, medians = 0, 0, {}
    for case in cases:
        truth = case.truth()
        start = time.process_time()
        results = [
            audit(case.mechanism, case.d0, case.d1, case.claim, alpha=ALPHA, max_pairs=max_pairs, seed=seed)
            for seed in range(seeds)
        ]
        seconds = (time.process_time() - start) / seeds
        caught = sum(result.violated for result in results)
        lower = max(result.epsilon_lower for result in results)
        medians[case.name] = int(np.median([result.pairs for result in results]))
        limit = truth.limit(case.claim, ALPHA) if truth.epsilon > case.claim.epsilon * 1.0001 else math.inf
        wrong = "  BOUND ABOVE THE TRUTH" if lower > truth.epsilon * (1.0 + 1e-9) else ""
        print(
            f"{case.name:46s} {truth.epsilon:8.3f} {truth.delta:9.2e} {case.claim.delta:8.0e} {caught:3d} of {seeds} "
            f"{limit:7.0f} {medians[case.name]:11d} {lower:9.3f} {seconds:6.2f}{wrong}",
            flush=True,
        )
        total, runs = total + caught, runs + seeds
    return total, runs, medians


def peer_table(cases: list[Case], seeds: int, many: int, medians: dict[str, int]) -> None:
    """The fixed-sample audit with as many pairs as betting needed (at least its minimum of 200), and with ``many``."""
    print(f"\nfixed-sample audit of dpverify, same broken mechanisms: caught of {seeds} (and eps_lower)")
    print(f"{'mechanism':46s} {'pairs':>8s} {'caught':>9s} {'pairs':>8s} {'caught':>9s}")
    totals = [0, 0]
    for case in cases:
        line = f"{case.name:46s}"
        for column, pairs in enumerate((max(200, medians[case.name]), many)):
            found = [
                fixed_sample(case.mechanism, case.d0, case.d1, case.claim, alpha=ALPHA, pairs=pairs, seed=seed)
                for seed in range(seeds)
            ]
            caught = sum(result.violated for result in found)
            totals[column] += caught
            line += f" {pairs:8d} {caught:2d} ({max(r.epsilon_lower for r in found):4.2f})"
        print(line, flush=True)
    print(f"fixed-sample caught {totals[0]} and {totals[1]} of {len(cases) * seeds}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--max-pairs", type=int, default=10**6)
    parser.add_argument("--only", default="", help="run the mechanisms whose name contains this")
    parser.add_argument("--peer", action="store_true", help="also the fixed-sample audit, for comparison")
    parser.add_argument("--peer-pairs", type=int, default=100_000, help="its larger sample (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="30,000 pairs: three minutes instead of an hour")
    options = parser.parse_args()
    if options.quick:
        options.max_pairs = min(options.max_pairs, 30_000)
    faulty = [case for case in broken() if options.only in case.name]
    sound = [case for case in correct() if options.only in case.name]
    print(f"{ALPHA = }, claimed epsilon 1, seeds 0 to {options.seeds - 1}, at most {options.max_pairs} pairs a run")
    print("\nbroken")
    caught, of, medians = table(faulty, options.seeds, options.max_pairs)
    print("\ncorrect")
    alarms, sound_runs, _ = table(sound, options.seeds, options.max_pairs)
    print(f"\nbroken caught {caught} of {of}, false alarms {alarms} of {sound_runs}")
    if options.peer:
        peer_table(faulty, options.seeds, options.peer_pairs, medians)


if __name__ == "__main__":
    main()

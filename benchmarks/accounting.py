"""How narrow the accountant's brackets are, how long they take, and what dp_accounting says at the same cost.

    python benchmarks/accounting.py [--relative-width 2e-4]

Each row: a composition, the exact delta where it has a closed form (Gaussian) or a finite sum (randomised response),
the bracket, its width relative to its upper end, CPU seconds; relative width of the bracket of epsilon at that delta.
dp_accounting (`pip install dp-accounting`, optional) gives an optimistic and a pessimistic delta; its grid is halved,
from its default 1e-4, for as long as the pair costs no more than our bracket, and the narrowest pair is shown.
DISAGREES means that the two brackets have no number in common, MISSED that one does not hold the exact value.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

import dpverify
from dpverify.accounting import (
    Bracket,
    PrivacyLoss,
    delta_bracket,
    epsilon_bracket,
    from_approx_dp,
    from_gaussian,
    from_integer_table,
    from_randomised_response,
)

try:
    from dp_accounting.pld import privacy_loss_distribution as peer
except ImportError:
    peer = None

CTX = mpmath.MPContext()
CTX.dps = 50


@dataclass(frozen=True)
class Case:
    """A composition at an epsilon, the exact delta if known, and the same for dp_accounting if it has it."""

    name: str
    parts: Sequence[tuple[PrivacyLoss, int]]
    epsilon: float
    exact: Any = None
    peer: Callable[[bool, float], float] | None = None


def gaussian(k: int, mu: float, epsilon: float) -> Case:
    """k Gaussian mechanisms of sensitivity / sigma = mu."""
    m, e = CTX.mpf(mu) * CTX.sqrt(k), CTX.mpf(epsilon)
    exact = CTX.ncdf(m / 2 - e / m) - CTX.exp(e) * CTX.ncdf(-m / 2 - e / m)

    def theirs(pessimistic: bool, grid: float) -> float:
        one = peer.from_gaussian_mechanism(
            1.0 / mu,
            pessimistic_estimate=pessimistic,
            value_discretization_interval=grid,
            use_connect_dots=pessimistic,
        )
        return float(one.self_compose(k).get_delta_for_epsilon(epsilon))

    return Case(f"{k} Gaussian, mu = {mu:g}", [(from_gaussian(1.0, mu), k)], epsilon, exact, theirs)


def response(k: int, epsilon0: float, epsilon: float) -> Case:
    """k randomised responses."""
    e0, e, total = CTX.mpf(epsilon0), CTX.mpf(epsilon), CTX.mpf(0)
    truth = 1 / (1 + CTX.exp(-e0))
    for i in range(k + 1):
        loss = (2 * i - k) * e0
        if loss > e:
            total += CTX.binomial(k, i) * truth**i * (1 - truth) ** (k - i) * (1 - CTX.exp(e - loss))

    def theirs(pessimistic: bool, grid: float) -> float:
        one = peer.from_randomized_response(
            2.0 / (1.0 + math.exp(epsilon0)),
            2,
            pessimistic_estimate=pessimistic,
            value_discretization_interval=grid,
        )
        return float(one.self_compose(k).get_delta_for_epsilon(epsilon))

    return Case(f"{k} responses, {epsilon0:g}", [(from_randomised_response(epsilon0), k)], epsilon, total, theirs)


def laplace_table(epsilon: float, delta: float, steps: int) -> PrivacyLoss:
    """Rounded truncated Laplace noise as integers of total 2^64, against itself moved by ``steps``."""
    half = math.floor(steps / epsilon * math.log1p(math.expm1(epsilon) / (2.0 * delta)))
    masses = np.exp(-epsilon / steps * np.abs(np.arange(-half, half + 1)))
    weights = np.array([int(x * 2.0**60) << 4 for x in masses / masses.sum()], dtype=object)
    weights[half] += 2**64 - int(weights.sum())
    return from_integer_table(weights, steps)


def cases() -> list[Case]:
    """What is measured."""
    rng = np.random.default_rng(0)
    boxes = [(from_approx_dp(float(x), 1e-9), 1) for x in rng.uniform(0.05, 0.2, 100)]
    table, fine = laplace_table(0.5, 1e-7, 1024), laplace_table(0.05, 1e-10, 1024)
    return [
        gaussian(1, 0.3, 1.5),
        gaussian(10, 0.1, 1.0),
        gaussian(100, 0.1, 4.5),
        gaussian(100, 0.1, 6.0),
        gaussian(1000, 0.03, 3.0),
        gaussian(1000, 0.03, 6.5),
        gaussian(1000, 0.003, 0.5),
        response(100, 0.1, 3.0),
        response(100, 0.1, 5.5),
        response(1000, 0.05, 7.0),
        response(1000, 0.05, 10.0),
        Case("10 tables, 0.5, 1e-7", [(table, 10)], 4.4),
        Case("1000 tables, 0.05, 1e-10", [(fine, 1000)], 8.0),
        Case("100 different boxes", boxes, 6.0),
        Case("20 boxes, 10 tables, 50 Gaussian", [*boxes[:20], (table, 10), (from_gaussian(50.0, 1.0), 50)], 6.0),
    ]


def theirs_at_our_cost(case: Case, seconds: float) -> tuple[Bracket | None, float]:
    """dp_accounting's narrowest optimistic-pessimistic pair for about our time."""
    best, cost = None, 0.0
    if case.peer is None or peer is None:
        return best, cost
    grid = 1e-4
    while True:
        start = time.process_time()
        low, high = case.peer(False, grid), case.peer(True, grid)
        took = time.process_time() - start
        if best is not None and took > seconds:
            return best, cost
        pair = Bracket(min(low, high), high)
        if best is None or pair.width < best.width:
            best, cost = pair, took
        grid /= 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--relative-width", type=float, default=2e-4)
    goal = parser.parse_args().relative_width
    version = "not installed: no comparison" if peer is None else importlib.metadata.version("dp-accounting")
    shown = getattr(dpverify, "__version__", "unknown")
    print(f"dpverify {shown}, numpy {np.__version__}, relative width asked for {goal:g}; dp_accounting: {version}")
    print(
        f"{'composition':34}{'epsilon':>8} {'exact delta':>13} {'lower':>13} {'upper':>13} {'width':>8} {'s':>6}"
        f" {'eps width':>9} {'s':>6} | {'theirs: width':>13} {'s':>6}"
    )
    for case in cases():
        start = time.process_time()
        ours = delta_bracket(case.parts, case.epsilon, relative_width=goal)
        seconds = time.process_time() - start
        start = time.process_time()
        back = epsilon_bracket(case.parts, ours.upper, relative_width=goal)
        seconds_back = time.process_time() - start
        exact = "" if case.exact is None else CTX.nstr(case.exact, 7)
        if case.exact is not None and case.exact not in ours:
            exact += " MISSED"
        pair, cost = theirs_at_our_cost(case, seconds)
        other = ""
        if pair is not None:
            meet = max(pair.lower, ours.lower) <= min(pair.upper, ours.upper)
            missed = case.exact is not None and case.exact not in pair
            other = (
                f"{pair.relative_width:13.1e} {cost:6.2f} {'' if meet else 'DISAGREES '}{'MISSED' if missed else ''}"
            )
        print(
            f"{case.name:34}{case.epsilon:8g} {exact:>13} {ours.lower:13.6e} {ours.upper:13.6e} "
            f"{ours.relative_width:8.1e} {seconds:6.2f} {back.relative_width:9.1e} {seconds_back:6.2f} | {other}",
            flush=True,
        )


if __name__ == "__main__":
    main()

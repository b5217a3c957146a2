"""False alarms and valid lower bounds, over many runs; each with a control that must be seen."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from dpverify.audits import audit
from dpverify.guarantees import ApproxDP

ALPHA, RUNS = 0.2, 60
# more alarms than this are not chance
MOST = int(stats.binom.isf(2e-8, RUNS, ALPHA))


def laplace(dataset, size, rng, true=1.0):
    return dataset + rng.laplace(scale=1 / true, size=size)


def gaussian(dataset, size, rng):
    """(1, 0.0126)-DP exactly, by the analytic profile at sigma = 2."""
    return dataset + rng.normal(scale=2.0, size=size)


def noisy_max(dataset, size, rng):
    return (np.asarray(dataset) + rng.exponential(size=(size, len(dataset)))).argmax(axis=1)


def split(dataset, size, rng):
    return dataset + rng.laplace(scale=3.0, size=(size, 3))


DELTA = float(stats.norm.cdf(0.25 - 2.0) - np.e * stats.norm.cdf(-0.25 - 2.0))
CASES = {
    "laplace": (laplace, 1.0, 0.0, ApproxDP(1.0)),
    "gaussian": (gaussian, 1.0, 0.0, ApproxDP(1.0, DELTA)),
    "noisy max": (noisy_max, [1.0, 0.0, 1.0], [1.0, 1.0, 1.0], ApproxDP(1.0)),
    "vector": (split, 1.0, 0.0, ApproxDP(1.0)),
}


def alarms(mechanism, d0, d1, claim):
    seeds = range(RUNS)
    return sum(audit(mechanism, d0, d1, claim, alpha=ALPHA, max_pairs=250, seed=seed).violated for seed in seeds)


@pytest.mark.statistical(alpha=2e-8)
@pytest.mark.parametrize("name", list(CASES))
def test_false_alarms_are_rarer_than_alpha(name):
    assert alarms(*CASES[name]) <= MOST


@pytest.mark.statistical(alpha=2e-8)
def test_the_lower_bound_exceeds_the_truth_more_rarely_than_alpha():
    for claimed in (0.7, 1.5):
        results = [
            audit(laplace, 1.0, 0.0, ApproxDP(claimed), alpha=ALPHA, max_pairs=120, seed=seed, stop_early=False)
            for seed in range(RUNS // 2)
        ]
        assert sum(result.epsilon_lower > 1.0 for result in results) <= stats.binom.isf(1e-8, RUNS // 2, ALPHA)
        assert max(result.epsilon_lower for result in results) > 0.3


def test_control_the_count_sees_a_mechanism_that_breaks_its_claim():
    assert alarms(lambda d, size, rng: laplace(d, size, rng, 2.0), 1.0, 0.0, ApproxDP(1.0)) > MOST

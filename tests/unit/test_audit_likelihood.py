"""``audit_likelihood`` and the fixed-sample cross-check: exact values within their errors, faults caught."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from dpverify.audits import audit_likelihood, fixed_sample
from dpverify.audits.means import log_e_path, mean_interval
from dpverify.errors import InvalidArgument, PrivacyViolation
from dpverify.guarantees import ApproxDP


class TruncatedLaplace:
    """From the definition, for (1, delta) at sensitivity 1; the array's entries each get noise."""

    def __init__(self, delta, rate=1.0):
        self.rate, self.length = rate, np.log1p(np.expm1(1.0) / (2 * delta))

    def __call__(self, dataset, size, rng):
        magnitude = -np.log1p(rng.random(size) * np.expm1(-self.length)) / self.rate
        return dataset + magnitude * rng.choice([-1.0, 1.0], size=size)

    def log_density(self, dataset, outputs):
        z = np.abs(outputs - dataset) * self.rate
        constant = np.log(self.rate / (2 * -np.expm1(-self.length)))
        return np.where(z <= self.length, constant - z, -np.inf)


class Gaussian:
    def __init__(self, sigma):
        self.sigma = sigma

    def __call__(self, dataset, size, rng):
        return dataset + rng.normal(scale=self.sigma, size=(size, len(dataset)))

    def log_density(self, dataset, outputs):
        return stats.norm.logpdf(outputs - dataset, scale=self.sigma).sum(axis=1)


def gaussian_delta(sigma, epsilon):
    return stats.norm.cdf(0.5 / sigma - epsilon * sigma) - np.exp(epsilon) * stats.norm.cdf(
        -0.5 / sigma - epsilon * sigma
    )


TINY = ApproxDP(1.0, 1e-6)
SIGMA = optimize.brentq(lambda s: gaussian_delta(s, 1.0) - 1e-6, 1.0, 20.0)
SPREAD = np.full(15, 15.0**-0.5)  # a node vector at l2 distance 1


def test_delta_of_truncated_laplace_to_ten_per_cent():
    result = audit_likelihood(TruncatedLaplace(1e-6), 1.0, 0.0, TINY, draws=60_000)
    for direction in result.directions:
        assert direction.delta == pytest.approx(1e-6, rel=0.1)
        assert direction.std_error < 0.05e-6
        assert np.isposinf(direction.losses).any()  # the edge of the support, handled exactly
    assert not result.violated
    assert abs(result.density_z) < 5


def test_delta_of_a_gaussian_vector_to_ten_per_cent():
    result = audit_likelihood(Gaussian(SIGMA), SPREAD, 0.0 * SPREAD, TINY, draws=60_000)
    for direction in result.directions:
        assert direction.delta == pytest.approx(1e-6, rel=0.1)
        assert direction.low < direction.delta < direction.high
        assert direction.delta_at(0.5)[0] == pytest.approx(gaussian_delta(SIGMA, 0.5), rel=0.1)
    assert not result.violated
    result.raise_if_violated()


@pytest.mark.parametrize(
    ("mechanism", "d0", "d1"),
    [
        (TruncatedLaplace(1e-6, rate=1.02), 1.0, 0.0),
        (TruncatedLaplace(4e-6), 1.0, 0.0),
        (Gaussian(0.95 * SIGMA), SPREAD, 0.0 * SPREAD),
    ],
)
def test_small_faults_are_caught(mechanism, d0, d1):
    result = audit_likelihood(mechanism, d0, d1, TINY, draws=60_000)
    assert result.violated
    assert 0 < result.rejected_after < result.draws
    assert f"rejected after {result.rejected_after:,} outputs" in str(result)
    assert result.delta > 1e-6
    with pytest.raises(PrivacyViolation):
        result.raise_if_violated()


def test_a_tight_pure_mechanism_is_not_accused_of_its_rounding():
    class Laplace:
        def __call__(self, dataset, size, rng):
            return dataset + rng.laplace(size=size)

        def log_density(self, dataset, outputs):
            return stats.laplace.logpdf(outputs - dataset)

    kept = audit_likelihood(Laplace(), 1.0, 0.0, ApproxDP(1.0))
    assert not kept.violated
    assert kept.epsilon_lower == pytest.approx(1.0, abs=1e-6)
    assert audit_likelihood(Laplace(), 1.0, 0.0, ApproxDP(0.99)).violated


def test_a_density_of_another_mechanism_is_noticed():
    class Mismatched(Gaussian):
        def log_density(self, dataset, outputs):
            return stats.norm.logpdf(outputs - 0.5 * dataset, scale=self.sigma).sum(axis=1)

    result = audit_likelihood(Mismatched(1.0), np.ones(3), np.zeros(3), ApproxDP(5.0, 0.1))
    assert abs(result.density_z) > 5
    assert "does not fit" in result.describe()


@pytest.mark.parametrize(
    ("density", "message"),
    [
        (lambda d, x: np.zeros(len(x) + 1), "shape"),
        (lambda d, x: np.full(len(x), np.nan), "NaN"),
        (lambda d, x: np.where(x > d, -np.inf, 0.0), "does not belong"),
    ],
)
def test_bad_densities_are_refused(density, message):
    mechanism = TruncatedLaplace(1e-3)
    mechanism.log_density = density
    with pytest.raises(InvalidArgument, match=message):
        audit_likelihood(mechanism, 1.0, 0.0, TINY)
    with pytest.raises(InvalidArgument, match="log_density"):
        audit_likelihood(lambda d, size, rng: rng.normal(size=size), 1.0, 0.0, TINY)


def test_other_claims_are_judged_from_the_same_outputs():
    result = audit_likelihood(Gaussian(SIGMA), SPREAD, 0.0 * SPREAD, ApproxDP(0.8, 1e-6), draws=20_000, alpha=1e-6)
    assert result.rejects(0.8) == result.rejected_after
    assert result.rejects(0.9) > result.rejects(0.8)
    assert result.rejects(0.8, alpha=0.5) < result.rejects(0.8, alpha=1e-9)
    assert result.rejects(1.01) is None
    assert 0.9 < result.epsilon_lower <= 1.0


def test_the_mechanism_may_say_where_its_tails_are():
    class Knowing(Gaussian):
        def further(self, mine, other):
            return [mine + 17.0 * (mine - other)]

    class Lost(Gaussian):
        def further(self, mine, other):
            return []

    pair = (SPREAD, 0.0 * SPREAD)
    knowing, lost = (audit_likelihood(kind(SIGMA), *pair, TINY, draws=20_000) for kind in (Knowing, Lost))
    assert knowing.delta == pytest.approx(1e-6, rel=0.1)
    assert (knowing.directions[0].weights != 1.0).any()
    assert (lost.directions[0].weights == 1.0).all()


def path_end(values, bound):
    return log_e_path(values, bound)[-1]


def test_the_e_value_of_a_mean_is_fair_and_grows():
    rng = np.random.default_rng(6)
    fair = [log_e_path((rng.random(2000) < 0.01).astype(float), 0.01) for _ in range(300)]
    assert np.mean([np.exp(path[-1]) for path in fair]) < 1.3
    assert np.mean([path.max() >= np.log(20) for path in fair]) < 0.05
    assert path_end((rng.random(2000) < 0.03).astype(float), 0.01) > 10
    assert path_end(np.zeros(10), 0.0) == 0.0
    assert list(log_e_path(np.array([0.0, 1e-30, 0.0]), 0.0)) == [0.0, np.inf, np.inf]


def test_the_path_of_the_e_value_does_not_see_the_future():
    values = np.random.default_rng(7).exponential(size=3000)
    changed = np.concatenate([values[:1000], values[:999:-1]])
    assert np.array_equal(log_e_path(values, 0.8)[:1000], log_e_path(changed, 0.8)[:1000])


LAWS = {
    "rare ones": (lambda rng, n: (rng.random(n) < 0.02).astype(float), 0.02, 1.0),
    "uniform": (lambda rng, n: rng.random(n), 0.5, 1.0),
    "weighted": (lambda rng, n: 5.0 * rng.beta(0.2, 1.8, size=n), 0.5, 5.0),
}


@pytest.mark.parametrize("name", list(LAWS))
def test_the_interval_of_a_mean_holds_and_is_hardly_wider_than_the_normal_one(name):
    draw, mean, top = LAWS[name]
    rng, alpha, runs = np.random.default_rng(8), 0.1, 300
    ends = [mean_interval(draw(rng, 4000), top, alpha) for _ in range(runs)]
    for misses in (sum(low > mean for low, _ in ends), sum(high < mean for _, high in ends)):
        assert misses <= stats.binom.isf(1e-4, runs, alpha / 2)
    assert max(low for low, _ in ends) < 1.2 * mean
    width = float(np.mean([high - low for low, high in ends]))
    normal = 2 * stats.norm.isf(alpha / 2) * np.std(draw(rng, 100_000)) / np.sqrt(4000)
    assert normal < width < 1.9 * normal


def test_control_the_interval_of_a_wrong_mean_would_be_seen():
    draw, mean, top = LAWS["rare ones"]
    rng = np.random.default_rng(9)
    assert sum(mean_interval(draw(rng, 4000), top, 0.1)[0] > 0.7 * mean for _ in range(100)) > 40


def test_ends_of_the_interval():
    low, high = mean_interval(np.zeros(10_000), 5.0, 0.05)
    assert low == 0.0
    assert 5.0 * np.log(40) / 10_000 < high < 2 * 5.0 * np.log(40) / 10_000  # what was not drawn may exist
    low, high = mean_interval(np.full(10_000, 1.0), 1.0, 0.05)
    assert 0.99 < low <= high == 1.0
    values = np.random.default_rng(1).random(2000)
    apart = mean_interval(values, 2.0, 0.05, values + 0.5)
    assert apart[0] == mean_interval(values, 2.0, 0.05)[0]
    assert apart[1] == pytest.approx(1.03, abs=0.04)
    tiny = mean_interval(1e-6 * values, 5.0, 0.05)
    assert tiny[0] == pytest.approx(0.5e-6, rel=0.05)
    assert tiny[1] < 5.0 * 2 * np.log(40) / 2000


def test_intervals_of_a_delta_are_right_on_both_sides():
    """The lower end is close even for a tiny delta; the upper one cannot be."""
    result = audit_likelihood(Gaussian(SIGMA), SPREAD, 0.0 * SPREAD, TINY, draws=60_000, alpha=1e-3)
    for direction in result.directions:
        assert 0.95e-6 < direction.low < 1e-6 < direction.high < 1e-3
    large = audit_likelihood(Gaussian(0.7), SPREAD, 0.0 * SPREAD, ApproxDP(1.0, 0.4), draws=60_000, alpha=1e-3)
    for direction in large.directions:
        assert direction.low < gaussian_delta(0.7, 1.0) < direction.high
        assert direction.high - direction.low < 1.9 * 2 * stats.norm.isf(5e-4) * direction.std_error


def laplace(dataset, size, rng, true=1.0):
    return dataset + rng.laplace(scale=1 / true, size=size)


def test_the_fixed_sample_check_agrees():
    kept = fixed_sample(laplace, 1.0, 0.0, ApproxDP(1.0))
    assert not kept.violated
    assert 0.85 < kept.epsilon_lower <= 1.0
    assert kept.p_value > 0.05
    broken = fixed_sample(lambda d, size, rng: laplace(d, size, rng, 1.3), 1.0, 0.0, ApproxDP(1.0))
    assert broken.violated
    assert 1.0 < broken.epsilon_lower <= 1.3
    assert broken.p_value < 1e-4
    assert broken.witness is not None
    assert broken.witness.pairs == 10_000
    for changed in ({"alpha": 0.0}, {"pairs": 10}):
        with pytest.raises(InvalidArgument):
            fixed_sample(laplace, 1.0, 0.0, ApproxDP(1.0), **changed)

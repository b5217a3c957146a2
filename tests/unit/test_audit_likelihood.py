"""``audit_likelihood`` and the fixed-sample cross-check: exact values within their errors, faults caught."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from dpverify.audits import audit_likelihood, fixed_sample
from dpverify.audits.likelihood import log_e_value
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


def test_the_e_value_of_a_mean_is_fair_and_grows():
    rng = np.random.default_rng(6)
    fair = [np.exp(log_e_value((rng.random(2000) < 0.01).astype(float), 0.01)) for _ in range(300)]
    assert np.mean(fair) < 1.3
    assert np.mean(np.array(fair) >= 20) < 0.05
    assert log_e_value((rng.random(2000) < 0.03).astype(float), 0.01) > 10
    assert log_e_value(np.zeros(10), 0.0) == 0.0
    assert log_e_value(np.array([0.0, 1e-30]), 0.0) == np.inf


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

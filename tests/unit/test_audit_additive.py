"""The exact law of what adds integer noise: log-masses against the tables, and the mechanism built on them."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

import dpverify as dv
from dpverify.accounting import delta_bracket
from dpverify.audits import Additive
from dpverify.audits.additive import Elsewhere, loss_at
from dpverify.noise import composed
from dpverify.noise.composed import GeometricDigits, OneTable, TwoScales

CLAIM = dv.ApproxDP(1.0, 1e-3)
COARSE = dv.TruncatedLaplace(1.0, CLAIM, grid=1.0)  # 15 outcomes


def laws():
    return {
        "one table, Laplace": dv.TruncatedLaplace(1.0, dv.ApproxDP(1.0, 1e-6)).law,
        "one table, Gaussian": dv.Gaussian(1.0, dv.ApproxDP(1.0, 1e-6)).law,
        "two digits": dv.TruncatedLaplace(1.0, dv.ApproxDP(0.1, 1e-6)).law,
        "two scales": dv.Gaussian(1.0, dv.ApproxDP(0.25, 1e-6)).law,
    }


LAWS = laws()


def exact(table, value: int) -> Fraction:
    index = value - table.first
    return Fraction(int(table.weights[index]), 1 << table.bits) if 0 <= index < len(table.weights) else Fraction(0)


def by_definition(law, step: int) -> Fraction:
    """Summed over every pair of integers that the sampler can draw."""
    if isinstance(law, OneTable):
        return exact(law.table, step)
    if isinstance(law, TwoScales):
        reach = range(-law.coarse.half_width, law.coarse.half_width + 1)
        return sum(
            (exact(law.coarse.table, c) * exact(law.fine.table, step - law.cell * c) for c in reach), Fraction(0)
        )
    total = Fraction(0)
    for leading in {0} if step == 0 else {(abs(step) - 1) // law.base + 1}:
        for digit in range(law.base):
            magnitude = law.base * (leading - 1) + digit + 1 if leading else 0
            if magnitude == abs(step):
                total += exact(law.leading.table, int(math.copysign(leading, step))) * exact(law.trailing.table, digit)
    return total


def test_every_kind_of_law_is_there():
    assert [type(law) for law in LAWS.values()] == [OneTable, OneTable, GeometricDigits, TwoScales]


@pytest.mark.parametrize("name", list(LAWS))
def test_log_mass_is_that_of_the_integers_sampled(name):
    law = LAWS[name]
    edge = law.half_width
    steps = [0, 1, -1, 17, edge // 3, -edge // 2, edge - 1, edge, -edge]
    for step, found in zip(steps, law.log_mass(np.array(steps)), strict=True):
        mass = by_definition(law, step)
        expected = -math.inf if mass == 0 else math.log(mass.numerator) - math.log(mass.denominator)
        assert found == pytest.approx(expected, abs=1e-12), step
    assert np.isneginf(law.log_mass(np.array([edge + 1, -edge - 1, 2**61, -(2**61)]))).all()
    assert np.exp(law.log_mass(np.arange(-edge, edge + 1))).sum() == pytest.approx(1.0, abs=1e-12)


def test_wide_laws_are_summed_as_they_are_asked_for(monkeypatch):
    law = LAWS["two scales"]
    steps = np.random.default_rng(0).integers(-law.half_width - 9, law.half_width + 9, (50, 20))
    kept = law.log_mass(steps)
    monkeypatch.setattr(composed, "TABULATED", 0)
    assert law.log_mass(steps) == pytest.approx(kept, abs=1e-12)


def test_log_mass_fits_the_sampler():
    noise = dv.TruncatedLaplace(1.0, dv.ApproxDP(0.1, 1e-6))
    drawn = noise.sample_steps(40_000, dv.SeededBits(3))
    edges = np.quantile(drawn, np.linspace(0, 1, 21)[1:-1]).astype(int)
    masses = np.exp(noise.log_mass(np.arange(-noise.law.half_width, noise.law.half_width + 1)))
    expected = np.diff([0.0, *np.cumsum(masses)[edges + noise.law.half_width], 1.0])
    counts = np.bincount(np.searchsorted(edges, drawn), minlength=20)
    assert stats.chisquare(counts, expected * len(drawn)).pvalue > 1e-4
    shifted = np.bincount(np.searchsorted(edges, drawn + noise.shift), minlength=20)
    assert stats.chisquare(shifted, expected * len(drawn)).pvalue < 1e-9


def test_log_mass_takes_integers_of_any_shape_only():
    noise = dv.TruncatedLaplace(1.0, CLAIM)
    assert noise.log_mass(3).shape == ()
    assert noise.log_mass([[1, 2], [3, 4]]).shape == (2, 2)
    assert noise.log_mass(np.uint64(2**64 - 1)) == -math.inf
    with pytest.raises(dv.InvalidArgument, match=r"steps.*integers"):
        noise.log_mass([0.5])


def every_output(number: int) -> np.ndarray:
    values = np.arange(-COARSE.law.half_width - 4, COARSE.law.half_width + 5, dtype=float)
    return np.stack(np.meshgrid(*[values] * number, indexing="ij"), axis=-1).reshape(-1, number)


def test_the_law_of_a_vector_is_the_product():
    mechanism = Additive(np.asarray, COARSE)
    outputs = every_output(2)
    found = mechanism.log_density([1.0, -2.0], outputs)
    expected = COARSE.log_mass(outputs.astype(int) - [1, -2]).sum(axis=1)
    assert np.array_equal(found, expected)
    assert np.exp(found).sum() == pytest.approx(1.0)
    off = mechanism.log_density([1.0, -2.0], [[0.5, 0.0], [np.nan, 0.0], [np.inf, 0.0], [1e300, 0.0]])
    assert np.isneginf(off).all()
    with pytest.raises(dv.InvalidArgument, match="shape"):
        mechanism.log_density([1.0, -2.0], np.zeros((4, 3)))


def test_where_tails_are_drawn_from_has_the_law_that_it_says():
    mechanism = Additive(np.asarray, COARSE)
    d0, d1 = [2.0, 0.0, 1.0], [0.0, 0.0, 2.0]
    outputs = every_output(3)
    places = mechanism.further(d0, d1)
    assert len(places) > 8
    wide = every_output(1)[:, 0]
    for place in places:
        density = np.exp(mechanism.log_density(place, outputs))
        inside = all(abs(c) <= 4 for c in place.centres.ravel())  # else it reaches past the outputs listed
        assert density.sum() == pytest.approx(1.0) if inside else density.sum() <= 1.0 + 1e-12
        drawn = mechanism(place, 20_000, np.random.default_rng(1))
        assert np.isfinite(mechanism.log_density(place, drawn)).all()
        if inside:
            for column in range(3):
                marginal = [density[outputs[:, column] == v].sum() for v in wide]
                frequency = [(drawn[:, column] == v).mean() for v in wide]
                assert frequency == pytest.approx(marginal, abs=0.02)
    assert mechanism.further(d0, d0) == []


def test_a_lean_is_seen_in_the_law():
    """Control for the test above: noise that is drawn without the lean does not fit."""
    mechanism = Additive(np.asarray, COARSE)
    lean = Elsewhere(np.zeros((1, 1), dtype=np.int64), np.array([[0.8]]), np.ones(1))
    positive = every_output(1)[:, 0] > 0
    mass = np.exp(mechanism.log_density(lean, every_output(1)))[positive].sum()
    assert mass == pytest.approx(0.9 * (1 - math.exp(COARSE.log_mass(0))))
    straight = mechanism([0.0], 20_000, np.random.default_rng(2))
    assert abs((straight > 0).mean() - mass) > 0.2
    assert (mechanism(lean, 20_000, np.random.default_rng(2)) > 0).mean() == pytest.approx(mass, abs=0.02)


@pytest.mark.parametrize("epsilon", [0.0, 0.3, 1.0, 1.9])
def test_losses_of_a_pair_give_its_exact_delta(epsilon):
    mechanism = Additive(np.asarray, COARSE)
    d0, d1 = [0.0, 1.0], [1.0, 0.0]
    outputs = every_output(2)
    p, q = (np.exp(mechanism.log_density(d, outputs)) for d in (d0, d1))
    exactly = np.maximum(p - math.exp(epsilon) * q, 0.0).sum()
    bracket = delta_bracket(mechanism.losses(d0, d1), epsilon, relative_width=1e-6)
    assert bracket.lower <= exactly * (1 + 1e-9)
    assert bracket.upper >= exactly * (1 - 1e-9)
    assert bracket.width <= 1e-3 * exactly + 1e-12


def test_merged_outcomes_keep_the_lower_end_true():
    noise = dv.Gaussian(1.0, dv.ApproxDP(0.25, 1e-6))
    assert isinstance(noise.law, TwoScales)
    full, merged = (delta_bracket(loss_at(noise, noise.shift, run), 0.25) for run in (20, 400))
    assert full.lower * (1 - 1e-3) <= merged.lower <= full.upper
    assert full.upper == pytest.approx(noise.delta(0.25), rel=1e-2)
    assert loss_at(noise, 3 * noise.law.half_width).infinite[0] == pytest.approx(1.0)


def test_outputs_impossible_on_the_other_dataset_count_in_full():
    """Above every finite loss, delta is the mass beyond the other's reach."""
    mechanism = Additive(np.asarray, COARSE)
    d0, d1 = [0.0, 0.0], [1.0, -1.0]
    outputs = every_output(2)
    p, q = (np.exp(mechanism.log_density(d, outputs)) for d in (d0, d1))
    leak = p[q == 0.0].sum()
    assert 5e-4 < leak < 4e-3
    result = dv.audit_likelihood(mechanism, d0, d1, dv.ApproxDP(30.0, 0.9 * leak), draws=20_000, alpha=1e-6)
    assert result.violated
    for direction in result.directions:
        infinite = np.isposinf(direction.losses)
        assert direction.delta == pytest.approx(direction.weights[infinite].sum() / result.draws, rel=1e-9)
        assert abs(direction.delta - leak) < 6 * direction.std_error < 0.2 * leak
    assert not dv.audit_likelihood(mechanism, d0, d1, dv.ApproxDP(30.0, leak), draws=20_000, alpha=1e-6).violated


def test_a_users_own_mechanism():
    """Counts by category, of which one row changes two: noise for one is found out, noise for two is not."""
    claim = dv.ApproxDP(1.0, 1e-6)

    def counts(rows):
        return np.bincount(rows, minlength=3)

    d0, d1 = np.array([0, 1, 1]), np.array([2, 1, 1])
    wrong = dv.audit_likelihood(Additive(counts, dv.TruncatedLaplace(1.0, claim, draws=3)), d0, d1, claim, draws=20_000)
    right = dv.audit_likelihood(Additive(counts, dv.TruncatedLaplace(2.0, claim, draws=3)), d0, d1, claim, draws=20_000)
    assert wrong.violated
    assert wrong.epsilon_lower > 1.9
    assert not right.violated
    assert right.epsilon_lower > 0.95

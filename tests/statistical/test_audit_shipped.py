"""The library's own mechanisms under audit: their claims stand, claims that are too strong fall, and so do faults.

Epsilon of a pair is the accountant's certified lower bound for just that pair; a claim of 0.8 of it is false.
"""

from __future__ import annotations

import io
from functools import cache, partial

import numpy as np
import pytest
from rich.console import Console

import dpverify as dv
from dpverify.accounting import delta_bracket
from dpverify.audits import audit, audit_likelihood
from dpverify.audits.shipped import BUILDERS, Shipped, _scalar
from dpverify.commands import report, sandwich
from dpverify.commands.verify import exit_status, sandwich_table
from dpverify.cross_attention.lazy_kernel import LazyKernel
from dpverify.spec.tree import privacy_composition, sensitivity_l1

TINY = 1e-6
ALPHA = 1e-9
TIGHTENED = 0.8
# a delta at which so many pairs of outputs suffice, black box; of the attention's trees even 10^6 do not, at any delta
BLACK_BOX = {
    "truncated Laplace": (1e-2, 20_000),
    "Gaussian": (1e-2, 200_000),
    "DPTree, levels": (1e-4, 600_000),
    "DPTree, vector": (1e-4, 600_000),
    "DPTree, exact": (1e-2, 200_000),
    "attention, functional": (1e-2, 200_000),
    "attention, Nystrom": (1e-2, 200_000),
    "attention, positive": (1e-2, 200_000),
    "attention, lazy": (1e-2, 200_000),
}
every = pytest.mark.parametrize("name", list(BUILDERS))


@cache
def build(name: str, delta: float = TINY) -> Shipped:
    return BUILDERS[name](name, dv.ApproxDP(1.0, delta))


@cache
def of_pair(name: str, delta: float = TINY) -> float:
    return build(name, delta).epsilon_of_pair()


def test_every_mechanism_is_in_the_tables():
    assert set(BLACK_BOX) | {"attention, trees"} == set(BUILDERS)


@every
def test_the_pairs_epsilon_lies_below_what_is_certified(name):
    """And close to it, but for the attention's trees, whose claim covers rows that change every tree by the most."""
    certified = build(name).epsilon_certified()
    loosest = {"attention, trees": 0.5, "attention, positive": 0.8}.get(name, 0.99)
    assert loosest * certified < of_pair(name) <= certified <= 1.0 + 1e-4


@pytest.mark.statistical(alpha=ALPHA)
@every
def test_its_own_claim_stands_black_box(name):
    mechanism = build(name)
    result = audit(mechanism.mechanism, *mechanism.pair, mechanism.claim, alpha=ALPHA, max_pairs=5000)
    assert not result.violated, result.describe()
    assert result.pairs == 5000
    assert result.reproducible


@pytest.mark.statistical(alpha=ALPHA)
@every
def test_its_own_claim_stands_where_the_law_is_known(name):
    mechanism = build(name)
    result = audit_likelihood(mechanism.whole, *mechanism.pair, mechanism.claim, alpha=ALPHA, draws=20_000)
    assert not result.violated, result.describe()
    assert abs(result.density_z) < 6
    for direction in result.directions:
        assert direction.low <= mechanism.claim.delta


@every
def test_a_claim_that_is_too_strong_is_refuted_where_the_law_is_known(name):
    mechanism, strong = build(name), dv.ApproxDP(TIGHTENED * of_pair(name), TINY)
    result = audit_likelihood(mechanism.whole, *mechanism.pair, strong, alpha=ALPHA, draws=10_000)
    assert result.violated, result.describe()
    assert result.rejected_after < 5000
    assert strong.epsilon < result.epsilon_lower <= of_pair(name) * 1.001
    assert result.epsilon_lower > 0.9 * of_pair(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(BLACK_BOX))
def test_a_claim_that_is_too_strong_is_refuted_black_box(name):
    delta, most = BLACK_BOX[name]
    mechanism, strong = build(name, delta), dv.ApproxDP(TIGHTENED * of_pair(name, delta), delta)
    result = audit(mechanism.mechanism, *mechanism.pair, strong, alpha=1e-3, max_pairs=most)
    assert result.violated, result.describe()
    assert result.epsilon_lower >= strong.epsilon


@every
def test_a_tiny_delta_is_estimated_to_a_tenth(name):
    """Against the accountant's bracket of the same pair, from far fewer outputs than 1 / delta."""
    mechanism, epsilon = build(name), of_pair(name)
    exact = delta_bracket(mechanism.whole.losses(*mechanism.pair, merged=True), epsilon, relative_width=1e-2)
    assert 0.9e-6 < exact.lower < 1.2e-6
    claim = dv.ApproxDP(epsilon, TINY)
    result = audit_likelihood(mechanism.whole, *mechanism.pair, claim, draws=50_000, alpha=ALPHA)
    for direction in result.directions:
        assert direction.delta == pytest.approx(exact.lower, rel=0.1)
        assert direction.std_error < 0.05 * direction.delta
        assert 0.5e-6 < direction.low < exact.upper
        assert direction.low < direction.delta < direction.high


def smaller(kind, sensitivity, claim):
    return kind(sensitivity / 1.3, claim)


def plant(monkeypatch, name):
    """A mistake in the code that chooses the noise of that mechanism; what builds the audit is untouched."""
    if name in ("truncated Laplace", "Gaussian"):
        kind = dv.Gaussian if name == "Gaussian" else dv.TruncatedLaplace
        monkeypatch.setitem(BUILDERS, name, partial(_scalar, partial(smaller, kind)))
    elif name == "DPTree, levels":
        monkeypatch.setattr(privacy_composition, "level_budget", lambda e, d, height: (e / height, d / height))
    elif name == "DPTree, vector":
        monkeypatch.setattr(sensitivity_l1, "l1", lambda change, height, paths: change * height * paths)
    elif name == "DPTree, exact":
        fewer = dv.noise.tree_alternatives
        monkeypatch.setattr("dpverify.tree.tree_alternatives", lambda by, height, paths: fewer(by, height - 1, paths))
    elif name == "attention, trees":
        one = dv.tree._calibrate
        monkeypatch.setattr("dpverify.tree._calibrate", lambda trees, *rest: one(1, *rest))
    elif name == "attention, lazy":
        true = LazyKernel.sensitivity
        monkeypatch.setattr(LazyKernel, "sensitivity", lambda *arguments: true(*arguments) / 1.3)
    else:
        place = "dpverify.cross_attention.functional.sensitivity_on_grid"
        honest = dv.cross_attention.functional.sensitivity_on_grid
        monkeypatch.setattr(place, lambda *arguments: honest(*arguments) / 1.3)


@every
def test_a_planted_fault_is_found_under_the_own_claim(monkeypatch, name):
    plant(monkeypatch, name)
    mechanism = BUILDERS[name](name, dv.ApproxDP(1.0, TINY))
    assert mechanism.epsilon_of_pair() > 1.05
    result = audit_likelihood(mechanism.whole, *mechanism.pair, mechanism.claim, alpha=ALPHA, draws=20_000)
    assert result.violated, result.describe()
    assert result.epsilon_lower > 1.0


@pytest.mark.parametrize("name", ["DPTree, levels", "attention, functional", "attention, lazy", "attention, trees"])
def test_the_integers_found_under_the_noise_do_not_depend_on_the_bits(monkeypatch, name):
    """So what is subtracted is the noise that was drawn, all of it and in order; and a wrong noise is noticed."""
    first = build(name)

    def other_bits(seed):
        return dv.SeededBits(seed + 1)

    monkeypatch.setattr("dpverify.audits.shipped.SeededBits", other_bits)
    second = BUILDERS[name](name, first.claim)
    for dataset in first.pair:
        assert np.array_equal(first.whole.steps(dataset), second.whole.steps(dataset))
        assert np.abs(first.whole.steps(dataset)).max() * first.noise.grid < 100.0
    assert not np.array_equal(*(first.whole.steps(dataset) for dataset in first.pair))


def test_verify_fails_if_a_false_claim_is_not_refuted(monkeypatch):
    kept = sandwich._slice("truncated Laplace")
    assert kept.tightened_after is not None
    assert not kept.failed
    monkeypatch.setattr(sandwich, "TIGHTENED", 1.02)  # a claim that is true
    missed = sandwich._slice("truncated Laplace")
    assert missed.tightened_after is None
    assert not missed.violated
    assert missed.failed
    assert exit_status([], [kept], []) == 0
    assert exit_status([], [kept, missed], []) == 1
    assert report.sandwich_cells(kept)[-1] == f"{kept.tightened_after:,}"
    assert report.sandwich_cells(missed)[-1] == report.NOT_REJECTED
    console = Console(width=80, file=io.StringIO())
    console.print(sandwich_table([missed, kept]))
    assert "NOT REJECTED" in " ".join(console.file.getvalue().split())


def test_verify_fails_if_its_own_claim_is_broken(monkeypatch):
    plant(monkeypatch, "DPTree, levels")
    broken = sandwich._slice("DPTree, levels")
    assert broken.violated
    assert broken.failed
    assert "density" in broken.witness
    assert exit_status([], [broken], []) == 1

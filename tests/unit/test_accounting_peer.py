"""Our brackets against dp_accounting's optimistic and pessimistic deltas; skipped, visibly, if it is not installed."""

from __future__ import annotations

import math

import pytest

from dpverify.accounting import Bracket, delta_bracket, from_gaussian, from_pmfs, from_randomised_response

peer = pytest.importorskip(
    "dp_accounting.pld.privacy_loss_distribution", reason="dp_accounting is not installed (pip install dp-accounting)"
)


def assert_ours_is_sharper(ours: Bracket, low: float, high: float) -> None:
    """Both claim to hold the exact delta, so they must meet; ours must be the narrower one."""
    assert low <= ours.upper
    assert ours.lower <= high
    assert ours.width < high - low


@pytest.mark.parametrize(("k", "mu", "epsilon"), [(1, 1.0, 1.0), (10, 0.1, 1.0), (100, 0.1, 4.5), (1000, 0.03, 3.0)])
def test_gaussian(k: int, mu: float, epsilon: float) -> None:
    pair = [
        peer.from_gaussian_mechanism(1.0 / mu, pessimistic_estimate=side, use_connect_dots=side)
        .self_compose(k)
        .get_delta_for_epsilon(epsilon)
        for side in (False, True)
    ]
    assert_ours_is_sharper(delta_bracket([(from_gaussian(1.0, mu), k)], epsilon, relative_width=2e-5), *pair)


@pytest.mark.parametrize(("k", "epsilon0", "epsilon"), [(100, 0.1, 3.0), (1000, 0.05, 7.0)])
def test_randomised_response(k: int, epsilon0: float, epsilon: float) -> None:
    noise = 2.0 / (1.0 + math.exp(epsilon0))
    pair = [
        peer.from_randomized_response(noise, 2, pessimistic_estimate=side)
        .self_compose(k)
        .get_delta_for_epsilon(epsilon)
        for side in (False, True)
    ]
    assert_ours_is_sharper(delta_bracket([(from_randomised_response(epsilon0), k)], epsilon), *pair)


def test_an_asymmetric_pair() -> None:
    p, q = [0.5, 0.25, 0.25], [0.375, 0.125, 0.5]
    theirs = [
        peer.from_two_probability_mass_functions(
            dict(enumerate(map(math.log, p))), dict(enumerate(map(math.log, q))), pessimistic_estimate=side
        )
        .self_compose(30)
        .get_delta_for_epsilon(8.0)
        for side in (False, True)
    ]
    loss = from_pmfs(p, q)
    assert_ours_is_sharper(delta_bracket([(loss, 30)], 8.0), *theirs)

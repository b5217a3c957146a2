"""The bets: fair against every pair of laws that keeps the claim, and as fast as the divergence allows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import optimize

from dpverify.audits.bets import LogFactors, best_bet, staircase_bet, standing
from dpverify.audits.events import choose_events
from dpverify.audits.experts import Breadth, Counts, past_of, place
from dpverify.audits.process import Process


def _bet(p_e, q_e, p_f, q_f, epsilon, delta, use_e=1.0, use_f=1.0):
    values = [np.array([v * u]) for v, u in ((p_e, use_e), (q_e, use_e), (p_f, use_f), (q_f, use_f))]
    return best_bet(*values, np.array([np.exp(epsilon)]), delta, np.array([use_e]), np.array([use_f]))


def _largest_mean(bet, epsilon, delta):
    """Exact maximum of E a(X) + E b(Y) over laws on {E, F, rest} that keep the claim, by linear programming."""
    ratio = np.exp(epsilon)
    a, b = (
        [float(v[0]) for v in (x, y, z)] for x, y, z in ((bet.a_e, bet.a_f, bet.a_rest), (bet.b_e, bet.b_f, bet.b_rest))
    )
    rows, bounds = [], []
    for event in itertools.product((0.0, 1.0), repeat=3):
        inside = np.array(event)
        rows += [np.concatenate([inside, -ratio * inside]), np.concatenate([-ratio * inside, inside])]
        bounds += [delta, delta]
    total = np.kron(np.eye(2), np.ones(3))
    found = optimize.linprog(-np.array(a + b), A_ub=np.array(rows), b_ub=bounds, A_eq=total, b_eq=[1, 1], bounds=(0, 1))
    assert found.success
    return -found.fun


@pytest.mark.parametrize(
    ("epsilon", "delta"), [(0.0, 0.0), (0.0, 0.3), (1.0, 0.0), (1.0, 1e-5), (3.0, 0.05), (12.0, 0.9)]
)
def test_no_laws_within_the_claim_gain_on_average(epsilon, delta):
    rng = np.random.default_rng(1)
    for _ in range(40):
        p, q = rng.dirichlet([0.5, 0.5, 0.5], 2)
        uses = [(1.0, 1.0), (1.0, 0.0), (0.0, 1.0)][rng.integers(3)]
        bet = _bet(p[0], q[0], p[1], q[1], epsilon, delta, *uses)
        assert min(float(v[0]) for v in vars(bet).values()) > 0.0
        # the arithmetic-geometric mean inequality then bounds E a(X) * E b(Y) by 1
        assert _largest_mean(bet, epsilon, delta) <= 2.0 + 1e-9
        hedged = bet.hedged(np.array([0.3]))
        assert _largest_mean(hedged, epsilon, delta) <= 2.0 + 1e-9


def _random_stairs(rng, epsilon, delta):
    """A staircase bet for random frequencies of seven cells: three steps of E, the rest, three steps of F."""
    p, q = (np.concatenate([rng.dirichlet(np.full(7, 0.5)).cumsum()[:-1]]) for _ in range(2))
    steps = [np.concatenate([v[2::-1], 1 - v[3:]]) for v in (p, q)]
    return staircase_bet(*steps, np.float64(rng.choice([0.05, 0.5, 0.99])), np.exp(epsilon), delta)


def _values(bet: LogFactors):
    """a and b on the rest, the steps of E, the steps of F, up to a factor that moves from a to b."""
    a, b = (np.exp(np.concatenate([[0.0], v[:3].cumsum(), v[3:].cumsum()])) for v in (bet.x, bet.y))
    return a, b * np.exp(bet.constant)


@pytest.mark.parametrize(
    ("epsilon", "delta"), [(0.0, 0.0), (0.0, 0.3), (1.0, 0.0), (1.0, 1e-5), (3.0, 0.05), (12.0, 0.9)]
)
def test_no_laws_within_the_claim_gain_on_a_staircase(epsilon, delta):
    """Its logarithms give a and b up to a factor, which their product does not see."""
    rng = np.random.default_rng(2)
    gained = []
    for _ in range(20):
        bet = _random_stairs(rng, epsilon, delta)
        a, b = _values(bet)
        assert np.isfinite(bet.constant)
        for rising in (a[:4], -b[:4], -a[[0, 4, 5, 6]], b[[0, 4, 5, 6]]):
            assert (np.diff(rising) >= 0).all()
        gained.append(_largest_product(a, b, epsilon, delta))
    assert max(gained) <= 1.0 + 1e-9
    assert max(gained) > 0.99  # on the edge of the claim it is fair, not less


def _largest_product(a, b, epsilon, delta):
    """Maximum of E a(X) * E b(Y) over laws on the cells that keep the claim, near a solution of a linear programme."""
    ratio, number = np.exp(epsilon), len(a)
    # hockey-stick divergence through slack variables: p - r q <= u, sum u <= delta, and the reverse
    eye, zero, one = np.eye(number), np.zeros((number, number)), np.ones(number)
    rows = np.block([[eye, -ratio * eye, -eye, zero], [-ratio * eye, eye, zero, -eye]])
    sums = np.kron(np.eye(4), one)
    best = 0.0
    for tilt in np.exp(np.linspace(-3, 3, 41)):
        found = optimize.linprog(
            -np.concatenate([tilt * a, b / tilt, 0 * one, 0 * one]),
            A_ub=np.vstack([rows, sums[2:]]),
            b_ub=np.concatenate([np.zeros(2 * number), [delta, delta]]),
            A_eq=sums[:2],
            b_eq=[1, 1],
            bounds=(0, 1),
        )
        assert found.success
        best = max(best, float((a @ found.x[:number]) * (b @ found.x[number : 2 * number])))
    return best


def test_staircases_stand_out_where_their_mean_exceeds_the_claim():
    p, q = np.array([0.6, 0.3, 0.1]), np.array([0.1, 0.05, 0.02])
    mean, square = p.sum() / 3, (p * [1, 3, 5]).sum() / 9
    other, other_square = q.sum() / 3, (q * [1, 3, 5]).sum() / 9
    error = np.sqrt(square - mean**2 + np.e**2 * (other_square - other**2))
    assert standing(p, q, np.e, 0.01) == pytest.approx((mean - np.e * other - 0.01) / error)
    assert standing(q, p, np.e, 0.01) < 0


def test_the_growth_of_one_event_is_the_divergence_from_the_claim():
    for p, q, epsilon, delta in ((0.7, 0.1, 1.0, 0.0), (0.9, 0.2, 0.3, 0.1), (0.05, 1e-4, 2.0, 1e-3)):
        ratio = np.exp(epsilon)

        def divergence(q0, p=p, q=q, ratio=ratio, delta=delta):
            p0 = ratio * q0 + delta
            return sum(u * np.log(u / v) + (1 - u) * np.log((1 - u) / (1 - v)) for u, v in ((p, p0), (q, q0)))

        limits = (1e-9, (1 - delta) / ratio - 1e-9)
        expected = optimize.minimize_scalar(divergence, bounds=limits, method="bounded", options={"xatol": 1e-12}).fun
        bet = _bet(p, q, 0.0, 0.0, epsilon, delta, 1.0, 0.0)
        zero = np.zeros(1)
        assert bet.growth(np.array([p]), np.array([q]), zero, zero)[0] == pytest.approx(expected, rel=1e-6)


def test_an_output_in_both_events_gets_less_than_its_fair_value():
    bet = _bet(0.5, 0.1, 0.1, 0.5, 1.0, 0.0)
    logs = bet.logs()
    fair = bet.a_e + bet.a_f - bet.a_rest
    assert np.log(bet.a_rest) + logs.x.sum() <= np.log(fair)
    stairs = _random_stairs(np.random.default_rng(0), 1.0, 0.0)
    a, _ = _values(stairs)
    assert np.log(a[0]) + stairs.x.sum() <= np.log(a[3] + a[6] - a[0])


def test_the_expected_wealth_of_the_whole_procedure_is_at_most_one():
    """Every sequence of five pairs from randomised response at the edge of the claim, with its probability."""
    epsilon = 1.0
    keep = np.exp(epsilon) / (1 + np.exp(epsilon))
    total, mass, largest = 0.0, 0.0, 0.0
    for counts in itertools.product(itertools.product((0.0, 1.0), repeat=2), repeat=5):
        outcome = np.array(counts)
        chance = np.prod(np.where(outcome == [1.0, 0.0], keep, 1 - keep))
        process = Process.start(1, floating_point=False)
        x, y = outcome[:, :1], outcome[:, 1:]
        process.commit(x[:4], y[:4], process.paths(x[:4], y[:4], epsilon, 0.0))
        paths = process.paths(x[4:], y[4:], epsilon, 0.0)
        wealth = sum(e.share * np.exp(path[-1]) for e, path in zip(process.experts, paths, strict=True))
        total, mass, largest = total + chance * wealth, mass + chance, max(largest, wealth)
    assert mass == pytest.approx(1.0)
    assert total <= 1.0
    assert total > 0.9  # it did bet
    assert largest > 1.2


def test_a_padded_or_unseen_event_is_never_bet_on():
    table = choose_events(np.array([[0.0], [1.0], [2.0], [3.0]]), 8)
    none = np.zeros(len(table), dtype=np.int64)
    past = past_of([Counts(none, none, 0), Counts(none + 5, none, 10)], [table, table])
    bets = place(past, np.array([1.0, 1.0]), 0.0, Breadth(8, 4, 4, 100))
    assert bets.kept[0] == 1.0
    assert bets.weight[0].sum() == 0.0
    assert bets.kept[1] + bets.weight[1].sum() == pytest.approx(1.0)
    assert bets.weight[1].sum() > 0.9

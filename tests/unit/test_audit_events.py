"""Events and learned columns: counts agree with indicators, on every kind of output."""

from __future__ import annotations

import numpy as np
import pytest

from dpverify.audits.events import choose_events
from dpverify.audits.experts import Bets, Breadth, Counts, past_of, place
from dpverify.audits.floating_point import bit_columns
from dpverify.audits.scores import learn_logistic, learn_table


def _columns():
    rng = np.random.default_rng(3)
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e308, 5e-324, np.nan])
    return {
        "continuous": rng.normal(size=(200, 1)),
        "integers": rng.integers(-3, 4, (200, 1)).astype(float),
        "clamped": np.clip(rng.normal(size=(200, 1)), -1, 1),
        "mostly one value": rng.choice([0.0, 1.0, 2.0], (200, 1), p=[0.1, 0.8, 0.1]),
        "constant": np.ones((50, 1)),
        "all NaN": np.full((20, 1), np.nan),
        "special": special[rng.integers(0, 8, (300, 2))],
        "one row": np.array([[1.5]]),
        "vector": np.concatenate([rng.normal(size=(100, 2)), rng.integers(0, 2, (100, 1))], axis=1),
    }


@pytest.mark.parametrize("name", list(_columns()))
def test_counts_agree_with_indicators(name):
    columns = _columns()[name]
    table = choose_events(columns, 12)
    inside = table.indicators(columns, np.arange(len(table)))
    assert np.array_equal(table.counts(columns), inside.sum(axis=0))
    assert len(table) > 0 or name in ("constant", "one row")


@pytest.mark.parametrize("name", list(_columns()))
def test_staircases_are_nested_apart_and_of_equal_frequency(name):
    columns = _columns()[name]
    table = choose_events(columns, 24)
    inside = table.indicators(columns, np.arange(len(table)))
    assert (table.kind[table.stairs] == 0).all()
    assert len(table.stairs) > 0 or name in ("constant", "all NaN", "one row")
    for up, down in table.stairs:
        assert len(set(table.column[[*up, *down]])) == 1
        assert (table.value[up[1:]] >= table.value[up[:-1]]).all()
        assert (table.value[down[1:]] <= table.value[down[:-1]]).all()
        known = ~np.isnan(columns[:, table.column[up[0]]])
        assert not (inside[known, up[0]] & ~inside[known, down[0]]).any()
    if name == "continuous":
        up, down = inside.sum(axis=0)[table.stairs[:, 0]], len(columns) - inside.sum(axis=0)[table.stairs[:, 1]]
        assert np.abs(up - down).max() <= 1
        assert up.min() >= 4


def test_atoms_and_nan_are_events_of_their_own():
    table = choose_events(_columns()["clamped"], 12)
    atoms = table.value[table.kind == 1]
    assert {-1.0, 1.0} <= set(atoms)
    assert (choose_events(_columns()["special"], 12).kind == 2).sum() == 2


def test_paths_end_where_the_counts_say():
    """Log wealth pair by pair (indicators) and from block counts (the lower bound's way) are the same number."""
    rng = np.random.default_rng(5)
    x, y = rng.laplace(size=(300, 1)) + 1, rng.laplace(size=(300, 1))
    table = choose_events(np.concatenate([x[:100], y[:100]]), 12)
    past = past_of([Counts(table.counts(x[:100]), table.counts(y[:100]), 100)], [table])
    bets: Bets = place(past, np.array([0.2]), 0.01, Breadth(8, 5, 8, 1000))
    path = bets.log_paths(table, x[100:], y[100:])
    now = table.counts(x[100:])[None, :].astype(float), table.counts(y[100:])[None, :].astype(float)
    ends = bets.log_ends(*now, np.array([[200.0]]))
    assert path.shape == (200, bets.where.shape[1])
    assert np.allclose(path[-1], ends[0], rtol=0, atol=1e-9)
    assert np.abs(ends).max() > 0.1


def test_the_table_score_looks_up_equal_rows_whatever_the_batch():
    rng = np.random.default_rng(2)
    x, y = rng.integers(0, 2, (400, 6)).astype(float), (rng.random((400, 6)) < 0.3).astype(float)
    score = learn_table(x, y)
    assert score is not None
    whole = score(x)
    assert np.array_equal(whole, np.concatenate([score(x[i : i + 1]) for i in range(len(x))]))
    assert whole.mean() > score(y).mean() + 0.5
    left, right = (np.tile(row, (200, 1)) for row in ([1.0, 0.0], [0.0, 1.0]))
    apart = learn_table(left, right)
    assert apart is not None
    assert apart(left).min() > apart(right).max() + 1
    assert learn_table(rng.normal(size=(400, 6)), rng.normal(size=(400, 6))) is None


def test_the_logistic_score_finds_a_category_crossed_with_a_number():
    """The sign of the loss in the number depends on the category: neither tells anything alone."""
    rng = np.random.default_rng(4)
    which = rng.integers(0, 2, (2, 4000)).astype(float)
    x = np.stack([which[0], rng.normal(size=4000) + (2 * which[0] - 1)], axis=1)
    y = np.stack([which[1], rng.normal(size=4000) - (2 * which[1] - 1)], axis=1)
    score = learn_logistic(x[:3000], y[:3000])
    right = 0.5 * ((score(x[3000:]) > 0).mean() + (score(y[3000:]) < 0).mean())
    assert right > 0.8


def test_the_logistic_score_finds_the_sign_of_a_product():
    """Each coordinate has the same law on both datasets, whatever the other does not say."""
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(2, 4000, 5))
    x[:, 3] = np.abs(x[:, 3]) * np.sign(x[:, 1])
    y[:, 3] = -np.abs(y[:, 3]) * np.sign(y[:, 1])
    score = learn_logistic(x[:3000], y[:3000])
    assert 0.5 * ((score(x[3000:]) > 0).mean() + (score(y[3000:]) < 0).mean()) > 0.95


def test_learned_columns_survive_nan_infinity_and_constants():
    columns = _columns()["special"]
    with_constant = np.concatenate([columns, np.ones((len(columns), 1))], axis=1)
    score = learn_logistic(with_constant[:150], with_constant[150:])
    assert np.isfinite(score(with_constant)).all()
    table = learn_table(columns[:150, :1], columns[150:, :1])
    assert table is not None
    assert np.isfinite(table(columns[:, :1])).all()


def test_bit_columns_read_the_representation():
    values = np.array([[1.0], [1.5], [3.0 * 2.0**-60], [0.0], [np.nan], [1.0 + 2.0**-52]])
    lowest = bit_columns(values)[:, 0]
    assert lowest[:3].tolist() == [0.0, -1.0, -60.0]
    assert lowest[3] == -1200.0
    assert np.isnan(lowest[4])
    assert lowest[5] == -52.0
    assert bit_columns(values)[5, 1:].tolist() == [1.0, 1.0]

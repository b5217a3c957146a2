"""``audit``: planted faults are caught, correct mechanisms pass, and nothing is chosen with hindsight."""

from __future__ import annotations

import functools
import itertools
import json
import sys

import joblib
import numpy as np
import pytest

from dpverify.audits import AuditFinding, BadOutput, MechanismFailed, audit
from dpverify.audits.process import Process
from dpverify.audits.sampling import CHUNK, Encoder, sample_block
from dpverify.errors import InvalidArgument, PrivacyViolation
from dpverify.guarantees import ApproxDP

ONE = ApproxDP(1.0)


def laplace(dataset, size, rng, true=1.0):
    return dataset + rng.laplace(scale=1 / true, size=size)


leaky = functools.partial(laplace, true=2.0)


def response(dataset, size, rng, true=1.0):
    return np.where(rng.random(size) < np.exp(true) / (1 + np.exp(true)), int(dataset), 1 - int(dataset))


def clamped(dataset, size, rng):
    """Laplace noise clamped to [-3, 3] around the answer instead of renormalised: its edges give it away."""
    return dataset + np.clip(rng.laplace(size=size), -3, 3)


def spread(dataset, size, rng, true=3.0):
    """Eight coordinates, each with its share of the loss."""
    return dataset + rng.laplace(scale=8 / true, size=(size, 8))


def mixed(dataset, size, rng, true=2.0):
    """A category and a number; the number's shift depends on the category."""
    which = rng.integers(0, 2, size)
    return np.stack([which, rng.laplace(scale=1 / true, size=size) + dataset * (2 * which - 1)], axis=1)


def scale_leak(dataset, size, rng):
    return rng.laplace(scale=1.0 + 4.0 * dataset, size=size)


def words(dataset, size, rng):
    return np.array(["yes", "no"])[1 - response(dataset, size, rng, 2.0)]


def not_a_number(dataset, size, rng):
    return np.where(rng.random(size) < 0.1 + 0.5 * dataset, np.nan, 0.0)


FAULTS = {
    "too little noise": (leaky, 400),
    "randomised response": (functools.partial(response, true=2.0), 400),
    "clamped, not renormalised": (clamped, 2000),
    "spread over coordinates": (spread, 2000),
    "category and number": (mixed, 2000),
    "scale read off the data": (scale_leak, 2000),
    "text": (words, 400),
    "NaN": (not_a_number, 400),
    "constant": (lambda dataset, size, rng: np.full(size, dataset), 60),
}


@pytest.mark.parametrize("name", list(FAULTS))
def test_planted_faults_are_caught(name):
    mechanism, within = FAULTS[name]
    result = audit(mechanism, 1.0, 0.0, ONE, max_pairs=within)
    assert result.violated, result.describe()
    assert result.e_value >= 20.0
    assert result.pairs <= result.drawn <= within
    assert result.epsilon_lower >= 1.0
    with pytest.raises(PrivacyViolation, match="violates") as caught:
        result.raise_if_violated()
    assert isinstance(caught.value, AuditFinding)
    assert caught.value.result is result


@pytest.mark.parametrize(
    "mechanism",
    [
        laplace,
        response,
        functools.partial(spread, true=1.0),
        functools.partial(mixed, true=0.5),
        lambda dataset, size, rng: np.zeros(size),
        lambda dataset, size, rng: np.full(size, np.nan),
    ],
)
def test_correct_mechanisms_pass_with_this_seed(mechanism):
    result = audit(mechanism, 1.0, 0.0, ONE, max_pairs=5000)
    assert not result.violated
    assert result.pairs == 5000
    assert result.epsilon_lower <= 1.0
    result.raise_if_violated()


def test_the_witness_is_readable_and_callable():
    result = audit(leaky, 1.0, 0.0, ONE)
    witness = result.witness
    assert witness is not None
    assert "output" in str(witness)
    rng = np.random.default_rng(9)
    often = {side: witness(leaky(value, 20_000, rng)).mean() for side, value in (("d0", 1.0), ("d1", 0.0))}
    other = "d1" if witness.favours == "d0" else "d0"
    assert often[witness.favours] > np.e * often[other]


def test_witness_of_text_names_the_word():
    witness = audit(words, 1.0, 0.0, ONE).witness
    assert witness is not None
    assert "'yes'" in witness.event or "'no'" in witness.event
    assert witness(np.array(["yes", "no", "maybe"])).sum() in (1, 2)


def test_results_are_functions_of_the_seed_and_reproducible():
    first, again, other = (audit(leaky, 1.0, 0.0, ONE, seed=seed) for seed in (0, 0, 1))
    assert first.to_dict() == again.to_dict()
    assert first.log_e_value != other.log_e_value
    assert first.reproducible
    assert "seed=0" in first.describe()
    # the printed call, evaluated, gives the same result
    namespace = {"dpverify": __import__("dpverify"), "d0": 1.0, "d1": 0.0}
    call = first.reproduction().replace("dpverify.audit(", "audit(").replace(first.mechanism, "leaky")
    repeated = eval(call, namespace | {"audit": audit, "leaky": leaky})
    assert repeated.to_dict() == first.to_dict()


def test_results_do_not_depend_on_the_number_of_workers():
    serial = audit(leaky, 1.0, 0.0, ApproxDP(1.9), max_pairs=9000)
    with joblib.parallel_config(backend="threading", n_jobs=2):
        parallel = audit(leaky, 1.0, 0.0, ApproxDP(1.9), max_pairs=9000, n_jobs=None)
    assert serial.to_dict() == parallel.to_dict()
    assert serial.pairs > 4096  # enough for blocks of several chunks


def test_bets_do_not_see_the_future():
    """Changing or permuting the outputs after pair t leaves the wealth up to t untouched, bit for bit."""
    rng = np.random.default_rng(8)
    x, y = 1 + rng.laplace(scale=0.5, size=(120, 2)), rng.laplace(scale=0.5, size=(120, 2))
    order = rng.permutation(60) + 60
    changed = np.concatenate([x[:60], x[order]]), np.concatenate([y[:60], -9.0 * y[order]])

    def wealth(x, y):
        process, paths = Process.start(2, floating_point=True), []
        for start, stop in ((0, 10), (10, 40), (40, 120)):
            block = process.paths(x[start:stop], y[start:stop], 1.0, 0.0)
            process.commit(x[start:stop], y[start:stop], block)
            paths.append(np.stack(block))
        return np.concatenate(paths, axis=1)

    before, after = wealth(x, y), wealth(*changed)
    assert np.array_equal(before[:, :60], after[:, :60])
    assert not np.array_equal(before[:, 60:], after[:, 60:])
    assert (before[:, 59] != 0.0).any()


def test_stopping_happens_within_a_block_at_the_first_passage():
    result = audit(leaky, 1.0, 0.0, ONE, seed=3)
    longer = audit(leaky, 1.0, 0.0, ONE, seed=3, max_pairs=3000, stop_early=False)
    assert result.pairs < longer.pairs == 3000
    assert longer.violated
    assert longer.epsilon_lower > result.epsilon_lower
    path = longer.lower_bound
    assert (np.diff(path.epsilon) >= 0).all()
    assert path.epsilon[-1] == longer.epsilon_lower
    assert path.pairs[-1] == 3000
    assert result.lower_bound.epsilon[-1] == result.epsilon_lower


def test_the_bound_below_an_unbroken_claim_is_the_last_of_its_path():
    result = audit(laplace, 1.0, 0.0, ApproxDP(2.0), max_pairs=20_000)
    assert not result.violated
    assert 0.85 <= result.epsilon_lower <= 1.0
    assert result.lower_bound.epsilon[-1] == result.epsilon_lower


def test_an_iterable_of_pairs_shares_the_wealth():
    result = audit(leaky, [(1.0, 0.0), (5.0, 5.001)], None, ONE)
    alone = audit(leaky, 1.0, 0.0, ONE)
    assert result.violated
    assert result.dataset_pairs == 2
    assert result.pairs < 4 * alone.pairs


def test_floating_point_leaks_are_looked_for_only_on_request_and_labelled():
    silent = audit(laplace, 1.0, 0.0, ONE, max_pairs=2000)
    found = audit(laplace, 1.0, 0.0, ONE, max_pairs=2000, floating_point=True)
    assert not silent.violated
    assert found.violated
    assert found.floating_point
    assert "floating-point leak" in found.describe()
    assert "lowest set bit" in found.witness.event
    on_grid = audit(
        lambda d, size, rng: np.round(laplace(d, size, rng) * 1024) / 1024,
        1.0,
        0.0,
        ONE,
        max_pairs=2000,
        floating_point=True,
    )
    assert not on_grid.violated


def three_together(dataset, size, rng):
    """Any two of six coordinates are independent of the dataset; the sign of a product of three is not."""
    z = rng.normal(size=(size, 6))
    sign = np.where(response(dataset, size, rng, 3.0) == 1, 1.0, -1.0)
    z[:, 0] = np.abs(z[:, 0]) * np.sign(z[:, 2] * z[:, 5]) * sign
    return z


def test_trees_see_what_only_three_coordinates_show():
    pytest.importorskip("sklearn")
    found = audit(three_together, 1.0, 0.0, ONE, max_pairs=1500, trees=True)
    assert found.violated
    assert "trees" in found.witness.event
    assert "trees=True" in found.reproduction()
    assert not audit(three_together, 1.0, 0.0, ONE, max_pairs=1500).violated


def test_trees_without_scikit_learn_are_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(InvalidArgument, match=r"dpverify\[trees\]"):
        audit(laplace, 1.0, 0.0, ONE, max_pairs=200, trees=True)


def test_a_mechanism_that_ignores_its_generator_is_reported():
    stray = np.random.default_rng(1)
    result = audit(lambda d, size, rng: d + stray.laplace(size=size), 1.0, 0.0, ApproxDP(5.0), max_pairs=100)
    assert not result.reproducible
    assert "not reproducible" in result.describe()


def test_evidence_accumulates_from_run_to_run(tmp_path):
    store = tmp_path / "evidence.json"
    slightly = functools.partial(laplace, true=1.3)
    runs = []
    while not runs or not runs[-1].violated:
        runs.append(audit(slightly, 1.0, 0.0, ONE, max_pairs=150, evidence=store))
        assert len(runs) < 40
    assert len(runs) > 1
    assert [r.run for r in runs] == list(range(len(runs)))
    blocks = min(len(run.path_log_wealth) for run in runs)
    gains = {tuple(np.diff(run.path_log_wealth[: blocks - 1]).round(9)) for run in runs}
    assert len(gains) == len(runs)  # fresh outputs in every run
    for before, after in itertools.pairwise(runs):
        assert after.path_log_wealth[0] == before.log_e_value
    after_the_end = audit(slightly, 1.0, 0.0, ONE, max_pairs=150, evidence=store)
    assert after_the_end.violated
    assert after_the_end.pairs == 0
    store.write_text("{}")
    with pytest.raises(InvalidArgument, match="evidence"):
        audit(slightly, 1.0, 0.0, ONE, evidence=store)


def test_a_run_goes_on_from_the_stored_wealth(tmp_path):
    store = tmp_path / "evidence.json"
    first = audit(leaky, 1.0, 0.0, ONE, max_pairs=20, evidence=store)
    assert not first.violated
    content = json.loads(store.read_text())
    (entry,) = content["audits"].values()
    assert entry == {"log_e_value": first.log_e_value, "pairs": 20, "runs": 1}
    entry["log_e_value"] = np.log(20.0) - 0.2
    store.write_text(json.dumps(content))
    second = audit(leaky, 1.0, 0.0, ONE, evidence=store)
    assert second.violated
    assert second.pairs < audit(leaky, 1.0, 0.0, ONE, seed=1).pairs
    assert second.log_e_value - (np.log(20.0) - 0.2) == pytest.approx(np.diff(second.path_log_wealth).sum())
    assert second.log_e_value < np.log(20.0) + 1.0


def test_every_call_of_the_mechanism_gets_randomness_of_its_own():
    def draw(seed, key):
        return sample_block(laplace, [(0.0, 0.0), (0.0, 0.0)], 2 * CHUNK, seed, key, 1, Encoder())

    seen = [
        side[part, 0]
        for key in ((0, 0), (0, 1), (1, 0))
        for pair in draw(0, key)
        for side in pair
        for part in (slice(CHUNK), slice(CHUNK, None))
    ]
    seen += [draw(1, (0, 0))[0][0][:CHUNK, 0]]
    for a, b in itertools.combinations(seen, 2):
        assert abs(np.corrcoef(a, b)[0, 1]) < 0.2
    assert len(seen) == 25


def test_results_travel_as_json_and_pictures(tmp_path):
    result = audit(leaky, 1.0, 0.0, ApproxDP(1.0, 1e-6), progress=True)
    result.save(tmp_path / "result.json")
    read = json.loads((tmp_path / "result.json").read_text())
    assert read["violated"] is True
    assert read["format"] == "dpverify-audit-1"
    assert read["pairs"] == result.pairs
    result.plot(tmp_path / "wealth.svg")
    assert (tmp_path / "wealth.svg").read_text().startswith("<?xml")
    assert "violates" in result._repr_html_()


BAD_OUTPUTS = {
    "too few": lambda d, size, rng: np.zeros(size - 1),
    "scalar": lambda d, size, rng: 0.0,
    "three axes": lambda d, size, rng: np.zeros((size, 2, 2)),
    "no columns": lambda d, size, rng: np.zeros((size, 0)),
    "objects": lambda d, size, rng: np.array([None] * size),
    "complex": lambda d, size, rng: np.zeros(size, dtype=complex),
    "width depends on the data": lambda d, size, rng: np.zeros((size, 1 + int(d))),
    "text on one side": lambda d, size, rng: np.array(["a"] * size) if d else np.zeros(size),
}


@pytest.mark.parametrize("name", list(BAD_OUTPUTS))
def test_bad_outputs_are_refused_with_what_they_were(name):
    with pytest.raises(BadOutput, match="output on d") as caught:
        audit(BAD_OUTPUTS[name], 1.0, 0.0, ONE)
    assert "must be" in str(caught.value)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_mechanism_that_raises_is_reported_with_all_it_takes_to_repeat_it(n_jobs):
    def fails(dataset, size, rng):
        if size > 300 and dataset == 0.0:
            raise KeyError("lost")
        return laplace(dataset, size, rng)

    with pytest.raises(MechanismFailed, match="lost") as caught:
        audit(fails, 1.0, 0.0, ApproxDP(3.0), max_pairs=9000, n_jobs=n_jobs)
    assert caught.value.dataset == "d1"
    assert caught.value.size > 300
    assert f"seed = {caught.value.seed}" in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"alpha": 0.0}, "alpha"),
        ({"alpha": 1.0}, "alpha"),
        ({"alpha": float("nan")}, "alpha"),
        ({"max_pairs": 0}, "max_pairs"),
        ({"seed": -1}, "seed"),
        ({"claim": 1.0}, "claim"),
        ({"claim": None}, "claim"),
        ({"d1": 1.0}, "d1"),
        ({"d0": np.array([1.0, np.nan]), "d1": np.array([1.0, np.nan])}, "d1"),
        ({"d0": {"a": [1]}, "d1": {"a": [1]}}, "d1"),
        ({"d0": [], "d1": None}, "d0"),
        ({"d0": [1, 2], "d1": None}, "d1"),
        ({"d0": 1.0, "d1": None}, "d1"),
    ],
)
def test_bad_arguments_are_named(changed, named):
    arguments = {"d0": 1.0, "d1": 0.0, "claim": ONE} | changed
    with pytest.raises(InvalidArgument) as caught:
        audit(laplace, **arguments)
    assert caught.value.argument == named

"""The evidence file: several processes at a time, no e-value lost or counted twice, nothing half-written."""

from __future__ import annotations

import json
import math
import pickle
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from dpverify.audits import MechanismFailed, audit
from dpverify.audits import evidence as store
from dpverify.audits.betting import mechanism_name
from dpverify.audits.errors import EvidenceLocked
from dpverify.audits.evidence import OUT_OF_ORDER, Evidence, EvidenceDiscarded, load
from dpverify.audits.lock import locked, try_lock
from dpverify.audits.lower_bound import SET_ASIDE
from dpverify.errors import InvalidArgument
from dpverify.guarantees import ApproxDP

START = Evidence(math.log(0.9))


def end(path, before, log_factor, pairs=10, name="m"):
    """What an audit does at its end."""
    after = Evidence(before.log_e_value + log_factor, before.pairs + pairs, before.runs + 1)
    return store.store(path, name, after)


def entries(path):
    return json.loads(path.read_text())["audits"]


def test_one_run_after_another(tmp_path):
    path = tmp_path / "e.json"
    first = load(path, "m", START)
    assert (first.log_e_value, first.pairs, first.runs) == (math.log(0.9), 0, 0)
    assert end(path, first, 0.5) == Evidence(math.log(0.9) + 0.5, 10, 1)
    second = load(path, "m", START)
    assert second == Evidence(math.log(0.9) + 0.5, 10, 1)
    assert load(path, "another", START) == START
    end(path, second, -0.25)
    assert entries(path)["m"] == {"log_e_value": math.log(0.9) + 0.5 - 0.25, "pairs": 20, "runs": 2}


def in_a_thread(call):
    """A run elsewhere: a reservation of the very same thread counts as over."""
    found = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    thread.join()
    return found[0]


def test_runs_at_once_count_in_the_order_of_their_numbers(tmp_path):
    path = tmp_path / "e.json"
    slow = in_a_thread(lambda: load(path, "m", START))
    quick = load(path, "m", START)
    assert (slow.runs, quick.runs) == (0, 1)
    assert quick.log_e_value == OUT_OF_ORDER  # no verdict of its own, however lucky
    after = end(path, quick, 5.0)
    assert (after.log_e_value, after.pairs) == (math.log(0.9), 0)  # not before the earlier one has reported
    third = load(path, "m", START)
    assert (third.log_e_value, third.runs) == (OUT_OF_ORDER, 2)
    after = end(path, slow, -1.0)
    assert after.log_e_value == pytest.approx(math.log(0.9) - 1.0 + 5.0)
    assert after.pairs == 20
    assert end(path, third, 1.0, pairs=3).log_e_value == pytest.approx(math.log(0.9) + 5.0)
    assert entries(path)["m"] == {"log_e_value": pytest.approx(math.log(0.9) + 5.0), "pairs": 23, "runs": 3}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["e.json", "e.json.lock"]


def test_looking_at_the_file_after_every_run_keeps_alpha(tmp_path):
    """Two double-or-nothing bets at once, the winner ends first: counted as they come, 3 in 4 would reach 2."""
    reached = 0
    for case, (first_wins, second_wins) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        path = tmp_path / f"{case}.json"
        first = in_a_thread(lambda path=path: load(path, "m", Evidence(0.0)))
        second = load(path, "m", Evidence(0.0))
        runs = [(first, first_wins), (second, second_wins)]
        seen = [end(path, run, math.log(2.0) if wins else -800.0) for run, wins in sorted(runs, key=lambda r: -r[1])]
        reached += any(after.log_e_value >= math.log(2.0) for after in seen)
    assert reached <= 2


def test_a_run_that_died_is_passed_over_and_its_number_never_given_again(tmp_path):
    path = tmp_path / "e.json"
    code = (
        "import os, sys; from dpverify.audits.evidence import Evidence, load\n"
        "kept = load(sys.argv[1], 'm', Evidence(0.0)); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, timeout=60)
    assert list(entries(path)["m"]["open"]) == ["0"]
    after = load(path, "m", Evidence(0.0))
    assert after == Evidence(0.0, 0, 1)
    assert end(path, after, 1.0).log_e_value == 1.0
    failed = load(path, "m", START)  # kept alive by a traceback, say: the same thread goes on, so it is over
    following = load(path, "m", START)
    assert (following.runs, following.log_e_value) == (3, 1.0)
    assert failed.runs == 2
    end(path, following, 0.0)


PROCESS = """
import random, sys, time
from dpverify.audits.evidence import Evidence, load, store
path, factor = sys.argv[1], float(sys.argv[2])
for _ in range(8):
    before = load(path, "m", Evidence(0.0))
    time.sleep(random.random() / 50)
    store(path, "m", Evidence(before.log_e_value + factor, before.pairs + 7, before.runs + 1))
    print(before.runs)
    del before
"""


def test_processes_at_once_lose_nothing(tmp_path):
    path = tmp_path / "e.json"
    words = [sys.executable, "-c", PROCESS, str(path)]
    factors = [1.0, -0.25, 0.5, 0.125]  # exact in floats, so no order of adding matters
    running = [subprocess.Popen([*words, str(f)], stdout=subprocess.PIPE, text=True) for f in factors]
    while any(process.poll() is None for process in running):
        if path.exists():
            json.loads(path.read_text())  # whole at any time
        time.sleep(0.005)
    said = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0] * 4
    assert sorted(int(number) for text in said for number in text.split()) == list(range(32))
    assert entries(path)["m"] == {"log_e_value": 8 * sum(factors), "pairs": 7 * 32, "runs": 32}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["e.json", "e.json.lock"]


AUDIT = """
import sys
import dpverify as dv
def laplace(dataset, size, rng):
    return dataset + rng.laplace(size=size)
result = dv.audit(laplace, 1.0, 0.0, dv.ApproxDP(1.0), max_pairs=3000, evidence=sys.argv[1])
path = result.path_log_wealth
print(result.run, repr(float(path[-1] - path[0])), repr(float(path[3] - path[0])))
"""


def test_audits_in_parallel_draw_fresh_outputs_and_all_count(tmp_path):
    path = tmp_path / "e.json"
    running = [
        subprocess.Popen([sys.executable, "-c", AUDIT, str(path)], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    said = [process.communicate(timeout=120)[0].split() for process in running]
    assert sorted(words[0] for words in said) == ["0", "1", "2"]
    assert len({words[2] for words in said}) == 3  # the same seed, and yet other outputs in each
    (entry,) = entries(path).values()
    assert entry["log_e_value"] == pytest.approx(
        math.log1p(-SET_ASIDE) + sum(float(words[1]) for words in said), abs=1e-9
    )
    assert (entry["pairs"], entry["runs"]) == (9000, 3)


def test_a_held_lock_is_waited_for_and_then_named(tmp_path):
    path = tmp_path / "e.json"
    lock = tmp_path / "e.json.lock"
    with locked(lock, 1.0), pytest.raises(EvidenceLocked, match=r"free within 0\.05 seconds.*e\.json\.lock") as caught:
        load(path, "m", START, timeout=0.05)
    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
    assert (copy.path, copy.timeout, str(copy)) == (str(lock), 0.05, str(caught.value))
    held = try_lock(lock)
    threading.Timer(0.2, held.release).start()
    assert load(path, "m", START) == START
    assert not path.with_name("e.json.part").exists()


def test_an_entry_deleted_during_a_run_is_not_revived(tmp_path):
    path = tmp_path / "e.json"
    before = load(path, "m", START)
    path.unlink()
    with pytest.raises(InvalidArgument, match="run 0 has ended"):
        load(path, "m", START)
    with pytest.warns(EvidenceDiscarded, match="was deleted during the audit"):
        end(path, before, 1.0)
    assert not path.exists()
    assert load(path, "m", START) == START


def test_a_run_that_fails_leaves_what_it_came_to(tmp_path):
    path = tmp_path / "e.json"

    class Run:
        log_wealth, pairs = START.log_e_value - 2.0, 77

    before = load(path, "m", START)
    with pytest.raises(KeyboardInterrupt), store.kept_on_failure(path, "m", before, Run()):
        raise KeyboardInterrupt
    assert entries(path)["m"] == {"log_e_value": START.log_e_value - 2.0, "pairs": 77, "runs": 1}
    with pytest.raises(KeyboardInterrupt), store.kept_on_failure(None, "m", before, Run()):
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"format": "another"}',
        '{"format": "dpverify-evidence-1", "audits": []}',
        '{"format": "dpverify-evidence-1", "audits": {"m": {"pairs": 1}}}',
        '{"format": "dpverify-evidence-1", "audits": {"m": {"log_e_value": NaN, "pairs": 1, "runs": 1}}}',
        '{"format": "dpverify-evidence-1", "audits": {"m": {"log_e_value": 0, "pairs": -1, "runs": 1}}}',
        '{"format": "dpverify-evidence-1", "audits": {"m": {"log_e_value": 0, "pairs": 1, "runs": 1, "open": [1]}}}',
        '{"format": "dpverify-evidence-1", "audits": {"m": {"log_e_value": 0, "pairs": 1, "runs": 1,'
        ' "waiting": {"1": {"log_factor": 0, "pairs": 1}}}}}',
    ],
)
def test_other_files_are_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "e.json"
    path.write_text(content)
    with pytest.raises(InvalidArgument, match="evidence must be"):
        load(path, "m", START)
    assert path.read_text() == content
    with pytest.raises(InvalidArgument, match="in a folder that exists"):
        load(tmp_path / "absent" / "e.json", "m", START)
    assert np.isfinite(OUT_OF_ORDER)


def leaky(dataset, size, rng):
    return dataset + rng.laplace(scale=0.5, size=size)


LEAKY = store.key(f"{leaky.__module__}:leaky", 1.0, 0.0, False)


def test_an_audit_beside_another_gives_no_verdict_but_counts(tmp_path):
    path = tmp_path / "e.json"
    other = in_a_thread(lambda: load(path, LEAKY, START))
    beside = audit(leaky, 1.0, 0.0, ApproxDP(1.0), max_pairs=400, evidence=path)
    assert (beside.violated, beside.pairs) == (False, 400)
    assert beside.log_e_value == pytest.approx(START.log_e_value)  # the evidence so far: of no run
    assert end(path, other, 0.0, name=LEAKY).log_e_value > math.log(20.0)
    after = audit(leaky, 1.0, 0.0, ApproxDP(1.0), evidence=path)
    assert (after.violated, after.pairs) == (True, 0)


def test_a_run_that_waited_counts_in_the_verdict_of_the_one_it_waited_for(tmp_path):
    path = tmp_path / "e.json"
    waiting = []

    def meanwhile(dataset, size, rng):
        if not waiting:  # another process begins and ends while this audit goes on
            waiting.append(in_a_thread(lambda: load(path, key, START)))
            end(path, waiting[0], 5.0, name=key)
        return dataset + rng.laplace(size=size)

    key = store.key(mechanism_name(meanwhile), 1.0, 0.0, False)
    result = audit(meanwhile, 1.0, 0.0, ApproxDP(1.0), max_pairs=30, evidence=path)
    assert result.violated
    assert result.log_e_value == pytest.approx(result.path_log_wealth[-1] + 5.0)
    assert result.epsilon_lower >= 1.0


def test_an_audit_that_fails_midway_leaves_its_wealth(tmp_path):
    path, calls = tmp_path / "e.json", []

    def fails(dataset, size, rng):
        calls.append(size)
        if len(calls) > 20:
            raise RuntimeError("connection lost")
        return leaky(dataset, size, rng)

    with pytest.raises(MechanismFailed, match="connection lost"):
        audit(fails, 1.0, 0.0, ApproxDP(1.0), evidence=path)
    (entry,) = entries(path).values()
    assert sorted(entry) == ["log_e_value", "pairs", "runs"]
    assert entry["pairs"] > 0
    assert entry["log_e_value"] != START.log_e_value

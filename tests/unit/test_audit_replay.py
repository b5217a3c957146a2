"""``replay``: a clean algorithm passes; every planted leak is found, named, and located."""

from __future__ import annotations

import functools
import inspect
import sys

import numpy as np
import pandas as pd
import pytest

from dpverify.audits import LiveNoise, replay
from dpverify.audits.trace import MAX_LINES, MAX_WORK, traced
from dpverify.errors import InvalidArgument, PrivacyViolation
from dpverify.guarantees import ApproxDP
from dpverify.noise import SeededBits, TruncatedLaplace

D0, D1 = np.array([0.2, 0.9, 0.4]), np.array([0.2, 0.1, 0.4])


def law(size, rng, scale=1.0):
    return rng.laplace(scale=scale, size=size)


def clean(data, noise):
    total = noise.add(float(np.clip(data, 0, 1).sum()), law, sensitivity=1.0)
    histogram = noise.add(np.histogram(data, [0, 0.5, 1])[0], law, sensitivity=2.0)
    shifted = noise.through(lambda value, scale: value + scale, data.max(), 0.5, sensitivity=1.0, norm="max")
    return {"mean": total / len(data), "shares": histogram / histogram.sum(), "shifted": [shifted]}


def releases_raw(data, noise):
    return noise.add(data.sum(), law, sensitivity=1.0), {"top": data.max()}


def branches(data, noise):
    total = noise.add(data.sum(), law, sensitivity=1.0)
    return noise.add(total, law, sensitivity=1.0) if data.max() > 0.5 else total


def branches_the_other_way(data, noise):
    total = noise.add(data.sum(), law, sensitivity=1.0)
    return total if data.max() > 0.5 else noise.add(total, law, sensitivity=1.0)


def reads_its_bounds(data, noise):
    width = float(data.max() - data.min())
    return noise.add(data.sum(), functools.partial(law, scale=width), sensitivity=width)


def understates(data, noise):
    return noise.add(data.sum(), law, sensitivity=0.5)


def shape_leaks(data, noise):
    return noise.add(data[data > 0.3], law, sensitivity=1.0).sum()


def raises(data, noise):
    noise.add(data.sum(), law, sensitivity=1.0)
    if data.max() < 0.5:
        raise ValueError("empty")
    return 0.0


STRAY = np.random.default_rng(0)


def own_randomness(data, noise):
    return noise.add(data.sum(), law, sensitivity=1.0) + STRAY.normal()


# --- the same leaks in longer functions: WHERE marks the fact, ORIGIN the line that the report must name ---


def holds_a_raw_value(data, noise):
    values = np.clip(data, 0, 1)
    top = values.max()  # ORIGIN
    total = noise.add(values.sum(), law, sensitivity=1.0)
    doubled = 2 * top
    return total / 2, doubled  # WHERE


def writes_out_a_literal(data, noise):
    total = noise.add(data.sum(), law, sensitivity=1.0)
    return {  # WHERE
        "total": total,
        "count": len(data),
        "range": [
            0.0,
            data.max(),  # ORIGIN
        ],
    }


def divides_by_the_data(data, noise):
    total = noise.add(data.sum(), law, sensitivity=1.0)
    mean = total / data.max()  # ORIGIN
    return mean  # WHERE


def counts_in_a_loop(data, noise):
    total = noise.add(float(data.sum()), law, sensitivity=1.0)
    large = 0
    for value in data:
        if value > 0.5:  # ORIGIN
            large += 1
    return total, large  # WHERE


def picks_a_sign(data, noise):
    total = noise.add(data.sum(), law, sensitivity=1.0)
    big = data.max() > 0.5
    for _ in range(2):
        pass
    if big:  # ORIGIN
        return total
    return -total  # WHERE


def asks_twice(data, noise):
    kept = data if data.sum() > 100 else data.copy()
    for column in range(2):
        if kept[1] < 0.5:  # ORIGIN
            noise.add(kept[column], law, sensitivity=1.0)  # WHERE
    return 0.0


def asks_in_a_loop(data, noise):
    if data[1] < 0.5:  # ORIGIN
        for column in range(2):
            noise.add(data[column], law, sensitivity=1.0)  # WHERE
    return 0.0


class Answer:
    """Equal to itself only."""

    def __init__(self, total, note):
        self.total, self.note = total, [note]


def returns_an_object(data, noise):
    total = noise.add(data.sum(), law, sensitivity=1.0)
    clean = Answer(total, "clean")
    large = data > 0.5
    note = f"{large.sum()} large"  # WITHIN
    return clean, Answer(total, note)  # WHERE


def returns_a_table(data, noise):
    table = pd.DataFrame({"x": data, "group": [1, 1, 2]})
    top = table.groupby("group").x.max()
    total = noise.add(float(table.x.sum()), law, sensitivity=1.0)
    return {"total": total, "groups": table[["group"]], "top": top}  # WHERE


def skips(data, noise):
    if data[1] < 0.5:  # ORIGIN
        return 0.0
    return noise.add(data.sum(), law, sensitivity=1.0)  # WHERE


def goes_elsewhere(data, noise):
    if data[1] > 0.5:  # ORIGIN
        return noise.add(data.sum(), law, sensitivity=1.0)
    return noise.add(0.0, law, sensitivity=1.0)  # WHERE


def raises_deep_down(data, noise):
    noise.add(data.sum(), law, sensitivity=1.0)
    return check_that_large(data)


def check_that_large(data):
    if data[1] < 0.5:  # ORIGIN
        raise ValueError("too small")  # WHERE
    return 1.0


def reads_its_scale(data, noise):
    low, high = data.min(), data.max()  # ORIGIN
    width = high - low
    total = data.sum()
    return noise.add(  # WHERE
        total,
        functools.partial(law, scale=width),
        sensitivity=1.0,
    )


def understates_by_a_variable(data, noise):
    total = data.sum()
    bound = 0.5
    return noise.add(total, law, sensitivity=bound)  # WHERE


def draws_by_itself(data, noise):
    jitter = STRAY.normal()  # ORIGIN
    total = noise.add(data.sum(), law, sensitivity=1.0)
    return total + jitter  # WHERE


def leaks_in_a_helper(data, noise):
    scaled = 0.5 * data
    answer = noisy_mean(scaled, noise)
    return {"answer": answer}  # WHERE


def noisy_mean(data, noise):
    total = noise.add(data.sum(), law, sensitivity=1.0)
    weight = data.max()  # ORIGIN
    return total / weight


class Holder:
    """State of an object: it leaks through an attribute."""

    def __call__(self, data, noise):
        self.total = noise.add(data.sum(), law, sensitivity=1.0)
        self.top = data.max()  # ORIGIN
        return self.total + self.top  # WHERE


def marked(function, mark):
    lines, start = inspect.getsourcelines(function)
    found = [f"{inspect.getsourcefile(function)}:{start + i}" for i, line in enumerate(lines) if f"# {mark}" in line]
    return found[0] if found else None


@pytest.mark.parametrize(
    ("algorithm", "kind", "inside"),
    [
        (holds_a_raw_value, "released without noise", None),
        (writes_out_a_literal, "released without noise", None),
        (divides_by_the_data, "released without noise", None),
        (counts_in_a_loop, "released without noise", None),
        (picks_a_sign, "released without noise", None),
        (leaks_in_a_helper, "released without noise", noisy_mean),
        (Holder(), "released without noise", Holder.__call__),
        (asks_twice, "control flow", None),
        (asks_in_a_loop, "control flow", None),
        (skips, "control flow", None),
        (goes_elsewhere, "control flow", None),
        (raises_deep_down, "control flow", check_that_large),
        (reads_its_scale, "parameters", None),
        (understates_by_a_variable, "sensitivity", None),
        (draws_by_itself, "own randomness", None),
    ],
)
def test_the_line_is_named_exactly(algorithm, kind, inside):
    finding = replay(algorithm, D0, D1).findings[0]
    function = algorithm if inspect.isfunction(algorithm) else type(algorithm).__call__
    assert finding.kind == kind
    assert finding.where == (marked(function, "WHERE") or marked(inside, "WHERE"))
    expected = marked(function, "ORIGIN") or (inside and marked(inside, "ORIGIN"))
    assert (finding.origin and finding.origin.where) == expected
    assert expected is None or f"hint: {expected}: " in str(finding)
    assert expected is None or str(finding).endswith("# ORIGIN")  # the line itself is shown
    assert replay(algorithm, D0, D1).findings[0] == finding or kind == "own randomness"


def test_objects_and_tables_are_looked_into():
    finding = replay(returns_an_object, D0, D1).findings[0]
    assert (finding.kind, finding.where) == ("released without noise", marked(returns_an_object, "WHERE"))
    assert "the result[1].note[0] is '1 large' on d0 but '0 large' on d1" in finding.message
    assert finding.origin.where == f"{__file__}:{int(marked(returns_an_object, 'WITHIN').rpartition(':')[2]) - 1}"
    finding = replay(returns_a_table, D0, D1).findings[0]
    assert (finding.kind, finding.where) == ("released without noise", marked(returns_a_table, "WHERE"))
    assert finding.message.startswith("the result['top'] is group")
    assert finding.origin.why == "`top` differs from here on"


def test_the_hint_tells_the_way_to_the_result():
    finding = replay(holds_a_raw_value, D0, D1).findings[0]
    last = int(marked(holds_a_raw_value, "ORIGIN").rpartition(":")[2]) + 2
    assert finding.origin.why == f"`top` differs from here on, then `doubled` (line {last})"


def test_equal_tables_are_no_pair():
    table = pd.DataFrame({"x": D0})
    with pytest.raises(InvalidArgument, match="equal to d0"):
        replay(returns_a_table, table, table.copy())


def test_a_trace_of_the_caller_s_is_put_back():
    def mine(frame, event, argument):
        return None

    before = sys.gettrace()
    sys.settrace(mine)
    try:
        assert replay(holds_a_raw_value, D0, D1).violated
        assert sys.gettrace() is mine
    finally:
        sys.settrace(before)


def test_code_without_source_still_gets_a_verdict_and_a_line():
    made = {"law": law}
    exec("def made(data, noise):\n    total = noise.add(1.0, law, sensitivity=1.0)\n    return data[1]", made)
    finding = replay(made["made"], D0, D1).findings[0]
    assert (finding.kind, finding.where) == ("released without noise", "<string>:3")


def test_a_long_run_is_cut_not_endless():
    def long(data, noise):
        total = 0
        for i in range(MAX_LINES):
            total += i
        return data.max() + total

    assert traced(lambda: long(D0, None), __name__.split(".")[0], None).moment <= MAX_LINES + 1
    assert replay(long, D0, D1).findings[0].kind == "released without noise"

    def heavy(data, noise):
        for _ in range(1000):
            pass
        return data.max()

    trace = traced(lambda: heavy(np.zeros(10**6), None), __name__.split(".")[0], None)
    assert MAX_WORK < trace.work <= MAX_WORK + 10**5


def test_a_clean_algorithm_passes_and_runs_in_production():
    result = replay(clean, D0, D1)
    assert not result.violated, result.describe()
    assert len(result.entries) == 3
    result.raise_if_violated()
    live = clean(D0, LiveNoise(np.random.default_rng(1)))
    assert live["shares"].sum() == pytest.approx(1.0)
    with pytest.raises(InvalidArgument, match="rng"):
        clean(D0, LiveNoise())


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [
        (releases_raw, "released without noise"),
        (branches, "control flow"),
        (branches_the_other_way, "control flow"),
        (reads_its_bounds, "parameters"),
        (understates, "sensitivity"),
        (shape_leaks, "control flow"),
        (raises, "control flow"),
        (own_randomness, "own randomness"),
    ],
)
def test_every_leak_is_named_and_located(algorithm, kind):
    result = replay(algorithm, D0, D1)
    assert [finding.kind for finding in result.findings][:1] == [kind]
    lines, start = inspect.getsourcelines(algorithm)
    path, _, number = result.findings[0].where.rpartition(":")
    assert path.endswith("test_audit_replay.py")
    assert start <= int(number) < start + len(lines)
    with pytest.raises(PrivacyViolation, match=kind):
        result.raise_if_violated()


def test_the_noise_of_dpverify_can_be_replayed():
    noise_law = TruncatedLaplace(1.0, ApproxDP(1.0, 1e-6))

    class Seeded:
        def sample(self, size):
            return noise_law.sample(size, bits=SeededBits(3))

        def __repr__(self):
            return "TruncatedLaplace"

    assert not replay(lambda data, noise: noise.add(data.sum(), Seeded(), sensitivity=1.0), D0, D1).violated
    plain = replay(lambda data, noise: noise.add(data.sum(), noise_law, sensitivity=1.0), D0, D1)
    assert not plain.violated, plain.describe()


def test_norms_and_declarations():
    vectors = np.zeros(2), np.array([0.6, 0.8])
    for norm, distance in ((1, 1.4), (2, 1.0), ("max", 0.8)):

        def algorithm(data, noise, norm=norm, distance=distance):
            return noise.add(data, law, sensitivity=distance, norm=norm)

        def too_little(data, noise, norm=norm, distance=distance):
            return noise.add(data, law, sensitivity=0.99 * distance, norm=norm)

        assert not replay(algorithm, *vectors).violated
        assert replay(too_little, *vectors).findings[0].kind == "sensitivity"
    for bad in ({"sensitivity": -1.0}, {"sensitivity": float("nan")}, {"sensitivity": 1.0, "norm": 3}):
        with pytest.raises(InvalidArgument):
            replay(lambda data, noise, bad=bad: noise.add(data.sum(), law, **bad), D0, D1)
    with pytest.raises(InvalidArgument, match="d1"):
        replay(clean, D0, D0.copy())

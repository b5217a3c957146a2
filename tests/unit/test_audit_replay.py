"""``replay``: a clean algorithm passes; every planted leak is found, named, and located."""

from __future__ import annotations

import functools
import inspect

import numpy as np
import pytest

from dpverify.audits import LiveNoise, replay
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

"""The pytest fixture, in a pytest of its own: it fails the right tests and splits the budget."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

SUITE = """
import pytest

def laplace(dataset, size, rng, scale=1.0):
    return dataset + rng.laplace(scale=scale, size=size)

def leaky(dataset, size, rng):
    return laplace(dataset, size, rng, 0.4)

def test_kept(dp_audit):
    result = dp_audit(laplace, 1.0, 0.0, epsilon=1.0, max_pairs=300)
    second = dp_audit(laplace, 1.0, 0.0, epsilon=1.0, delta=1e-6, max_pairs=300)
    print("ALPHA", result.alpha, second.alpha)

def test_broken(dp_audit):
    dp_audit(leaky, 1.0, 0.0, epsilon=1.0, delta=0.0)

@pytest.mark.parametrize("i", [1, 2])
def test_no_audit(i):
    assert i

"""


# on a CI server pytest prints every message twice, the second time in its summary
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in ("CI", "BUILD_NUMBER")}
ENVIRONMENT["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"


def run(folder, *options, folder_too=True, suite=SUITE):
    (folder / "test_mechanisms.py").write_text(suite)
    words = [sys.executable, "-m", "pytest", "-p", "dpverify.pytest_plugin", "-p", "no:cacheprovider", "-q", "-s"]
    return subprocess.run(
        [*words, *options, *([str(folder)] if folder_too else [])],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=folder,
        env=ENVIRONMENT,
        check=False,
    )


def test_the_fixture_fails_the_broken_test_only_and_says_why(tmp_path):
    done = run(tmp_path, "--dp-alpha", "0.08", "--dp-evidence", str(tmp_path / "evidence"))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 3 passed" in done.stdout
    assert "FAILED test_mechanisms.py::test_broken" in done.stdout
    for wanted in ("violates (1, 0)-DP", "epsilon_lower:", "witness:", "reproduce:", "seed=0"):
        assert wanted in done.stdout
    # two tests share 0.08; within a test the audits get a half, a quarter, ...
    first, second = map(float, re.search(r"ALPHA (\S+) (\S+)", done.stdout).groups())
    assert (first, second) == (0.02, 0.01)
    stored = list((tmp_path / "evidence").glob("*.json"))
    assert len(stored) == 3
    assert re.search(r"evidence:\s+(\S+\.json) \(after a fix, delete it\)", done.stdout)[1] in map(str, stored)


def test_deselected_tests_get_no_share(tmp_path):
    done = run(tmp_path, "--dp-alpha", "0.08", "-k", "kept")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ALPHA 0.04 0.02" in done.stdout


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--dp-alpha", "1.5"), "--dp-alpha must be greater than 0 and less than 1, but it is 1.5"),
        (("--dp-alpha", "nan"), "--dp-alpha must be greater than 0 and less than 1, but it is nan"),
        (("--dp-seed", "-1"), "--dp-seed must be an integer of at least 0, but it is -1"),
        (("--dp-evidence", "test_mechanisms.py"), "--dp-evidence must be a folder, or absent"),
    ],
)
def test_bad_options_are_refused_before_anything_runs(tmp_path, options, named):
    refused = run(tmp_path, *options)
    assert refused.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: {named}" in refused.stderr
    assert "passed" not in refused.stdout


def test_the_failure_names_a_command_that_fails_alike(tmp_path):
    done = run(tmp_path, "--dp-alpha", "0.08", "--dp-seed", "3", "--tb=short")
    (command,) = re.findall(r"pytest:\s+pytest (.*)", done.stdout)
    assert command == "test_mechanisms.py::test_broken --dp-alpha=0.04 --dp-seed=3"
    alone = run(tmp_path, *command.split(), folder_too=False)
    evidence = re.compile(r"e-value .* after \d+ pairs")
    assert "1 failed" in alone.stdout
    assert evidence.findall(alone.stdout)[0] == evidence.findall(done.stdout)[0]


MISTAKES = """
def fails(dataset, size, rng):
    return 1 / 0

def test_of_the_mechanism(dp_audit):
    dp_audit(fails, 1.0, 0.0, epsilon=1.0)

def test_of_the_datasets(dp_audit):
    dp_audit(fails, 0.0, 0.0, epsilon=1.0)
"""


def test_mistakes_are_told_without_our_frames(tmp_path):
    done = run(tmp_path, "--tb=short", suite=MISTAKES)
    assert "2 failed" in done.stdout
    assert "    return 1 / 0" in done.stdout
    assert (
        "E   dpverify.audits.errors.MechanismFailed: the mechanism raised on d0 at size = 32, seed = 0" in done.stdout
    )
    assert "E   dpverify.errors.InvalidArgument: d1 must be a dataset that differs from d0" in done.stdout
    assert "betting.py" not in done.stdout


def test_the_budget_is_the_same_in_every_worker(tmp_path):
    done = run(tmp_path, "--dp-alpha", "0.08", "-p", "xdist", "-n", "2")
    assert "1 failed, 3 passed" in done.stdout, done.stdout + done.stderr
    assert "::test_broken --dp-alpha=0.04 " in done.stdout  # half of 0.08, as in one process


def test_importing_the_plugin_imports_no_audit():
    seen = "[name in sys.modules for name in ('dpverify.audits.betting', 'statsmodels')]"
    code = f"import sys, dpverify.pytest_plugin; print(*{seen})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    heavy, classical = done.stdout.split()
    assert classical == "False"
    if heavy == "True":
        pytest.fail("importing the plugin imports the audits: make dpverify/__init__.py lazy")

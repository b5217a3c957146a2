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


def run(folder, *options):
    (folder / "test_mechanisms.py").write_text(SUITE)
    words = [sys.executable, "-m", "pytest", "-p", "dpverify.pytest_plugin", "-p", "no:cacheprovider", "-q", "-s"]
    return subprocess.run(
        [*words, *options, str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=folder,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
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
    assert len(list((tmp_path / "evidence").glob("*.json"))) == 3


def test_deselected_tests_get_no_share_and_a_bad_budget_is_refused(tmp_path):
    done = run(tmp_path, "--dp-alpha", "0.08", "-k", "kept")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ALPHA 0.04 0.02" in done.stdout
    refused = run(tmp_path, "--dp-alpha", "1.5", "-k", "kept")
    assert refused.returncode != 0
    assert "--dp-alpha must be" in refused.stdout + refused.stderr


def test_importing_the_plugin_imports_no_audit():
    seen = "[name in sys.modules for name in ('dpverify.audits.betting', 'statsmodels')]"
    code = f"import sys, dpverify.pytest_plugin; print(*{seen})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    heavy, classical = done.stdout.split()
    assert classical == "False"
    if heavy == "True":
        pytest.fail("importing the plugin imports the audits: make dpverify/__init__.py lazy")

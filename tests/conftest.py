"""Hypothesis profiles, and the false-alarm budget of the whole suite."""

import os

import pytest
from hypothesis import HealthCheck, settings

FALSE_ALARM_BUDGET = 1e-6

settings.register_profile("dpverify-dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dpverify-ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dpverify-ci"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test whose outcome is random declares its alpha; a red run must mean something."""
    spent = 0.0
    for item in items:
        for marker in item.iter_markers("statistical"):
            spent += marker.kwargs["alpha"]
    if spent > FALSE_ALARM_BUDGET:
        raise pytest.UsageError(f"the statistical tests may fail by chance with probability {spent:g} > 1e-6")

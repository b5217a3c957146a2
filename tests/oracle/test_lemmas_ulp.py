"""Float formulas that the implementation calls, against their oracles, in units in the last place.

Every formula's docstring says "relative error below 2^-k"; a unit in the last place is at least a relative 2^-53, so
that is a promise of 2^(53 - k) units. The promise is read from the docstring and held against the oracle over the
lemma's domain, corners included; and a formula that is off by a little more than promised must be noticed.
"""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import dpverify.spec as spec
from dpverify.spec.core.domain import points
from dpverify.spec.core.oracle import context
from dpverify.spec.noise._truncated_laplace import exact_bound

CTX = context(60)
SMALLEST = 1e-300  # below it, floats lose digits and the docstrings say so
COUNT = 60
Point = dict[str, Any]


@dataclass(frozen=True)
class Formula:
    """A float function of a lemma's file, and the exact value at a point of that lemma's domain."""

    lemma: str
    name: str
    arguments: Callable[[Point], tuple[Any, ...]]
    exact: Callable[[ModuleType, Point], Any]

    @property
    def module(self) -> ModuleType:
        return importlib.import_module(f"dpverify.spec.{self.lemma}")

    @property
    def promised(self) -> int:
        """k of the docstring's relative error 2^-k."""
        text = " ".join((getattr(self.module, self.name).__doc__ or "").split())
        found = re.search(r"(?:relative error (?:below|<)|within) 2\^-(\d+)", text)
        assert found, f"{self.lemma}.{self.name} does not say how exact it is"
        return int(found.group(1))


def three(p: Point) -> tuple[float, float, float]:
    return p["sensitivity"], p["epsilon"], p["delta"]


FORMULAS = [
    Formula(
        "noise.truncated_laplace_normaliser",
        "log_term",
        lambda p: (p["epsilon"], p["delta"]),
        lambda m, p: exact_bound(CTX, 1.0, p["epsilon"], p["delta"]) * CTX.mpf(p["epsilon"]),
    ),
    Formula("noise.truncated_laplace_normaliser", "support_bound", three, lambda m, p: exact_bound(CTX, *three(p))),
    Formula("noise.truncated_laplace_normaliser", "normaliser", three, lambda m, p: m.oracle(*three(p))),
    Formula("noise.truncated_laplace_variance", "variance", three, lambda m, p: m.oracle(*three(p))),
    Formula("noise.truncated_laplace_mean", "mean_absolute", three, lambda m, p: m.oracle(*three(p))[0]),
    Formula(
        "noise.truncated_laplace_tail",
        "tail",
        lambda p: (p["fraction"] * p["sensitivity"], *three(p)),
        lambda m, p: m.oracle(p["fraction"] * p["sensitivity"], *three(p)),
    ),
    Formula(
        "noise.gaussian_profile",
        "delta",
        lambda p: (p["epsilon"], p["sensitivity"], p["stretch"] * p["sensitivity"] * (1 + 4 / p["epsilon"]) / 3),
        lambda m, p: m.oracle(
            p["epsilon"], p["sensitivity"], p["stretch"] * p["sensitivity"] * (1 + 4 / p["epsilon"]) / 3
        ),
    ),
    Formula(
        "noise.gaussian_classical",
        "classical_sigma",
        lambda p: (p["epsilon"], p["delta"], p["sensitivity"]),
        lambda m, p: (
            CTX.mpf(p["sensitivity"])
            * CTX.sqrt(2 * CTX.log(CTX.mpf(1.25) / CTX.mpf(p["delta"])))
            / CTX.mpf(p["epsilon"])
        ),
    ),
    Formula(
        "attention.ratio_error_signed",
        "absolute_error",
        lambda p: (p["relative_error"], p["value_bound"]),
        lambda m, p: m.oracle(p["relative_error"], p["value_bound"]),
    ),
    Formula(
        "attention.ratio_error_one_sided",
        "absolute_error",
        lambda p: (p["relative_error"], p["value_bound"]),
        lambda m, p: m.oracle(p["relative_error"], p["value_bound"]),
    ),
    Formula(
        "attention.ratio_error_interval",
        "absolute_error",
        lambda p: (p["low"], p["high"], p["value_bound"]),
        lambda m, p: m.oracle(p["low"], p["high"], p["value_bound"]),
    ),
    Formula(
        "kernel.relative_error",
        "relative_error",
        lambda p: (p["degree"], p["x_max"]),
        lambda m, p: m.oracle(p["degree"], p["x_max"])[-1],
    ),
    Formula(
        "kernel.relative_error_signed",
        "relative_error",
        lambda p: (p["degree"], p["x_max"]),
        lambda m, p: abs(m.oracle(p["degree"], p["x_max"])[0]),
    ),
    Formula(
        "kernel.taylor_remainder",
        "remainder_bound",
        lambda p: (p["degree"], p["x"]),
        lambda m, p: (
            abs(CTX.mpf(p["x"])) ** (p["degree"] + 1)
            * CTX.exp(max(CTX.mpf(0), CTX.mpf(p["x"])))
            / CTX.factorial(p["degree"] + 1)
        ),
    ),
]
IDS = [f"{f.lemma}.{f.name}" for f in FORMULAS]


def worst(formula: Formula, change: float = 1.0) -> tuple[float, Point]:
    """The largest distance from the oracle in units in the last place, and where."""
    lemma, module = spec.lemma(formula.lemma), formula.module
    code, most, where, seen = getattr(module, formula.name), 0.0, Point(), 0
    for point in points(lemma.domain, COUNT, np.random.default_rng(1)):
        try:
            lemma.require(**point)
        except spec.HypothesisNotMet:
            continue
        exact = formula.exact(module, point)
        if not SMALLEST < exact < 1e300:
            continue
        units = float(abs(CTX.mpf(code(*formula.arguments(point)) * change) - exact) / math.ulp(float(exact)))
        assert not math.isnan(units)
        seen += 1
        if units > most:
            most, where = units, point
    assert seen >= COUNT // 3, f"only {seen} points could be compared"
    return most, where


@pytest.mark.parametrize("formula", FORMULAS, ids=IDS)
def test_a_formula_is_as_exact_as_its_docstring_says(formula: Formula) -> None:
    units, where = worst(formula)
    allowed = 2.0 ** (53 - formula.promised)
    assert units <= allowed, f"{units:.1f} units in the last place at {where}, promised {allowed:g}"


@pytest.mark.parametrize("formula", FORMULAS, ids=IDS)
def test_a_formula_that_is_less_exact_is_noticed(formula: Formula) -> None:
    units, _ = worst(formula, change=1.0 + 2.0 ** (2 - formula.promised))
    assert units > 2.0 ** (53 - formula.promised)


@pytest.mark.parametrize(
    ("size", "epsilon"), [(1, 1e-6), (40, 1e-6), (2, 0.7), (17, 3.0), (40, 10.0), (27, 22.2), (3, 50.0), (40, 16.0)]
)
def test_group_privacy_in_units_in_the_last_place(size: int, epsilon: float) -> None:
    module = importlib.import_module("dpverify.spec.privacy.group_privacy")
    for delta in (1e-300, 1e-290, 1e-100, 1e-6, 0.3):
        exact = min(module.oracle(epsilon, delta, size)[-1], CTX.mpf(1))
        made = module.group(epsilon, delta, size)[1]
        assert abs(CTX.mpf(made) - exact) / math.ulp(float(exact)) <= 2**11  # its docstring: 2^-42


def test_written_as_published_the_variance_loses_every_digit() -> None:
    """Why the code uses another form: at a small epsilon the published one, in floats, is wrong altogether."""
    module = importlib.import_module("dpverify.spec.noise.truncated_laplace_variance")
    s, e, d = 1.0, 1e-6, 0.4
    length = math.log1p(math.expm1(e) / (2 * d))
    published = 2 * (s / e) ** 2 * (1 - d * (length**2 + 2 * length) / math.expm1(e))
    exact = module.oracle(s, e, d)
    assert abs(published - exact) > 1e-4 * exact
    assert abs(module.variance(s, e, d) - exact) < 1e-14 * exact

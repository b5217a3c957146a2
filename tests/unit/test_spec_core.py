"""The machinery of the specification: comparisons, registry, checks, intervals, and what a violation says."""

from __future__ import annotations

import dataclasses
import importlib
import itertools
import math
import pickle
import time
from collections.abc import Callable
from fractions import Fraction
from types import ModuleType
from typing import Any

import mpmath
import numpy as np
import pytest

import dpverify.spec as spec
from dpverify.cli import main
from dpverify.spec.core import registry
from dpverify.spec.core.domain import points
from dpverify.spec.core.enclosure import bounded, identity, pieces, positive
from dpverify.spec.core.intervals import IV, Jet, enclose, lower, upper
from dpverify.spec.core.oracle import context

VARIANCE = spec.lemma("noise.truncated_laplace_variance")
CTX = context(60)
AT = {"sensitivity": 1.0, "epsilon": 0.7, "delta": 1e-5}

# exactly what STYLE asks for: how many points, the worst one, both sides, the slack, the claim, how to see it again
MESSAGE = """\
noise.truncated_laplace_variance: conclusion violated at 1 of 1 points:
      lhs = 8.5 unit of the data, squared
      rhs = 4.0760349144771811 unit of the data, squared
      lhs - rhs = 4.42, allowed slack 5.79e-14 (needed: lhs == rhs)
  claim:  Var[z] = (2 Delta^2/eps^2)(1 - delta (L^2 + 2L)/(e^eps - 1)) = (2 Delta^2/eps^2) P(3, L)/(1 - e^-L)
  repro:  dpverify lemma noise.truncated_laplace_variance --at sensitivity=1.0 epsilon=0.7 delta=1e-05
  proof:  spec/proofs/TLap.v  tlap_variance"""


def break_the_variance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module(VARIANCE.module), "variance", lambda *at: 8.5)


def test_a_violation_reads_as_documented_and_carries_its_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    break_the_variance(monkeypatch)
    with pytest.raises(spec.ConclusionViolated) as violated:
        VARIANCE.check(**AT)
    assert str(violated.value) == MESSAGE
    assert violated.value.lemma is VARIANCE
    assert violated.value.parameters == AT
    assert not violated.value.comparison.holds


def test_errors_come_home_whole_from_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    break_the_variance(monkeypatch)
    with pytest.raises(spec.ConclusionViolated) as violated:
        VARIANCE.check(**AT)
    with pytest.raises(spec.HypothesisNotMet) as refused:
        VARIANCE.require(sensitivity=-1.0)
    for error in (violated.value, refused.value, registry.UnknownLemma("noise.nothing", ["noise.grid_rounding"])):
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
        assert (type(copy), str(copy)) == (type(error), str(error))
    copy = pickle.loads(pickle.dumps(violated.value))  # noqa: S301
    assert copy.lemma is VARIANCE
    assert np.array_equal(copy.comparison.margin, violated.value.comparison.margin)
    copy = pickle.loads(pickle.dumps(refused.value))  # noqa: S301
    assert copy.hypothesis is refused.value.hypothesis
    assert copy.parameters == {"sensitivity": -1.0}


def test_the_command_in_the_message_shows_the_same_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = next(line for line in MESSAGE.splitlines() if "repro:" in line).split("dpverify ")[1]
    assert main(command.split()) == 0  # the formula is right: nothing fails there
    capsys.readouterr()
    break_the_variance(monkeypatch)
    assert main(command.split()) == 1
    assert MESSAGE in capsys.readouterr().out


def test_an_enforced_violation_names_the_worst_index() -> None:
    lemma = spec.lemma("tree.node_sum")
    parents, children = np.array([[3, 9]]), np.array([[1, 2, 3, 4]])
    with pytest.raises(spec.ConclusionViolated) as violated:
        lemma.enforce(parents=parents, children=children)
    assert str(violated.value) == (
        "tree.node_sum: conclusion violated at 1 of 1 points (node (0, 1) of its level):\n"
        "      lhs = 9.0 steps\n"
        "      rhs = 7.0 steps\n"
        "      lhs - rhs = 2.0, allowed slack 0.0 (needed: lhs == rhs)\n"
        "  claim:  node(l + 1, i) = node(l, 2i) + node(l, 2i + 1) = sum of its 2^(l+1) leaves\n"
        "  proof:  spec/proofs/Sensitivity.v  node_sum_split"
    )  # no reproduction: the parameters of the guard are data, not a point of the domain


def test_a_hypothesis_not_met_says_which_and_with_what() -> None:
    with pytest.raises(spec.HypothesisNotMet) as refused:
        VARIANCE.check(sensitivity=1.0, epsilon=1.0, delta=0.7)
    assert str(refused.value) == (
        "noise.truncated_laplace_variance: hypothesis not met: it needs 0 < delta <= 1/2, but delta = 0.7"
    )
    assert refused.value.hypothesis.names == ("delta",)


# --- comparisons -----------------------------------------------------------------------------------------------------


def test_the_worst_point_is_named() -> None:
    comparison = spec.at_most([1.0, 5.0, 2.0], [2.0, 3.0, 2.5])
    assert comparison.worst == (1,)
    assert "1 of 3 points; worst at index 1" in comparison.describe()
    grid = spec.equal(np.zeros((2, 2)), np.array([[0.0, 1.0], [0.0, 3.0]]), slack=0.5)
    assert grid.worst == (1, 1)
    assert int(grid.violations.sum()) == 2


@pytest.mark.parametrize("left", [math.nan, [0.0, math.nan], mpmath.mpf("nan")])
def test_nan_violates(left: Any) -> None:
    assert not spec.at_most(left, 1.0).holds
    assert not spec.equal(left, left, slack=1.0).holds


def test_infinity_is_no_bound_unless_it_is_equal() -> None:
    assert spec.at_most(1.0, math.inf).holds
    assert not spec.at_most(math.inf, 1.0).holds
    assert spec.equal(math.inf, math.inf, slack=0).holds


def test_numbers_convert_exactly() -> None:
    assert not spec.equal(2**200 + 1, 2**200, slack=0).holds
    assert not spec.equal(Fraction(1, 3), 1 / 3, slack=0).holds
    assert spec.equal(0.1, Fraction(0.1), slack=0).holds


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: spec.equal([1, 2], [1, 2, 3], slack=0), "shapes"),
        (lambda: spec.equal([], [], slack=0), "proves nothing"),
        (lambda: spec.equal(1, 1, slack=-1), "at least 0"),
        (lambda: spec.equal(1, 1, slack=math.nan), "at least 0"),
        (lambda: spec.equal(1, 1, slack=math.inf), "finite"),
        (lambda: spec.equal([1, 1], [1, 1], slack=[0, 0, 0]), "slack has shape"),
    ],
)
def test_a_comparison_that_cannot_fail_is_refused(build: Callable[[], Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        build()


# --- a lemma is checked somewhere, in time, or it fails --------------------------------------------------------------


def altered(**changes: Any) -> spec.Lemma:
    return dataclasses.replace(VARIANCE, **changes)


def slow(**_: float) -> spec.Comparison:
    time.sleep(0.02)
    return spec.at_most(0, 1)


@pytest.mark.parametrize(
    ("lemma", "limit", "says"),
    [
        (altered(conclude=lambda **_: []), 60.0, "concluded nothing"),
        (altered(conclude=lambda **_: spec.at_most(math.nan, 1.0)), 60.0, "conclusion violated"),
        (altered(conclude=slow), 0.01, "time-out"),
        (altered(domain={"delta": spec.Real(0.6, 0.9)}), 60.0, "nothing was checked"),
        (altered(conclude=lambda **_: 1 / 0), 60.0, "ZeroDivisionError"),
    ],
)
def test_a_broken_check_is_a_failure_and_not_a_pass(lemma: spec.Lemma, limit: float, says: str) -> None:
    report = spec.verify_lemma(lemma, count=4, limit_s=limit)
    assert not report.passed
    assert says in (report.failure or "")


def test_a_failing_enclosure_fails_the_lemma() -> None:
    false = spec.Enclosure({"x": (0.0, 1.0)}, "x <= 1/2", lambda: spec.at_most(1, 0.5))
    report = spec.verify_lemma(altered(enclosure=false), count=2)
    assert "x <= 1/2, for all x in [0, 1]" in (report.failure or "")


def test_an_oracle_that_disagrees_with_itself_proves_nothing() -> None:
    with pytest.raises(spec.OracleUnreliable, match="15 digits"):
        spec.at_two_precisions(lambda ctx: ctx.exp(50) * (ctx.mpf(1) + ctx.mpf(10) ** -25 - 1), digits=15)
    with pytest.raises(spec.OracleUnreliable, match="NaN"):
        spec.at_two_precisions(lambda ctx: ctx.nan)
    assert mpmath.mp.dps == 15  # the global precision is nobody's business


def test_missing_and_unknown_parameters_are_named() -> None:
    with pytest.raises(TypeError, match=r"missing: \['delta'\]; unknown: \['detla'\]"):
        VARIANCE.check(sensitivity=1.0, epsilon=1.0, detla=0.1)


def test_points_are_reproducible_and_hold_the_corners() -> None:
    domain = {"x": spec.Real(1e-3, 1e3, log=True), "k": spec.Integer(1, 4)}
    drawn = list(points(domain, 20, np.random.default_rng(0)))
    assert drawn == list(points(domain, 20, np.random.default_rng(0)))
    assert {(p["x"], p["k"]) for p in drawn} >= {(1e-3, 1), (1e-3, 4), (1e3, 1), (1e3, 4)}
    assert all(1e-3 <= p["x"] <= 1e3 and 1 <= p["k"] <= 4 for p in drawn)


# --- the registry refuses what it cannot vouch for -------------------------------------------------------------------


def module_with(lemma: object) -> ModuleType:
    module = ModuleType("dpverify.spec.noise.broken")
    module.__file__ = "spec/noise/broken.py"
    if lemma is not None:
        module.LEMMA = lemma  # type: ignore[attr-defined]
    return module


NAMED = altered(module="dpverify.spec.noise.broken")


@pytest.mark.parametrize(
    ("lemma", "says"),
    [
        (None, "must define LEMMA"),
        ("a text", "must define LEMMA"),
        (VARIANCE, "write module=__name__"),
        (dataclasses.replace(NAMED, source=spec.Source("", "", "")), "has no source"),
        (dataclasses.replace(NAMED, source=None), "has no source"),  # type: ignore[arg-type]
        (dataclasses.replace(NAMED, oracle=None), "has no oracle"),  # type: ignore[arg-type]
        (dataclasses.replace(NAMED, claim=""), "no statement or no claim"),
        (dataclasses.replace(NAMED, statement=""), "no statement or no claim"),
    ],
)
def test_a_file_that_states_no_proper_lemma_is_refused_by_name(lemma: object, says: str) -> None:
    with pytest.raises(ImportError, match=rf"spec/noise/broken\.py.*{says}"):
        registry._stated(module_with(lemma))


def test_a_proper_file_is_accepted() -> None:
    assert registry._stated(module_with(NAMED)) is NAMED


def test_an_unknown_lemma_suggests_the_nearest() -> None:
    with pytest.raises(spec.UnknownLemma) as unknown:
        spec.lemma("noise.truncated_laplace_varience")
    assert unknown.value.nearest[0] == "noise.truncated_laplace_variance"
    assert "did you mean noise.truncated_laplace_variance" in str(unknown.value)


# --- intervals -------------------------------------------------------------------------------------------------------


def inside(interval: Any, value: Any) -> bool:
    return bool(lower(interval) <= value <= upper(interval))


@pytest.mark.parametrize(
    ("function", "exact"),
    [
        (lambda x: x.exp() / (1 + x * x), lambda x: CTX.exp(x) / (1 + x * x)),
        (lambda x: (1 - x**3).exp().sqrt(), lambda x: CTX.sqrt(CTX.exp(1 - x**3))),
        (lambda x: 1 / (2 + x) - Fraction(1, 3) * x / 7, lambda x: 1 / (2 + x) - x / 21),
        (lambda x: -x * 0.1 + 3, lambda x: -x * CTX.mpf(0.1) + 3),
    ],
)
def test_an_enclosure_holds_the_function_at_every_point_of_a_piece(
    function: Callable[[Any], Any], exact: Callable[[Any], Any]
) -> None:
    ends = [0.5, 0.53125, 0.5625]  # wider pieces of quotients blow up: still true, no longer useful
    found = enclose(lambda x: (function(x),), ends)
    for (interval,), low, high in zip(found, ends[:-1], ends[1:], strict=True):
        values = [exact(CTX.mpf(x)) for x in np.linspace(low, high, 9)]
        assert all(inside(interval, value) for value in values)
        assert upper(interval) - lower(interval) < (max(values) - min(values)) * 4 + 1e-6  # and it is not idle


def test_an_enclosed_integral_holds_the_integral() -> None:
    found = enclose(lambda x, total: (total,), [0.5, 1.0, 2.0], [lambda u: (-u).exp()])
    for (interval,), low, high in zip(found, (0.5, 1.0), (1.0, 2.0), strict=True):
        assert all(inside(interval, 1 - CTX.exp(-CTX.mpf(x))) for x in np.linspace(low, high, 7))


def test_identities_and_signs_fail_where_they_are_false() -> None:
    ends = pieces(0.1, 2.0)

    def sides(x: Jet) -> list[tuple[Jet, Jet]]:
        return [((x + x).exp(), x.exp() * x.exp())]

    assert identity(sides, ends, tolerance=1e-5, label="true").holds
    assert not identity(lambda x: [(x.exp() * 1.0001, x.exp())], ends, tolerance=1e-5, label="false").holds
    assert positive(lambda x: (x.exp() - 1 - x,), ends, label="true").holds
    assert not positive(lambda x: (x.exp() - 1 - x * 1.2,), ends, label="false near 0").holds
    assert not identity(lambda x: [(x - 1, x - 1)], ends, tolerance=1e-5, label="vanishes").holds


def test_a_bound_over_a_box_fails_where_it_is_false() -> None:
    box = {"x": (0.5, 2.0), "y": (1.0, 3.0)}
    assert bounded(lambda x, y: x / (x + y), box, 0.667, label="true").holds
    false = bounded(lambda x, y: x / (x + y), box, 0.65, label="false")
    assert not false.holds
    assert "at {'x':" in false.label


def test_ends_cover_the_range() -> None:
    ends = pieces(2.0**-10, 30.0, ratio=1.5, most=1.0)
    assert (ends[0], ends[-1]) == (2.0**-10, 30.0)
    assert all(low < high <= min(1.5 * low, low + 1.0) * (1 + 1e-15) for low, high in itertools.pairwise(ends))


def test_interval_precision_is_local() -> None:
    assert mpmath.iv.prec == 53
    assert IV.prec == 160

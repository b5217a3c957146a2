"""Every lemma of the chapters from distance to complexity: it holds, and breaks when broken."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import dpverify as dv
import dpverify.spec as spec
from dpverify.spec.adaptive import attention_lipschitz, net_extension
from dpverify.spec.attention import (
    functional_error,
    functional_sensitivity,
    noisy_ratio,
    noisy_ratio_clamped,
    ratio_error_interval,
    ratio_error_one_sided,
    ratio_error_signed,
)
from dpverify.spec.complexity import functional_size, tree_query, tree_space
from dpverify.spec.core.hypotheses import at_least, one_of, positive
from dpverify.spec.core.rounding import round_down, round_up, sqrt_up
from dpverify.spec.kernel import (
    feature_entry_bound,
    feature_identity,
    feature_norm,
    polynomial_minimum,
    relative_error,
    relative_error_signed,
    smallest_degree,
)
from dpverify.spec.matrix import gaussian_sampling_condition, loss_profile, sampling_error, sampling_error_uniform
from dpverify.spec.tree import interval_decomposition, prefix_decomposition

CHAPTERS = ("distance", "kernel", "attention", "adaptive", "matrix", "complexity")
ELSEWHERE = ("privacy", "noise", "tree")  # tests/oracle/test_lemmas_privacy_noise_tree.py
IDS = [name for name in spec.lemmas() if name.split(".")[0] in CHAPTERS]


def _map(change: Callable[[Any], Any], value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_map(change, part) for part in value)
    return change(value)


MUTATIONS: dict[str, Callable[[Any], Any]] = {
    "doubled": lambda value: 2 * value,
    "halved": lambda value: value / 2,
    "negated": lambda value: -value,
    "plus one": lambda value: value + 1,
}
# the sign of all features together is a symmetry of their inner products
HARMLESS = {("kernel.feature_identity", "negated")}

# mutants that call the formula themselves need it as it was
_ENTRY_BOUND = feature_entry_bound.entry_bound
_MINIMUM = polynomial_minimum.minimum
_DEVIATION = functional_error.deviation
_PROFILE = loss_profile.delta
_SAMPLING = sampling_error.relative_error
_UNIFORM = sampling_error_uniform.relative_error
_CONDITION = gaussian_sampling_condition.allowed_distance
_SMALLEST_DEGREE = smallest_degree.smallest_degree


def _taylor(degree: int, x: Fraction) -> Fraction:
    return sum((x**j / math.factorial(j) for j in range(degree + 1)), Fraction(0))


DROPPED: dict[str, dict[str, Callable[..., Any]]] = {
    "complexity.functional_size": {"no normaliser": lambda d, s, columns: math.comb(d + s, s) * columns},
    "complexity.tree_query": {
        "no roots": lambda n, d, s, columns: math.comb(d + s, s) * (columns + 1) * 3 * ((n - 1).bit_length() + 1),
        "log2 n nodes": lambda n, d, s, columns: (
            math.comb(d + s, s) * (columns + 1) * (3 * max(1, (n - 1).bit_length()) + 2)
        ),
    },
    "complexity.tree_space": {
        "leaves only": lambda n, d, s, columns: 3 * math.comb(d + s, s) * (columns + 1) * 2 ** (n - 1).bit_length(),
        "one moment": lambda n, d, s, columns: (
            math.comb(d + s, s) * (columns + 1) * (2 ** ((n - 1).bit_length() + 1) - 1)
        ),
        "as claimed, r^2": lambda n, d, s, columns: (
            3 * math.comb(d + s, s) ** 2 * (columns + 1) * (2 ** ((n - 1).bit_length() + 1) - 1)
        ),
    },
    "matrix.entry_error": {
        "one variance": lambda rho, own, other: rho * own,
        "no square root": lambda rho, own, other: rho * own * other,
    },
    "matrix.row_error": {
        "first order": lambda t: t,
        "whole error": lambda t: 2.0 * math.tanh(t),
        "unnormalised": lambda t: math.expm1(t),
    },
    "matrix.gaussian_sampling_condition": {
        "no samples": lambda epsilon, delta, samples: _CONDITION(epsilon, delta, 1),
        "first term only": lambda epsilon, delta, samples: epsilon / math.sqrt(8.0 * samples * math.log(1.0 / delta)),
        "base two": lambda epsilon, delta, samples: _CONDITION(epsilon, delta, samples) * math.log(2.0),
        "1.25/delta": lambda epsilon, delta, samples: _CONDITION(epsilon, delta / 1.25, samples),
    },
    "matrix.sampling_error_uniform": {
        "one direction": lambda samples, dimension, gamma: _SAMPLING(samples, gamma),
        "no dimension": lambda samples, dimension, gamma: _UNIFORM(samples, 0, gamma),
        "one side": lambda samples, dimension, gamma: _UNIFORM(samples, dimension, 2.0 * gamma),
        "no square": lambda samples, dimension, gamma: 2.0 * (math.sqrt(1.0 + _UNIFORM(samples, dimension, gamma)) - 1),
    },
    "adaptive.attention_lipschitz": {
        "no dimension": lambda scale, value, key, d, shape: scale * value * key,
        "not centred": lambda scale, value, key, d, shape: (
            scale * value * key * (1.0 if shape == "ball" else math.sqrt(d))
        ),
    },
    "adaptive.net_extension": {"one constant": lambda e, first, second, radius: e + first * radius},
    "adaptive.net_size": {"half spacing": lambda d, side, radius: math.ceil(side * math.sqrt(d) / radius) ** d},
    "attention.end_to_end": {
        "no kernel term": lambda low, high, v, e1, e2, d: (e1 + v * e2) / (d - e2),
        "no noise in the normaliser": lambda low, high, v, e1, e2, d: (
            ratio_error_interval.absolute_error(low, high, v) + e1 / d
        ),
    },
    "attention.functional_error": {
        "no normaliser noise": lambda sigma, norm, v, c, columns, beta, least: _DEVIATION(
            sigma, norm, 0.0, c, columns, beta, least
        ),
        "no union over columns": lambda sigma, norm, v, c, columns, beta, least: _DEVIATION(
            sigma, norm, v, c, 1, beta, least
        ),
    },
    "attention.functional_sensitivity": {
        "correlated rows": lambda b2, least, v, c, values_nonnegative=False: math.sqrt(2 * b2 * (v * v + c * c)),
        "opposite rows": lambda b2, least, v, c, values_nonnegative=False: 2 * math.sqrt(b2 * (v * v + c * c)),
    },
    "attention.noisy_ratio": {
        "no e2 above": lambda ratio, d, e1, e2: abs(e1) / (d - abs(e2)),
        "no e2 below": lambda ratio, d, e1, e2: (abs(e1) + abs(ratio * e2)) / d,
    },
    "attention.noisy_ratio_clamped": {
        "numerator only": lambda e1, combined, least: abs(e1) / least,
        "combined only": lambda e1, combined, least: abs(combined) / least,
    },
    "attention.normaliser_from_mean": {
        "no mean": lambda n, scale, radius, size: float(n),
        "half the radius": lambda n, scale, radius, size: n * math.exp(-scale * radius * size / 2),
        "public minimum": lambda n, scale, radius, size: n * math.exp(-scale * radius * (size + 1)),
    },
    "attention.ratio_error_one_sided": {"two-sided": ratio_error_signed.absolute_error},
    "attention.ratio_error_signed": {
        "one-sided": ratio_error_one_sided.absolute_error,
        "published": lambda e, v: 2 * e / (1 - e) * v,
    },
    "distance.law_of_cosines": {
        "no query norm": lambda norms, query, distance: (norms - distance) / 2,
        "not halved": lambda norms, query, distance: norms + query - distance,
    },
    "distance.prefix_sum_answer_p1": {"one side": lambda l0, l1, r0, r1, y: y * l0 - l1},
    "distance.prefix_sum_answer_p2": {"no cross term": lambda s0, s1, s2, y: s2 + y * y * s0},
    "distance.tree_redundancy": {"no square": lambda s0, s1, s2, y: s2 - 2 * y * s1},
    "kernel.feature_dimension": {"without constant": lambda d, s: math.comb(d + s, s) - 1},
    "kernel.feature_entry_bound": {
        "box for ball": lambda a, scale, radius, shape: _ENTRY_BOUND(a, scale, radius, "box"),
        "ball for box": lambda a, scale, radius, shape: _ENTRY_BOUND(a, scale, radius, "ball"),
    },
    "kernel.feature_norm": {"exponential": lambda degree, scale, radius: math.exp(scale * radius**2)},
    "kernel.polynomial_minimum": {
        "at -X always": lambda degree, x: round_down(_taylor(degree, Fraction(-x))),
        "zero for even": lambda degree, x: _MINIMUM(degree, x) if degree % 2 else 0.0,
    },
    "kernel.relative_error": {"two-sided": relative_error_signed.relative_error},
    "kernel.relative_error_signed": {
        "one-sided": relative_error.relative_error,
        "weaker, published": lambda degree, x: x ** (degree + 1) * math.exp(x) / math.factorial(degree + 1),
    },
    "kernel.smallest_degree": {"unsigned": lambda target, x, signed=False: _SMALLEST_DEGREE(target, x)},
    "matrix.loss_profile": {
        "wrong direction": lambda epsilon, ratio, samples, multiplicity=1: _PROFILE(
            epsilon, 1 / ratio, samples, multiplicity
        ),
        "one eigenvalue": lambda epsilon, ratio, samples, multiplicity=1: _PROFILE(epsilon, ratio, samples),
    },
    "matrix.sampling_error": {
        "one-sided quantile": lambda samples, probability: _SAMPLING(samples, 2 * probability),
    },
    "kernel.taylor_remainder": {
        "no exponential": lambda degree, x: abs(x) ** (degree + 1) / math.factorial(degree + 1),
        "degree off by one": lambda degree, x: abs(x) ** degree * math.exp(max(0.0, x)) / math.factorial(degree),
    },
}


def _verify_with(monkeypatch: pytest.MonkeyPatch, lemma: spec.Lemma, formula: Callable[..., Any]) -> str:
    monkeypatch.setattr(importlib.import_module(lemma.module), lemma.formula.__name__, formula)
    return spec.verify_lemma(lemma).failure or ""


def test_the_chapters_are_there() -> None:
    assert len(IDS) >= 34
    assert {name.split(".")[0] for name in spec.lemmas()} == {*CHAPTERS, *ELSEWHERE}  # all lemmas have mutants
    assert set(DROPPED) <= set(IDS)


@pytest.mark.parametrize("lemma_id", IDS)
def test_lemma_holds_on_its_domain(lemma_id: str) -> None:
    report = spec.verify_lemma(spec.lemma(lemma_id))
    assert report.passed, report.failure
    assert report.checked >= 12, f"only {report.checked} of 24 points meet the hypotheses"


@pytest.mark.parametrize("mutation", MUTATIONS)
@pytest.mark.parametrize("lemma_id", IDS)
def test_a_changed_constant_turns_the_lemma_red(lemma_id: str, mutation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lemma = spec.lemma(lemma_id)
    original = lemma.formula

    def mutant(*args: Any, **kwargs: Any) -> Any:
        return _map(MUTATIONS[mutation], original(*args, **kwargs))

    failure = _verify_with(monkeypatch, lemma, mutant)
    if (lemma_id, mutation) in HARMLESS:
        assert not failure
    else:
        assert "conclusion violated" in failure


@pytest.mark.parametrize(("lemma_id", "mutant"), [(i, name) for i, found in DROPPED.items() for name in found])
def test_a_dropped_term_turns_the_lemma_red(lemma_id: str, mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    failure = _verify_with(monkeypatch, spec.lemma(lemma_id), DROPPED[lemma_id][mutant])
    assert "conclusion violated" in failure


def test_features_in_documented_order() -> None:
    expected = [[0, 0], [1, 0], [0, 1], [2, 0], [1, 1], [0, 2]]
    assert feature_identity.multi_indices(2, 2).tolist() == expected
    found = feature_identity.features([2.0, 3.0], 2, 1.0)
    np.testing.assert_allclose(found, [1, 2, 3, 4 / 2**0.5, 6, 9 / 2**0.5], rtol=1e-15)
    assert feature_identity.multi_indices(3, 0).shape == (1, 3)


def test_the_taylor_sum_errs_on_one_side_for_odd_degree() -> None:
    low, high = relative_error_signed.factors(3, 1.0)
    assert high == 1.0
    assert low == 1.0 - relative_error_signed.relative_error(3, 1.0)
    low, high = relative_error_signed.factors(4, 1.0)
    assert low < 1.0 < high


def test_the_signed_error_overflows_to_infinity_rather_than_to_nan() -> None:
    assert relative_error_signed.relative_error(5, 5000.0) == math.inf


def test_an_even_taylor_sum_is_positive_far_out_where_terms_cancel() -> None:
    assert 0.0 < polynomial_minimum.minimum(16, 1e4) < 1.0
    assert polynomial_minimum.minimum(1, 3.0) == -2.0


def test_special_cases_of_the_functional_sensitivity() -> None:
    b, v, c = 3.0, 2.0, 0.5
    general = functional_sensitivity.l2(b * b, -b * b, v, c)
    positive = functional_sensitivity.l2(b * b, 0.0, v, c)
    nonnegative = functional_sensitivity.l2(b * b, 0.0, v, c, values_nonnegative=True)
    assert general == pytest.approx(2 * b * math.hypot(v, c), rel=1e-15)
    assert positive == pytest.approx(b * math.sqrt(2 * max(v * v + c * c, 2 * v * v)), rel=1e-15)
    assert nonnegative == pytest.approx(math.sqrt(2) * b * math.hypot(v, c), rel=1e-15)
    # kernels of the positive box are at least 1: sharper still
    assert functional_sensitivity.l2(b * b, 1.0, v, c, values_nonnegative=True) < nonnegative


def test_a_lower_bound_below_cauchy_schwarz_changes_nothing() -> None:
    assert functional_sensitivity.l2(4.0, -100.0, 1.0, 1.0) == functional_sensitivity.l2(4.0, -4.0, 1.0, 1.0)


@pytest.mark.parametrize("lemma", [feature_norm.LEMMA, functional_sensitivity.LEMMA], ids=lambda lemma: lemma.id)
def test_guards_accept_the_bound_and_refuse_one_step_more(lemma: spec.Lemma) -> None:
    bound = 2**60 + 1  # more digits than a float has
    lemma.enforce(norms_squared=np.array([bound, 5]), bound=bound)
    with pytest.raises(spec.ConclusionViolated, match="squared"):
        lemma.enforce(norms_squared=np.array([3, bound + 1]), bound=bound)


def test_a_guard_refuses_nan() -> None:
    with pytest.raises(spec.ConclusionViolated):
        feature_norm.LEMMA.enforce(norms_squared=np.array([1.0, math.nan]), bound=2.0)


def test_the_clamped_error_is_finite_where_the_plain_one_is_not() -> None:
    plain = noisy_ratio.error(0.5, 10.0, 1.0, 11.0)
    assert plain == math.inf
    assert noisy_ratio_clamped.error(1.0, 1.0 - 0.5 * 11.0, 10.0) == 0.45


def test_the_interval_contains_both_ratio_lemmas() -> None:
    for e in (1e-9, 0.3, 0.9):
        two_sided = ratio_error_interval.absolute_error(1 - e, 1 + e, 2.0)
        one_sided = ratio_error_interval.absolute_error(1 - e, 1.0, 2.0)
        assert two_sided == pytest.approx(ratio_error_signed.absolute_error(e, 2.0), rel=1e-6)
        assert one_sided == pytest.approx(ratio_error_one_sided.absolute_error(e, 2.0), rel=1e-6)


def test_entry_bounds_of_a_ball_and_a_box() -> None:
    assert feature_entry_bound.entry_bound((0, 0), 0.5, 3.0) == pytest.approx(1.0, rel=1e-14)
    box = feature_entry_bound.entry_bound((1, 1), 1.0, 3.0, "box")
    assert box == pytest.approx(9.0, rel=1e-14)
    assert feature_entry_bound.entry_bound((1, 1), 1.0, 3.0, "ball") == pytest.approx(box / 2, rel=1e-14)


def test_net_extension_with_equal_constants_is_the_published_form() -> None:
    assert net_extension.everywhere(0.5, 2.0, 2.0, 0.25) == 0.5 + 2 * 2.0 * 0.25


def test_published_scale_and_box_give_the_centred_constant() -> None:
    d, v, r = 9, 2.0, 0.5
    assert attention_lipschitz.lipschitz(1 / d, v, r, d, "positive_box") == pytest.approx(v * r / (2 * math.sqrt(d)))


@pytest.mark.parametrize("rows", [1, 2, 5, 8])
@pytest.mark.parametrize(("dimension", "degree", "columns"), [(1, 0, 1), (2, 2, 3)])
def test_the_library_stores_and_reads_what_the_complexity_lemmas_say(
    rows: int, dimension: int, degree: int, columns: int
) -> None:
    keys, values = np.full((rows, dimension), 0.25), np.full((rows, columns), 0.1)
    made: dict[str, Any] = {
        method: dv.release_attention(
            keys, values, dv.ApproxDP(1.0, 1e-6), bounds=dv.Bounds(), method=method, degree=degree
        ).state
        for method in ("dptree", "functional")
    }
    shape = (rows, dimension, degree, columns)
    assert made["dptree"].nodes.size == tree_space.numbers_stored(*shape)
    assert made["functional"].sums.size == functional_size.numbers_released(*shape[1:])
    nodes = made["dptree"].nodes
    read = max(sides(bucket, nodes.height) for bucket in range(2**nodes.height))
    assert nodes.trees * read + 2 * nodes.trees // 3 == tree_query.numbers_read(*shape)  # and two roots of three


def sides(bucket: int, height: int) -> int:
    """Nodes of one tree that are read for a query in that bucket."""
    return len(prefix_decomposition.prefix(bucket, height)) + len(
        interval_decomposition.interval(bucket, 1 << height, height)
    )


@pytest.mark.parametrize("samples", [16, 256, 1024])
@pytest.mark.parametrize(("epsilon", "delta"), [(0.1, 1e-2), (1.0, 1e-6), (4.0, 1e-4)])
def test_the_published_gaussian_sampling_condition_holds_and_is_loose(
    epsilon: float, delta: float, samples: int
) -> None:
    """Alabi et al.: |lambda - 1| <= min(eps / sqrt(8 k ln(1/delta)), eps / (8 ln(1/delta))) is (eps, delta)-DP."""
    log = math.log(1 / delta)
    distance = min(epsilon / math.sqrt(8 * samples * log), epsilon / (8 * log))
    for ratio in (1 + distance, 1 - distance, 1 / (1 + distance), 1 / (1 - distance)):
        assert loss_profile.delta(epsilon, ratio, samples) <= 1e-7 * delta
    # the control: at sixteen times the distance the claim is false, and the profile says so
    assert loss_profile.delta(epsilon, 1 + 16 * distance, samples) > delta


@pytest.mark.parametrize(
    "value", [Fraction(1, 3), Fraction(-1, 3), Fraction(2**70 + 1), Fraction(1, 10**400), Fraction(3, 4)]
)
def test_directed_rounding_brackets_the_value(value: Fraction) -> None:
    low, high = round_down(value), round_up(value)
    assert Fraction(low) <= value <= Fraction(high)
    assert high == low or math.nextafter(low, math.inf) == high


def test_directed_rounding_beyond_the_largest_float() -> None:
    huge = Fraction(10) ** 400
    assert (round_up(huge), round_down(-huge)) == (math.inf, -math.inf)
    assert math.isfinite(round_down(huge))
    assert math.isfinite(round_up(-huge))


@pytest.mark.parametrize(
    "value", [Fraction(0), Fraction(4), Fraction(2), Fraction(1, 3), Fraction(10) ** -300, Fraction(2**200 + 1)]
)
def test_square_roots_are_rounded_up(value: Fraction) -> None:
    root = Fraction(sqrt_up(value))
    assert value <= root**2 <= value * (1 + Fraction(1, 2**50))


def test_the_square_root_of_a_negative_number_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 0"):
        sqrt_up(Fraction(-1))


@pytest.mark.parametrize("signed", [False, True])
def test_bisection_finds_the_first_sufficient_degree(signed: bool) -> None:
    error = relative_error_signed.relative_error if signed else relative_error.relative_error
    for x_max in (0.1, 0.69, 0.7, 1.0, 3.0, 17.0):
        for target in (1e-9, 0.1, 0.7, 0.999):
            first = next(s for s in range(1000) if error(s, x_max) <= target)
            assert smallest_degree.smallest_degree(target, x_max, signed) == first


def test_hopeless_degrees_are_refused_at_once_rather_than_searched_for() -> None:
    with pytest.raises(spec.HypothesisNotMet, match="x_max <= 600 for signed logits"):
        smallest_degree.smallest_degree(0.1, 800.0, signed=True)
    with pytest.raises(spec.HypothesisNotMet, match="0 < target < 1"):
        smallest_degree.smallest_degree(1.0, 1.0)
    assert smallest_degree.smallest_degree(0.1, 1e6) > 1e6
    assert 2000 < smallest_degree.smallest_degree(0.1, 600.0, signed=True) < 3000


def test_tiny_arguments_underflow_quietly() -> None:
    for lemma, at in (
        ("kernel.taylor_remainder", {"degree": 30, "x": -1e-40}),
        ("kernel.relative_error", {"degree": 40, "x_max": 1e-40}),
        ("kernel.relative_error_signed", {"degree": 40, "x_max": 1e-40}),
    ):
        assert spec.lemma(lemma).check(**at)


def test_shared_hypotheses_refuse_nan_and_name_the_parameter() -> None:
    (above_zero,), (from_one,), (shape,) = positive("x"), at_least(1, "n"), one_of("shape", ("ball", "box"))
    assert (above_zero.text, from_one.text, shape.names) == ("0 < x", "1 <= n", ("shape",))
    assert above_zero.met({"x": 1e-300})
    assert from_one.met({"n": 1})
    assert shape.met({"shape": "box"})
    for bad in (0.0, -1.0, math.nan):
        assert not above_zero.met({"x": bad})
        assert not from_one.met({"n": bad})
    assert not shape.met({"shape": "sphere"})

"""The lemmas behind features, heads, suprema and lazy draws: mistakes turn them red, and they hold in the large."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.linalg
import scipy.special

import dpverify.spec as spec
from dpverify.spec.adaptive import gaussian_supremum
from dpverify.spec.attention import (
    functional_error,
    functional_error_simultaneous,
    functional_sensitivity,
    joint_heads,
    lazy_covariance,
    lazy_jitter,
    normaliser_from_mean,
)
from dpverify.spec.kernel import (
    feature_identity,
    nystrom_contraction,
    nystrom_norm,
    nystrom_residual,
    orthogonal_features,
    positive_features,
)
from dpverify.spec.noise import gaussian_profile

Array = np.ndarray[Any, np.dtype[np.float64]]
_ROUNDED = nystrom_contraction.rounded
_SUPREMUM = gaussian_supremum.supremum
_DEVIATION = functional_error_simultaneous.simultaneous_deviation
_NEXT_ROW = lazy_jitter.next_row
_DUAL_SIZE = normaliser_from_mean.dual_size
_PARTS = gaussian_supremum.parts

# lemma -> label -> (function of its module, what people write instead)
Mistake = tuple[str, Callable[..., Any]]
MISTAKES: dict[str, dict[str, Mistake]] = {
    "kernel.nystrom_contraction": {
        "no excess": ("rounded", lambda s, eta, deviation, row: _ROUNDED(s, 0.0, deviation, row)),
        "excess without root": ("rounded", lambda s, eta, deviation, row: (1 + eta) * s + 2 * deviation * row),
        "one row deviates": ("rounded", lambda s, eta, deviation, row: _ROUNDED(s, eta, deviation / 2, row)),
        "no row norm": ("rounded", lambda s, eta, deviation, row: _ROUNDED(s, eta, deviation, 1.0)),
    },
    "kernel.nystrom_norm": {
        "no rounding": ("norm_squared", lambda a, k, e: float(np.linalg.eigvalsh(a @ k @ a.T)[-1])),
        "no kernel error": ("norm_squared", lambda a, k, e: 1.0 + 1e-14),
    },
    "kernel.nystrom_residual": {
        "no cross term": (
            "residual",
            lambda a, p, k, c, own, e: np.sqrt(own + ((a.T @ p) * (k @ a.T @ p)).sum(axis=0)),
        ),
        "norms only": ("residual", lambda a, p, k, c, own, e: np.sqrt(own - (p * p).sum(axis=0))),
        "no division": ("factors", lambda r, highest, least: (1 - r * math.sqrt(highest), 1 + r * math.sqrt(highest))),
        "no key norm": ("factors", lambda r, highest, least: (1 - r / least, 1 + r / least)),
    },
    "kernel.positive_features": {
        "no mean": ("moments", lambda inner, m, r: (math.exp(inner), math.exp(2 * inner) * math.exp(m) / r)),
        "query alone": ("moments", lambda inner, m, r: (math.exp(inner), math.exp(2 * inner) * math.expm1(m / 2) / r)),
        "one standard deviation": ("relative_deviation", lambda m, r, p: math.sqrt(math.expm1(m) / r)),
    },
    "kernel.orthogonal_features": {
        "independent": ("pair_moment", lambda d, m: 1.0),
        "first order": ("pair_moment", lambda d, m: 1.0 - m * m / (d + 2.0)),
        "never more than independent": ("inflation", lambda d: 1.0),
    },
    "kernel.feature_lipschitz": {"scale": ("lipschitz", lambda scale: scale)},
    "adaptive.gaussian_supremum": {
        "one query": ("parts", lambda shape, radius, d: tuple(0 * x for x in _PARTS(shape, radius, d))),
        "parts are points": ("parts", lambda shape, radius, d: (_PARTS(shape, radius, d)[0], np.zeros(1))),
        "side for half a side": ("parts", lambda shape, radius, d: _PARTS(shape, 2 * radius, d)),
        "no chi law": ("supremum", lambda lip, shape, radius, d, r, p: _SUPREMUM(lip, shape, radius, d, None, p)),
    },
    "attention.functional_error_simultaneous": {
        "no union over columns": (
            "simultaneous_deviation",
            lambda s, f, v, c, columns, p, least, **k: _DEVIATION(s, f, v, c, 1, p, least, **k),
        ),
        "one sign of nu": (
            "simultaneous_deviation",
            lambda s, f, v, c, columns, p, least, **k: _DEVIATION(s, f, v, c, columns, min(2 * p, 0.99), least, **k),
        ),
        "no normaliser noise": (
            "simultaneous_deviation",
            lambda s, f, v, c, columns, p, least, **k: _DEVIATION(s, f, 0.0, c, columns, p, least, **k),
        ),
    },
    "attention.joint_heads": {
        "share without root": ("effective", lambda sizes, w: tuple(x / y for x, y in zip(sizes, w, strict=True))),
        "every head alone": ("effective", lambda sizes, w: tuple(sizes)),
        "ratios add": ("ratio", lambda sizes, s: sum(x / y for x, y in zip(sizes, s, strict=True))),
    },
    "attention.normaliser_from_mean": {
        "the other norm": ("dual_size", lambda v, shape: _DUAL_SIZE(v, "box" if shape == "ball" else "ball")),
    },
    "attention.lazy_jitter": {
        "no jitter": ("next_row", lambda factor, cross, own, jitter: _NEXT_ROW(factor, cross, own, 1e-300)),
        "jitter in every entry": (
            "next_row",
            lambda factor, cross, own, jitter: _NEXT_ROW(factor, cross + jitter, own, jitter),
        ),
        "too little jitter": ("least_jitter", lambda queries, kernel_max, error: 1e-25),
    },
}
CASES = [(name, label) for name, found in MISTAKES.items() for label in found]


@pytest.mark.parametrize(("name", "label"), CASES)
def test_a_known_mistake_turns_the_lemma_red(name: str, label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lemma = spec.lemma(name)
    function, wrong = MISTAKES[name][label]
    monkeypatch.setattr(importlib.import_module(lemma.module), function, wrong)
    failure = spec.verify_lemma(lemma).failure or ""
    assert "conclusion violated" in failure, failure


# --- landmarks ------------------------------------------------------------------------------------------------------


def landmark_features(scale: float, landmarks: Array, x: Array) -> Array:
    """L^-1 k(Z, x), shape (m, n)."""
    lower = np.linalg.cholesky(np.exp(scale * landmarks @ landmarks.T))
    return np.asarray(scipy.linalg.solve_triangular(lower, np.exp(scale * landmarks @ x.T), lower=True))


def test_features_of_a_positive_kernel_may_be_negatively_correlated() -> None:
    """Why the features' own norms may not be combined with the kernel's least value: landmarks +-1/2, keys +-2."""
    x = np.array([[2.0], [-2.0]])
    phi = landmark_features(1.0, np.array([[0.5], [-0.5]]), x)
    inner, norms = float(phi[:, 0] @ phi[:, 1]), (phi * phi).sum(axis=0)
    assert inner < -3.0 < 0.0 < math.exp(-4.0)  # the exact kernel of the two keys is e^-4
    c = 0.5  # equal values with an l2 norm of one
    moved = math.sqrt(float(((phi[:, 0] - phi[:, 1]) ** 2).sum()) * (1.0 + c * c))
    naive = functional_sensitivity.l2(float(norms.max()), math.exp(-4.0), 1.0, c)  # V^2 > c^2, so it is not sqrt(2) b w
    hopeful = functional_sensitivity.l2(float(norms.max()), math.exp(-4.0), 1.0, c, values_nonnegative=True)
    exact = functional_sensitivity.l2(math.exp(4.0), math.exp(-4.0), 1.0, c, values_nonnegative=True)
    assert moved > hopeful  # false, and for a privacy claim fatal
    assert moved < nystrom_contraction.rounded(exact, 0.0, 1e-12, math.hypot(1.0, c))
    assert naive > hopeful


def test_rows_of_landmark_features_never_move_more_than_those_of_the_kernel() -> None:
    rng = np.random.default_rng(5)
    for _ in range(50):
        z, x = rng.uniform(-1, 1, (6, 2)), rng.uniform(-1.5, 1.5, (2, 2))
        w = rng.normal(size=(2, 3))
        phi = landmark_features(1.5, z, x)
        moved = float(np.linalg.norm(np.outer(phi[:, 0], w[0]) - np.outer(phi[:, 1], w[1])))
        grams = np.exp(1.5 * x @ x.T) * (w @ w.T)
        assert moved <= math.sqrt(grams[0, 0] + grams[1, 1] - 2 * grams[0, 1]) * (1 + 1e-9)


def landmark_factor(scale: float, landmarks: Array, least: float) -> tuple[Array, Array]:
    """(A, K_ZZ), A = Lambda^-1/2 U^T for the eigenvalues above ``least`` times the largest."""
    gram = np.exp(scale * landmarks @ landmarks.T)
    values, vectors = np.linalg.eigh(gram)
    keep = values > least * values[-1]
    return (vectors[:, keep] / np.sqrt(values[keep])).T, gram


def unit_rows(count: int, dimension: int, seed: int) -> Array:
    rows = np.random.default_rng(seed).normal(size=(count, dimension))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


@pytest.mark.parametrize("scale", [1.0, 8.0])
def test_a_float_factor_is_certified_and_its_evaluation_error_covers_what_floats_do(scale: float) -> None:
    z, x = unit_rows(24, 5, 1), unit_rows(10, 5, 2)
    factor, gram = landmark_factor(scale, z, 1e-5)
    error = nystrom_norm.kernel_error(scale, 5, 1.0 + 1e-9)
    eta = nystrom_norm.norm_squared(factor, gram, error) - 1.0
    assert 0.0 <= eta < 1e-6
    ctx = mpmath.MPContext()
    ctx.dps = 50
    exact_z, a = ctx.matrix(z.tolist()), ctx.matrix(factor.tolist())
    inner = exact_z * exact_z.T
    kernel = ctx.matrix(24, 24)
    for i in range(24):
        for j in range(24):
            kernel[i, j] = ctx.exp(ctx.mpf(scale) * inner[i, j])
            assert abs(gram[i, j] - kernel[i, j]) <= error * kernel[i, j]
    top = max(ctx.eigsy(a * kernel * a.T, eigvals_only=True))
    assert top <= 1.0 + ctx.mpf(eta)
    made = factor @ np.exp(scale * z @ x.T)
    cross = (exact_z * ctx.matrix(x.tolist()).T) * ctx.mpf(scale)
    for i in range(24):
        for j in range(10):
            cross[i, j] = ctx.exp(cross[i, j])
    exact = a * cross
    allowed = nystrom_contraction.evaluation_error(factor, math.exp(scale) * (1 + 1e-9), error)
    off = [float(ctx.norm(ctx.matrix(made[:, j].tolist()) - exact[:, j])) for j in range(10)]
    assert max(off) <= allowed < 1e-6 * math.exp(scale / 2)
    assert max(off) > 0.0


def test_residuals_bound_the_kernel_error_of_every_key_and_are_not_loose() -> None:
    scale = 2.0
    z, q, x = unit_rows(60, 4, 3), unit_rows(40, 4, 4), unit_rows(400, 4, 5)
    factor, gram = landmark_factor(scale, z, 1e-7)
    cross, own = np.exp(scale * z @ q.T), np.full(40, math.exp(scale))
    features, keys = factor @ cross, factor @ np.exp(scale * z @ x.T)
    found = nystrom_residual.residual(factor, features, gram, cross, own, nystrom_norm.kernel_error(scale, 4, 1.1))
    kernel = np.exp(scale * q @ x.T)
    missed = np.abs(kernel - features.T @ keys)
    assert (missed.max(axis=1) <= found * math.exp(scale / 2)).all()
    assert np.median(found * math.exp(scale / 2) / missed.max(axis=1)) < 30.0
    for i in (0, 7):
        low, high = nystrom_residual.factors(float(found[i]), math.exp(scale), math.exp(-scale))
        ratios = (features.T @ keys)[i] / kernel[i]
        assert low <= ratios.min()
        assert ratios.max() <= high
        wider = nystrom_residual.factors(float(found[i]), math.exp(scale), math.exp(-scale), key_deviation=0.01)
        assert wider[0] < low
        assert wider[1] > high


def test_a_residual_counts_what_rounding_hides() -> None:
    """One landmark, and it is the query: the true residual of the rounded beta is about 1e-16, never zero."""
    one = np.array([[1.0 / math.sqrt(math.e)]])
    gram, cross, own = np.array([[math.e]]), np.array([[math.e]]), np.array([math.e])
    found = float(nystrom_residual.residual(one, one @ cross, gram, cross, own, 2.0**-52)[0])
    assert 1e-17 < found < 1e-6


# --- random features ------------------------------------------------------------------------------------------------


def orthogonal_directions(count: int, dimension: int, rng: np.random.Generator) -> Array:
    """w of shape (count, dimension, dimension): blocks of orthonormal directions with chi lengths."""
    gaussian = rng.normal(size=(count, dimension, dimension))
    q, upper = np.linalg.qr(gaussian)
    q *= np.sign(np.diagonal(upper, axis1=1, axis2=2))[:, None, :]
    lengths = np.sqrt(rng.chisquare(dimension, size=(count, dimension)))
    return np.asarray(np.swapaxes(q, 1, 2) * lengths[:, :, None])


@pytest.mark.parametrize("orthogonal", [False, True])
def test_positive_features_have_the_stated_mean_and_variance(orthogonal: bool) -> None:
    rng, d, size = np.random.default_rng(11), 3, 200_000
    z = np.array([0.5, -0.4, 0.3])
    w = orthogonal_directions(size, d, rng) if orthogonal else rng.normal(size=(size, d, d))
    block = np.exp(w @ z - z @ z / 2).mean(axis=1)  # relative to the mean of the product
    m = float(z @ z)
    expected = orthogonal_features.relative_variance(d, m, d) if orthogonal else math.expm1(m) / d
    assert float(block.mean()) == pytest.approx(1.0, abs=5 * math.sqrt(expected / size))
    assert float(block.var()) == pytest.approx(expected, rel=0.03)
    assert orthogonal_features.relative_variance(d, m, d) < 0.95 * math.expm1(m) / d


def test_orthogonal_features_may_vary_more_than_independent_ones_for_a_sum_over_keys() -> None:
    """Keys at the ends of a cross: what the directions share is of degree 4, where orthogonal means equal."""
    nodes, weights = np.polynomial.legendre.leggauss(200)
    r, angle = 7.0 * (nodes + 1.0), 2.0 * math.pi * np.arange(720) / 720
    mass = 7.0 * weights * r * np.exp(-r * r / 2)
    ends = 2.0 * np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    directions = np.stack([np.cos(angle), np.sin(angle)])
    total = np.exp(r[:, None, None] * (ends @ directions) - 2.0).sum(axis=1)
    along = mass @ total  # mean over the length, by direction
    mean, square = float(along.mean()), float((mass @ total**2).mean())
    covariance = float((along * np.roll(along, 180)).mean()) - mean**2
    assert mean == pytest.approx(4.0, rel=1e-9)
    assert 0.003 < covariance / (square - mean**2) < orthogonal_features.inflation(2) - 1.0
    one = mass @ np.exp(r[:, None] * (ends[0] @ directions) - 2.0)
    assert float((one * np.roll(one, 180)).mean()) < float(one.mean()) ** 2  # for one key it is negative


def test_the_answer_of_positive_features_is_within_its_bound_and_says_when_it_knows_nothing() -> None:
    rng, d, m = np.random.default_rng(12), 4, 20_000
    keys, q, v = 0.5 * unit_rows(50, d, 13), 0.5 * unit_rows(1, d, 14)[0], rng.uniform(-1, 1, (50, 2))
    exact = np.exp(keys @ q) @ v / np.exp(keys @ q).sum()
    worst = float(((keys + q) ** 2).sum(axis=1).max())
    bound = positive_features.answer_error(1.0, 2, worst, m, 0.1)
    failures = 0
    for _ in range(40):
        w = rng.normal(size=(m, d))
        weights = np.exp(w @ q - q @ q / 2) @ np.exp(w @ keys.T - (keys**2).sum(axis=1) / 2) / m
        failures += float(np.abs(weights @ v / weights.sum() - exact).max()) > bound
    assert failures == 0  # Chebyshev is loose: the claim allows 4 of 40
    assert 0.001 < bound < 0.2
    assert positive_features.answer_error(1.0, 2, 32.0, m, 0.1) == 2.0
    assert positive_features.answer_error(1.0, 2, 1e4, m, 0.1) == 2.0
    assert positive_features.moments(1.0, 1e4, 10)[1] == math.inf


def test_the_formulas_are_as_exact_as_their_docstrings_say() -> None:
    ctx = mpmath.MPContext()
    ctx.dps = 40
    rng, worst = np.random.default_rng(15), [0.0, 0.0, 0.0]
    for _ in range(60):
        d, m, inner = int(rng.integers(2, 65)), float(np.exp(rng.uniform(-7, 2.2))), float(rng.uniform(-20, 20))
        pair = ctx.hyp1f1(d, ctx.mpf(d) / 2, ctx.mpf(m) / 2) * ctx.exp(
            -ctx.mpf(m)
        )  # Kummer's function, as it sums up to
        worst[0] = max(worst[0], abs(float(orthogonal_features.pair_moment(d, m) / pair - 1)) * 2.0**46)
        made, times = positive_features.moments(inner, m, d), 2.0**50 / (2 + 2 * abs(inner) + m)
        exact = ctx.exp(inner), ctx.exp(2 * ctx.mpf(inner)) * ctx.expm1(m) / d
        worst[1] = max(worst[1], *(abs(float(a / b - 1)) * times for a, b in zip(made, exact, strict=True)))
        e = float(rng.uniform(0, 1))
        stretched = nystrom_contraction.rounded(m, e, m / 8, 3.0)
        claimed = ctx.sqrt(1 + ctx.mpf(e)) * m + ctx.mpf(3) * m / 4
        assert stretched >= claimed
        worst[2] = max(worst[2], float(stretched / claimed - 1) * 2.0**50)
    assert max(worst) <= 1.0
    assert min(worst) > 0.0


def test_whole_numbers_as_fractions_can_be_compared() -> None:
    assert spec.equal(Fraction(2, 1), 2, slack=0).holds
    assert not spec.equal([Fraction(2, 1), Fraction(1, 2)], [2, 2], slack=0).holds


# --- heads ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("heads", [1, 2, 3, 7, 8, 12, 96])
def test_heads_with_equal_shares_keep_the_claim_exactly(heads: int) -> None:
    epsilon, delta = 1.0, 1e-5
    shares, sizes = joint_heads.equal_shares(heads), [1.0 + 0.25 * h for h in range(heads)]
    joint_heads.LEMMA.require(shares=shares, sensitivities=sizes)
    assert sum(map(Fraction, shares)) <= 1
    sigmas = joint_heads.sigmas(epsilon, delta, sizes, shares)
    mu = joint_heads.ratio(sizes, sigmas)
    spent = gaussian_profile.delta(epsilon, mu, 1.0)
    assert delta * (1 - 1e-9) <= spent <= delta
    basic = [gaussian_profile.sigma(epsilon / heads, delta / heads, size) for size in sizes]
    assert all(s <= b * (1 + 1e-12) for s, b in zip(sigmas, basic, strict=True))
    if heads == 8:  # 2.8 times the noise of one head, against 7.6 times for a split budget
        assert sigmas[0] / gaussian_profile.sigma(epsilon, delta, 1.0) == pytest.approx(math.sqrt(8), rel=1e-12)
        assert basic[0] > 2.5 * sigmas[0]


def test_shares_beyond_the_budget_are_refused() -> None:
    with pytest.raises(spec.HypothesisNotMet, match="add up to at most 1"):
        joint_heads.LEMMA.require(shares=(0.5, 0.5 + 2.0**-53), sensitivities=(1.0, 1.0))
    with pytest.raises(spec.HypothesisNotMet, match="add up to at most 1"):
        joint_heads.LEMMA.require(shares=(1.0, 0.0), sensitivities=(1.0, 1.0))
    with pytest.raises(ValueError, match="zip"):
        joint_heads.effective((1.0, 2.0), (1.0,))


# --- suprema --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("log_probability", [-0.7, -3.0, -40.0, -700.0, -5000.0])
def test_the_quantile_far_in_the_tail_is_that_of_the_normal_law(log_probability: float) -> None:
    ctx = mpmath.MPContext()
    ctx.dps = 40
    z = -ctx.mpf(float(scipy.special.ndtri_exp(log_probability)))
    assert float(ctx.log(ctx.erfc(z / ctx.sqrt(2)) / 2)) == pytest.approx(log_probability, rel=1e-12)


@pytest.mark.parametrize(("features", "p"), [(1, 1e-12), (50, 1e-3), (4000, 1e-30), (100_000, 0.5)])
def test_the_chi_quantile_is_exact(features: int, p: float) -> None:
    t = gaussian_supremum.supremum(math.inf, "ball", 1.0, 3, features, p)
    ctx = mpmath.MPContext()
    ctx.dps = 40
    tail = ctx.gammainc(ctx.mpf(features) / 2, ctx.mpf(t) ** 2 / 2, ctx.inf, regularized=True)
    assert float(tail) == pytest.approx(p, rel=1e-6)


def one_step(reach: float, dimension: int, features: int, p: float) -> float:
    """The simple net argument over the unit ball: |psi(q) - psi(q')| |N| between points of a net, best radius."""
    norm = math.sqrt(2.0 * float(scipy.special.gammainccinv(features / 2.0, p / 2.0)))
    radii = np.exp(np.linspace(math.log(1e-6), 0.0, 300))
    net = -scipy.special.ndtri_exp(math.log(p / 4.0) - dimension * np.log1p(2.0 / radii))
    return float((net + reach * radii * norm).min())


@pytest.mark.parametrize("dimension", [1, 4, 16, 64, 384])
@pytest.mark.parametrize("reach", [0.5, 2.8, 10.0])
def test_the_covering_beats_the_simple_net(dimension: int, reach: float) -> None:
    for features in (100, 10_000):
        better = gaussian_supremum.supremum(reach, "ball", 1.0, dimension, features, 1e-3)
        assert better < one_step(reach, dimension, features, 1e-3)
        assert better >= -float(scipy.special.ndtri(5e-4))


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("fineness", [2, 4])
def test_a_ball_is_covered_by_as_many_parts_as_counted(dimension: int, fineness: int) -> None:
    rng = np.random.default_rng(dimension)
    points = rng.uniform(-1, 1, (6000, dimension))
    points = points[(points**2).sum(axis=1) <= 1]
    centres: list[Array] = []
    for x in points:  # greedily, a maximal set of points more than e apart
        if all(((x - c) ** 2).sum() > fineness**-2.0 for c in centres):
            centres.append(x)
    log_parts, widths = gaussian_supremum.parts("ball", 1.0, dimension)
    at = int(np.flatnonzero(np.equal(gaussian_supremum.FINENESS, fineness))[0])
    assert len(centres) <= math.exp(log_parts[at])
    mean = float(np.linalg.norm(rng.normal(size=(400_000, dimension)), axis=1).mean())
    assert widths[at] == pytest.approx(mean / fineness, rel=0.01)
    assert gaussian_supremum.parts("positive_box", 1.0, dimension)[1][at] == pytest.approx(
        gaussian_supremum.parts("box", 0.5, dimension)[1][at]
    )


def test_all_answers_of_a_release_are_within_the_simultaneous_bound_and_within_ten_times_the_worst() -> None:
    """Taylor features of degree 12 in the plane, 200 rows; the worst of 2,000 queries in 60 draws of the noise."""
    rng, scale, degree, c, p = np.random.default_rng(21), 1.0, 12, 0.7, 0.05
    keys, v = rng.uniform(-0.7, 0.7, (200, 2)), rng.uniform(-1, 1, (200, 3))
    queries = np.vstack([rng.uniform(-0.7, 0.7, (2000, 2)), [[0.7, 0.7], [-0.7, 0.7], [0.7, -0.7], [-0.7, -0.7]]])
    phi_k, phi_q = (np.array([feature_identity.features(x, degree, scale) for x in rows]) for rows in (keys, queries))
    matrix = phi_k.T @ np.hstack([v, np.full((200, 1), c)])
    sums = phi_q @ matrix
    exact, least, norms = sums[:, :3] / (sums[:, 3:] / c), 200 * math.exp(-1.0), np.linalg.norm(phi_q, axis=1)
    t = functional_error_simultaneous.simultaneous_deviation(
        1.0, 1.0, 1.0, c, 3, p, least, scale=scale, shape="box", radius=0.7, dimension=2, features=phi_q.shape[1]
    )
    single = functional_error.deviation(1.0, 1.0, 1.0, c, 3, p, least)
    bound, share = t * norms, np.empty(60)
    for i in range(60):
        noisy = sums + phi_q @ rng.normal(size=matrix.shape)
        answers = np.clip(noisy[:, :3] / np.maximum(noisy[:, 3:] / c, least), -1, 1)
        share[i] = (np.abs(answers - exact).max(axis=1) / bound).max()
    assert single < t < 2.0 * single
    assert (share <= 1.0).all()  # the claim allows 3 of 60
    assert share.max() > 0.1


def test_random_features_get_the_chi_bound_only() -> None:
    shape: dict[str, Any] = {"shape": "box", "radius": 1.0, "dimension": 2, "features": 30}
    kernel = functional_error_simultaneous.simultaneous_deviation(1.0, 1.0, 1.0, 1.0, 1, 0.1, 1.0, scale=1.0, **shape)
    random = functional_error_simultaneous.simultaneous_deviation(1.0, 1.0, 1.0, 1.0, 1, 0.1, 1.0, scale=None, **shape)
    chi = math.sqrt(2.0 * float(scipy.special.gammainccinv(15.0, 0.05)))
    assert kernel < random
    assert random == pytest.approx(math.sqrt(2.0) * chi, rel=1e-9)
    hopeless = functional_error_simultaneous.simultaneous_deviation(
        1.0, 1.0, 1.0, 1.0, 1, 0.1, 1.0, scale=None, **{**shape, "features": None}
    )
    assert hopeless == math.inf


# --- lazy draws -----------------------------------------------------------------------------------------------------


def test_cholesky_rows_and_the_conditional_law_are_the_same_draw() -> None:
    """Given the same earlier noise, both have the same mean and deviation."""
    kernel = np.exp(2.0 * unit_rows(7, 3, 31) @ unit_rows(7, 3, 31).T)
    jitter = 1e-3
    lower = np.linalg.cholesky(kernel[:6, :6] + jitter * np.eye(6))
    fresh = np.random.default_rng(32).normal(size=6)
    row, s = lazy_jitter.next_row(lower, kernel[:6, 6], float(kernel[6, 6]), jitter)
    w, deviation = lazy_covariance.next_draw(kernel[:6, :6] + jitter * np.eye(6), kernel[:6, 6], kernel[6, 6] + jitter)
    assert float(row @ fresh) == pytest.approx(float(w @ (lower @ fresh)), rel=1e-9)
    assert s == pytest.approx(deviation, rel=1e-9)


def test_four_hundred_queries_that_repeat_each_other_keep_the_kernel_below_the_covariance() -> None:
    base = unit_rows(40, 2, 33)
    asked = base[np.random.default_rng(34).integers(0, 40, 400)]
    kernel = np.exp(8.0 * asked @ asked.T)
    jitter = lazy_jitter.least_jitter(400, math.exp(8.0) * (1 + 1e-9), nystrom_norm.kernel_error(8.0, 2, 1.0 + 1e-9))
    assert jitter < 1e-9 * math.exp(8.0)
    factor = np.zeros((400, 400))
    for t in range(400):
        factor[t, :t], factor[t, t] = lazy_jitter.next_row(factor[:t, :t], kernel[:t, t], kernel[t, t], jitter)
    assert (np.diag(factor) > 0).all()
    off = np.abs(factor @ factor.T - kernel - jitter * np.eye(400))
    assert 400 * float(off.max()) <= jitter  # by Gershgorin the remainder is positive semi-definite

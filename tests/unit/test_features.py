"""Feature maps other than the polynomial one, and rows that arrive in blocks."""

import itertools

import mpmath
import numpy as np
import pytest

import dpverify as dv
from dpverify.cross_attention import functional, integer_sums, nystrom
from dpverify.cross_attention.parameters import Parameters
from dpverify.cross_attention.public_randomness import directions, random_points
from dpverify.noise import SeededBits
from dpverify.spec.attention import functional_sensitivity

CLAIM = dv.ApproxDP(1.0, 1e-6)


def parameters(shape="ball", dimension=3, columns=1, scale=2.0, rows=500, **bounds):
    return Parameters(rows, dimension, columns, scale, dv.Bounds(1.0, 1.0, 1.0, shape, **bounds))


CHOICES = {
    "polynomial": dv.Polynomial(degree=4),
    "Nystrom": dv.Nystrom(number=30),
    "low rank": dv.Nystrom(number=30, rank=5),
    "few landmarks": dv.Nystrom(number=3, seed=5),
    "positive random": dv.PositiveRandomFeatures(number=64),
    "independent": dv.PositiveRandomFeatures(number=10, orthogonal=False),
}


@pytest.mark.parametrize("shape", ["ball", "box", "positive_box"])
@pytest.mark.parametrize("values_nonnegative", [False, True])
@pytest.mark.parametrize("choice", CHOICES.values(), ids=CHOICES)
def test_no_pair_of_rows_moves_the_sums_beyond_the_sensitivity(choice, shape, values_nonnegative):
    """Corners of the domain, opposite values, landmarks themselves and random rows, in exact integers."""
    p = parameters(shape, values_nonnegative=values_nonnegative)
    phi = choice.build(p)
    corners = np.array(list(itertools.product([-1.0, 0.0, 1.0], repeat=3)))
    extra = getattr(phi, "landmarks", getattr(phi, "directions", np.zeros((1, 3))))[:10]
    keys, _ = p.bounds.clip_keys(np.vstack([corners, extra, np.random.default_rng(0).normal(size=(10, 3))]))
    for weight in (0.2, 1.0, 5.0):
        grids = integer_sums.choose_grids(phi, weight)
        claimed = functional.sensitivity_on_grid(phi, grids)
        values = (0.0, 1.0) if values_nonnegative else (-1.0, 0.0, 1.0)
        sums = [integer_sums.outer_product_sums([(k[None], np.array([[v]]))], phi, grids) for k in keys for v in values]
        flat = np.array([s.ravel() for s in sums], dtype=np.float64) * grids.unit
        square = (flat * flat).sum(axis=1)
        worst = np.sqrt((square[:, None] + square - 2.0 * flat @ flat.T).max())
        assert worst <= claimed
        assert worst >= (0.001 if isinstance(choice, dv.PositiveRandomFeatures) else 0.2) * claimed


def test_projected_kernels_can_be_negative_and_their_sensitivity_does_not_suppose_otherwise():
    """The exact kernel is positive, the projected one is not; still the exact kernel's sensitivity covers."""
    p = parameters("box", dimension=2, scale=2.0)
    phi = dv.Nystrom(number=4, seed=1).build(p)
    keys = np.random.default_rng(0).uniform(-1, 1, (400, 2))
    features = phi(keys)
    assert (features.T @ features).min() < -1e-3
    claimed = phi.sensitivity(phi.norm(1.0) ** 2, 0.0, 1.0, 1.0)
    exact = functional_sensitivity.l2(np.exp(2.0 * 2.0), 0.0, 1.0, 1.0)
    assert exact <= claimed <= exact * (1 + 1e-5)
    changes = [
        np.linalg.norm(np.outer(features[:, i], [v, 1.0]) - np.outer(features[:, j], [w, 1.0]))
        for i, j in itertools.combinations(range(0, 400, 8), 2)
        for v, w in ((1.0, 1.0), (1.0, -1.0))
    ]
    assert max(changes) <= claimed


def test_the_projection_is_what_it_claims_at_fifty_digits():
    """|A K A^T| <= 1 + eta with A the very floats and K exact."""
    points = np.random.default_rng(3).uniform(-1, 1, (12, 2))
    matrix, excess = nystrom.whiten(points, 1.5)
    ctx = mpmath.MPContext()
    ctx.dps = 50
    kernel = ctx.matrix(
        [
            [ctx.exp(ctx.mpf(1.5) * ctx.fdot(map(ctx.mpf, a), map(ctx.mpf, b))) for b in points.tolist()]
            for a in points.tolist()
        ]
    )
    a = ctx.matrix(matrix.tolist())
    largest = max(ctx.eigsy(a * kernel * a.T, eigvals_only=True))
    assert 1 - 1e-6 <= largest <= 1 + excess
    assert excess < 1e-6


def test_features_stay_within_the_stated_deviation_of_the_linear_map():
    p = parameters(dimension=2, scale=3.0)
    phi = dv.Nystrom(number=15, seed=2).build(p)
    keys, _ = p.bounds.clip_keys(np.random.default_rng(1).normal(size=(5, 2)) * 2)
    ctx = mpmath.MPContext()
    ctx.dps = 40
    for key, found in zip(keys.tolist(), phi(keys).T.tolist(), strict=True):
        kernel = [ctx.exp(3 * ctx.fdot(map(ctx.mpf, z), map(ctx.mpf, key))) for z in phi.landmarks.tolist()]
        exact = [ctx.fdot(map(ctx.mpf, row), kernel) for row in phi.matrix.tolist()]
        distance = ctx.norm([ctx.mpf(x) - y for x, y in zip(found, exact, strict=True)])
        assert distance <= phi.deviation(1.0)


def test_landmarks_reproduce_the_kernel_and_the_error_elsewhere_is_bounded():
    p = parameters("box", dimension=2, scale=1.0)
    phi = dv.Nystrom(number=12, seed=0).build(p)
    keys = np.random.default_rng(1).uniform(-1, 1, (300, 2))
    queries = np.vstack([phi.landmarks[:3], np.random.default_rng(2).uniform(-1, 1, (40, 2))])
    error = np.abs(phi(queries).T @ phi(keys) - np.exp(queries @ keys.T)).max(axis=1)
    bound = phi.query_error(queries)
    assert (error <= bound).all()
    assert error[:3].max() < 1e-6
    assert bound[:3].max() < 1e-2
    assert bound[3:].min() < 50 * error[3:].max()


def test_a_lower_rank_means_less_noise_at_a_query_and_more_error():
    p = parameters("box", dimension=2, scale=1.0)
    queries = np.random.default_rng(2).uniform(-1, 1, (40, 2))
    full, low = (dv.Nystrom(number=20, rank=rank).build(p) for rank in (None, 4))
    assert low.size == 4 < full.size
    assert (np.linalg.norm(low(queries), axis=0) < np.linalg.norm(full(queries), axis=0)).all()
    assert low.query_error(queries).max() > full.query_error(queries).max()


def test_duplicate_landmarks_are_taken_once_and_hopeless_ones_lose_directions():
    p = parameters(dimension=2)
    point = [[0.3, 0.4]]
    assert dv.Nystrom(point * 7).build(p).size == 1
    close = np.array(point) + 1e-9 * np.random.default_rng(0).normal(size=(20, 2))
    phi = dv.Nystrom(close).build(p)
    assert phi.size < 20
    assert phi.excess <= nystrom.EXCESS


def test_positive_random_features_are_positive_unbiased_and_cut():
    p = parameters(dimension=2, scale=0.5)
    q, k = np.array([[0.6, -0.2]]), np.array([[0.1, 0.4]])
    for orthogonal in (True, False):
        draws = []
        for seed in range(400):
            phi = dv.PositiveRandomFeatures(16, orthogonal=orthogonal, seed=seed).build(p)
            a, b = phi(q), phi(k)
            assert a.min() >= 0
            assert np.linalg.norm(a) <= phi.norm(1.0) * (1 + 1e-12)
            draws.append((a.T @ b)[0, 0])
        # cutting only lowers; so far inside the ball it hardly happens
        assert np.mean(draws) == pytest.approx(np.exp(0.5 * (q @ k.T)[0, 0]), rel=0.05)


def test_orthogonal_directions_are_orthogonal_and_have_gaussian_lengths():
    w = directions(600, 3, True, 0)
    for block in w.reshape(-1, 3, 3)[:20]:
        gram = block @ block.T
        assert np.allclose(gram, np.diag(np.diag(gram)), atol=1e-10)
    assert (w * w).sum(axis=1).mean() == pytest.approx(3.0, rel=0.1)
    assert directions(5, 3, True, 0).shape == (5, 3)


def test_random_landmarks_lie_in_the_domain():
    for shape in ("ball", "box", "positive_box"):
        p = parameters(shape)
        points = random_points(p, 200, 1)
        assert p.bounds.clip_keys(points)[1] == 0
        assert (points.min() >= 0) == (shape == "positive_box")


def test_the_kernel_error_is_measured_against_the_exact_kernel():
    points = np.random.default_rng(0).uniform(0, 1, (60, 2))
    bounds = dv.Bounds(shape="positive_box")
    by_degree = [dv.kernel_error(dv.Polynomial(s), points, points, bounds=bounds).worst for s in (1, 3, 5)]
    assert by_degree[0] > by_degree[1] > by_degree[2] > 0
    few, many = (dv.kernel_error(dv.Nystrom(number=m), points, points, bounds=bounds) for m in (3, 40))
    assert many.worst < few.worst
    assert few.mean <= few.worst
    rough, fine = (
        dv.kernel_error(dv.PositiveRandomFeatures(m), points, points, bounds=bounds).mean for m in (20, 5000)
    )
    assert fine < rough


BAD = [
    (lambda: dv.Nystrom(), "landmarks, number"),
    (lambda: dv.Nystrom([[1.0]], number=3), "landmarks, number"),
    (lambda: dv.Nystrom(number=0), "number"),
    (lambda: dv.Nystrom(number=3, rank=0), "rank"),
    (lambda: dv.Nystrom([[np.nan]]), "landmarks"),
    (lambda: dv.PositiveRandomFeatures(0), "number"),
    (lambda: dv.PositiveRandomFeatures(2.5), "number"),
    (lambda: dv.Polynomial(-1), "degree"),
    (lambda: dv.Nystrom([[1.0, 2.0]]).build(parameters()), "landmarks"),
    (lambda: dv.Nystrom([[1e3, 0.0, 0.0]]).build(parameters()), "landmarks"),
    (lambda: dv.kernel_error(dv.Polynomial(1), [[1.0]], [[1.0, 2.0]], bounds=dv.Bounds()), "queries"),
]


@pytest.mark.parametrize(("call", "argument"), BAD, ids=[f"{a}-{i}" for i, (_, a) in enumerate(BAD)])
def test_bad_choices_are_named(call, argument):
    with pytest.raises(dv.InvalidArgument) as caught:
        call()
    assert caught.value.argument == argument


def test_too_many_landmarks_are_refused_before_any_work():
    with pytest.raises(dv.CapacityError, match="landmarks"):
        dv.Nystrom(number=10**6).build(parameters())


def test_features_and_methods_that_do_not_go_together():
    k, v = [[0.1, 0.2]] * 3, [1.0] * 3
    call = {"bounds": dv.Bounds(), "bits": SeededBits(0)}
    with pytest.raises(dv.InvalidArgument, match="degree must be None when features are given"):
        dv.release_attention(k, v, CLAIM, features=dv.Nystrom(number=3), degree=2, **call)
    with pytest.raises(dv.InvalidArgument, match="method='dptree'"):
        dv.release_attention(k, v, CLAIM, features=dv.Nystrom(number=3), method="dptree", **call)
    with pytest.raises(dv.InvalidArgument, match="features"):
        dv.release_attention(k, v, CLAIM, features="nystrom", **call)


def test_non_negative_values_need_less_noise_and_answers_stay_non_negative():
    rng = np.random.default_rng(0)
    k, v = rng.uniform(-0.5, 0.5, (200, 2)), np.eye(4)[rng.integers(4, size=200)]
    features = dv.Nystrom(number=20)
    signed, positive = (
        dv.release_attention(
            k, v, CLAIM, bounds=dv.Bounds(values_nonnegative=flag), features=features, normaliser_weight=0.3,
            bits=SeededBits(0),
        )
        for flag in (False, True)
    )  # fmt: skip
    ratio = positive.certificate.details["l2 sensitivity"] / signed.certificate.details["l2 sensitivity"]
    # sqrt(2 b^2 (1 + c^2)) against sqrt(2 b^2 (1 + c^2) + 2 b^2 (1 - c^2))
    assert ratio == pytest.approx(np.sqrt((1 + 0.09) / 2), rel=1e-3)
    answers = positive.query(k)
    assert answers.min() >= 0
    assert answers.max() <= 1
    v[7, 1] = -0.25
    with pytest.warns(dv.OutOfBoundsWarning, match="1 of 200 values"):
        dv.release_attention(k, v, CLAIM, bounds=dv.Bounds(values_nonnegative=True), features=features)
    with pytest.raises(dv.InvalidArgument, match="values_nonnegative"):
        dv.Bounds(values_nonnegative="yes")


def blocks(k, v, size):
    return ((k[i : i + size], v[i : i + size]) for i in range(0, len(k), size))


@pytest.mark.parametrize("choice", CHOICES.values(), ids=CHOICES)
def test_blocks_give_the_same_release_as_arrays(choice):
    rng = np.random.default_rng(0)
    k, v = rng.normal(size=(700, 3)) / 4, rng.uniform(-1, 1, 700)
    call = {"bounds": dv.Bounds(), "scale": 2.0, "features": choice, "out_of_bounds": "raise"}
    k, _ = dv.Bounds().clip_keys(k)
    whole = dv.release_attention(k, v, CLAIM, bits=SeededBits(1), **call)
    for size in (1, 64, 699, 5000):
        parts = dv.release_attention(blocks(k, v, size), None, CLAIM, rows=700, bits=SeededBits(1), **call)
        assert np.array_equal(parts.state.arrays()["sums"], whole.state.arrays()["sums"])
        assert parts.certificate == whole.certificate


def test_blocks_must_add_up_and_agree():
    k, v = np.zeros((10, 2)), np.zeros(10)
    call = {"bounds": dv.Bounds(), "degree": 1, "bits": SeededBits(0)}
    for rows, found in ((9, "more than 9"), (11, "only 10")):
        with pytest.raises(dv.InvalidArgument, match=found):
            dv.release_attention(blocks(k, v, 4), None, CLAIM, rows=rows, **call)
    with pytest.raises(dv.InvalidArgument, match="rows must be given with blocks"):
        dv.release_attention(blocks(k, v, 4), None, CLAIM, **call)
    with pytest.raises(dv.InvalidArgument, match="an iterable of \\(keys, values\\) blocks"):
        dv.release_attention(3.0, None, CLAIM, rows=3, **call)
    with pytest.raises(dv.InvalidArgument, match="at least one"):
        dv.release_attention([], None, CLAIM, rows=3, **call)
    with pytest.raises(dv.InvalidArgument, match="block 0 must be a pair"):
        dv.release_attention([3.0], None, CLAIM, rows=3, **call)
    with pytest.raises(dv.InvalidArgument, match="block 1 must be as wide as the first"):
        dv.release_attention([(k, v), (np.zeros((2, 3)), np.zeros(2))], None, CLAIM, rows=12, **call)
    with pytest.raises(dv.InvalidArgument, match="the number of keys, 10"):
        dv.release_attention(k, v, CLAIM, rows=4, **call)


def test_rows_outside_the_bounds_are_counted_over_all_blocks():
    k, v = np.zeros((10, 2)), np.zeros(10)
    k[[2, 7]] = 3.0
    call = {"bounds": dv.Bounds(), "degree": 1, "bits": SeededBits(0), "rows": 10}
    with pytest.warns(dv.OutOfBoundsWarning, match="2 of 10 keys"):
        dv.release_attention(blocks(k, v, 4), None, CLAIM, **call)
    with pytest.raises(dv.InvalidArgument, match="keys"):
        dv.release_attention(blocks(k, v, 4), None, CLAIM, out_of_bounds="raise", **call)

"""The lazy release: its noise is the process that it claims, row by row, across files, and its file holds nothing else.

Seeds are fixed: what is compared with a law has one outcome, and tolerances are five standard deviations.
"""

import copy
import itertools
import os
import pickle
import threading

import mpmath
import numpy as np
import pytest

import dpverify as dv
from dpverify.cross_attention import lazy, lazy_kernel, newton_basis, storage
from dpverify.cross_attention.lazy_kernel import LazyKernel
from dpverify.cross_attention.newton_basis import NewtonBasis
from dpverify.cross_attention.parameters import Parameters
from dpverify.cross_attention.release import check_lazy_capacity
from dpverify.noise import SeededBits
from dpverify.spec import ConclusionViolated
from dpverify.spec.noise import gaussian_profile

CLAIM = dv.ApproxDP(1.0, 1e-6)
BALL = dv.Bounds(key=1.0, query=1.0, value=1.0, shape="ball")
SCALE = 2.0
TAU = 2.0 * np.pi

pytestmark = pytest.mark.filterwarnings("ignore::dpverify.DrownedDenominatorWarning")


def data(rows=40, seed=0):
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, TAU, rows)
    return np.column_stack([np.cos(angle), np.sin(angle)]), rng.uniform(-1, 1, (rows, 1))


def make(rows=None, bits=None, **options):
    keys, values = data() if rows is None else rows
    options = {"bounds": BALL, "scale": SCALE, "max_queries": 32, "normaliser_weight": 0.5, **options}
    bits = SeededBits(0) if bits is None else bits
    return dv.release_attention(keys, values, options.pop("claim", CLAIM), method="lazy", bits=bits, **options)


def circle(*angles):
    return np.array([[np.cos(a), np.sin(a)] for a in angles])


QUERIES = np.concatenate([circle(0.0, 0.1, 0.1 + 1e-9, 2.0, 3.5), [[0.0, 0.0]]])


def exact_sums(queries, rows=None, weight=0.5, scale=SCALE):
    """sum_i a_i(q) [v_i, c], by definition."""
    keys, values = data() if rows is None else rows
    return np.exp(scale * queries @ keys.T) @ np.column_stack([values, np.full(len(keys), weight)])


def noise_of(release, queries, rows=None):
    """Noise of the answers, in units of sigma; the normaliser's column as it was released, times c."""
    weight = release.certificate.details["normaliser weight"]
    sums, normaliser = release.state.weighted_sums(queries)
    noisy = np.column_stack([sums, normaliser * weight])
    return (noisy - exact_sums(queries, rows, weight)) / release.state.to_dict()["sigma"]


def whitened(noise, queries, scale=SCALE, jitter=0.0):
    """Independent standard normals if the covariance is the kernel's, plus jitter in units of k(q, q)."""
    kernel = np.exp(scale * queries @ queries.T)
    return np.linalg.solve(np.linalg.cholesky(kernel + jitter * np.diag(np.diag(kernel))), noise)


def check_standard_normal(samples):
    """samples (count, t): means, covariances and fourth moments are those of N(0, I), within 5 deviations."""
    count, size = samples.shape
    assert np.abs(samples.mean(axis=0)).max() < 5 / np.sqrt(count)
    assert np.abs(samples.T @ samples / count - np.eye(size)).max() < 5 * np.sqrt(2 / count)
    assert abs((samples**4).mean() - 3) < 5 * np.sqrt(96 / samples.size)


# --- the law -----------------------------------------------------------------------------------------------------


def many_noises(batches, count=150):
    """Noise of ``count`` releases asked batch by batch, shape (2 count, queries): columns are independent."""
    asked = np.concatenate(batches)
    out = []
    for seed in range(count):
        release = make(bits=SeededBits(seed))
        for batch in batches:
            release.query(batch)
        out.append(noise_of(release, asked).T)
    return np.concatenate(out), release.state.to_dict()["jitter"]


@pytest.mark.parametrize("sizes", [(6,), (1, 1, 1, 1, 1, 1), (2, 3, 1)], ids=str)
def test_the_noise_has_the_covariance_of_the_kernel_plus_jitter(sizes):
    order = np.random.default_rng(sum(sizes) + len(sizes)).permutation(6)
    parts = np.split(QUERIES[order], np.cumsum(sizes)[:-1])
    noise, jitter = many_noises(parts)
    check_standard_normal(whitened(noise.T, QUERIES[order], jitter=jitter).T)


def test_the_check_of_the_law_sees_other_laws():
    """Controls: independent noise at each query, or a jitter that is not there, would be seen."""
    noise, jitter = many_noises([QUERIES], count=60)
    own = np.exp(SCALE * (QUERIES * QUERIES).sum(axis=1))
    with pytest.raises(AssertionError):
        check_standard_normal(noise / np.sqrt(own))
    with pytest.raises(AssertionError):
        check_standard_normal(whitened(noise.T, QUERIES, jitter=jitter / 4).T)
    with pytest.raises(AssertionError):
        check_standard_normal(1.3 * whitened(noise.T, QUERIES, jitter=jitter).T)


def test_noise_continues_across_a_file(tmp_path):
    """Two queries, a file, a new process's randomness, three more: one process in the end."""
    asked = np.concatenate([QUERIES[:2], QUERIES[2:5]])
    out = []
    for seed in range(100):
        first = make(bits=SeededBits(seed))
        first.query(asked[:2])
        first.save(tmp_path / "release")
        keys, values = data()
        second = dv.load_release(tmp_path / "release", keys=keys, values=values, bits=SeededBits(10_000 + seed))
        second.query(asked[2:])
        out.append(noise_of(second, asked).T)
    jitter = second.state.to_dict()["jitter"]
    check_standard_normal(whitened(np.concatenate(out).T, asked, jitter=jitter).T)


def test_answers_are_close_to_exact_attention_when_there_is_little_noise():
    keys, values = data(3000)
    release = make((keys, values), claim=dv.ApproxDP(40.0, 0.25), normaliser_weight=None)
    error = np.abs(release.query(QUERIES) - dv.attention(QUERIES, keys, values, SCALE)).max()
    assert 0 < error < 0.01


# --- exact sums, factor, inverse ---------------------------------------------------------------------------------


def test_sums_are_exact_up_to_the_grids():
    """Against 40 digits; order and number of rows at a time do not change a bit."""
    keys, values = data(300)
    kernel = LazyKernel(Parameters(300, 2, 1, SCALE, BALL), 32)
    grids = kernel.grids(0.5)
    sums = lazy_kernel.exact_sums(keys, values, kernel, grids, QUERIES)
    ctx = mpmath.MPContext()
    ctx.dps = 40
    for j, q in enumerate(QUERIES.tolist()):
        weights = [ctx.exp(SCALE * ctx.fdot(q, k) - SCALE * ctx.fdot(q, q) / 2) for k in keys.tolist()]
        rounded = np.trunc(values[:, 0] / grids.value) * grids.value
        for column, row in enumerate((rounded, np.full(300, grids.normaliser_weight))):
            exact = ctx.fdot(weights, row.tolist())
            found = ctx.mpf(int(sums[j, column])) * grids.unit * 2.0**-lazy_kernel.FINE_BITS
            assert abs(found - exact) <= 300 * kernel.step
            assert abs(found - exact) < 1e-8
    order = np.random.default_rng(1).permutation(300)
    again = lazy_kernel.exact_sums(keys[order], values[order], kernel, grids, QUERIES)
    assert np.array_equal(sums, again)


def test_sums_of_more_rows_than_64_bits_hold(monkeypatch):
    keys, values = data(300)
    kernel = LazyKernel(Parameters(300, 2, 1, SCALE, BALL), 32)
    grids = kernel.grids(0.5)
    whole = lazy_kernel.exact_sums(keys, values, kernel, grids, QUERIES)
    monkeypatch.setattr(lazy_kernel, "ROWS_AT_A_TIME", 77)
    assert np.array_equal(whole, lazy_kernel.exact_sums(keys, values, kernel, grids, QUERIES))
    # the largest total of a part: every weight b, every value c
    assert lazy_kernel.BLOCK_ROWS << (lazy_kernel.COARSE_BITS + lazy_kernel.VALUE_BITS) <= 2**53
    assert (1 << 16) << (lazy_kernel.COARSE_BITS + lazy_kernel.VALUE_BITS) < 2**63


def test_a_row_beyond_the_bounds_is_refused_not_summed():
    kernel = LazyKernel(Parameters(2, 2, 1, SCALE, BALL), 32)
    for key, value in ((1.001, 1.0), (1.0, 1.001)):
        with pytest.raises(ConclusionViolated):
            lazy_kernel.exact_sums(
                key * circle(0.0, 1.0), np.full((2, 1), value), kernel, kernel.grids(0.5), circle(0.0)
            )


def bases(kernel, points, splits):
    """The same points in batches of different sizes."""
    for sizes in splits:
        basis = NewtonBasis.empty(kernel)
        for part in np.split(points, np.cumsum(sizes)[:-1]):
            basis = basis.extended(part)
        yield basis


def norm_of_features(rows, points, scale):
    """|G K G^T|_2 of float rows, at 60 digits."""
    ctx = mpmath.MPContext()
    ctx.dps = 60
    kernel = [[ctx.exp(-scale * ctx.fsum((ctx.mpf(a) - b) ** 2 for a, b in zip(p, q, strict=True)) / 2)
               for p in points.tolist()] for q in points.tolist()]  # fmt: skip
    g = ctx.matrix(rows.tolist())
    product = g * ctx.matrix(kernel) * g.T
    return max(ctx.eigsy((product + product.T) / 2, eigvals_only=True))


@pytest.mark.parametrize("apart", [1.0, 1e-4, 1e-9])
def test_coefficients_never_exceed_the_exact_kernels_norm(apart):
    """Whatever the batches, and with rows from different factorisations mixed as after loading on another machine."""
    kernel = LazyKernel(Parameters(10, 2, 1, SCALE, BALL), 24)
    points = circle(*(0.3 + apart * np.arange(12)))
    one, two = bases(kernel, points, [(12,), (1, 5, 1, 1, 4)])
    mixed = np.where(np.arange(12)[:, None] % 2, one.inverse, two.inverse)
    for rows in (one.inverse, two.inverse, mixed):
        assert 0.99 < norm_of_features(rows, points, kernel.query_scale) <= 1.0 + kernel.excess
    assert kernel.excess < 1e-2


def test_five_hundred_nearly_equal_queries_stay_consistent():
    """Their answers differ by no more than their own jitter makes them, and a factor is never far off."""
    release = make(max_queries=500)
    points = 0.8 * circle(0.7) + 1e-12 * np.random.default_rng(0).normal(size=(500, 2))
    for part in np.array_split(points, 9):
        release.query(part)
    sums, normaliser = release.state.weighted_sums(points)
    noisy = np.column_stack([sums, normaliser * 0.5])
    sigma, jitter = (release.state.to_dict()[name] for name in ("sigma", "jitter"))
    own = sigma * np.sqrt(jitter) * np.exp(SCALE * 0.64 / 2)
    assert np.all(np.isfinite(noisy))
    spread = (noisy - noisy.mean(axis=0)) / own
    assert np.abs(spread).max() < 5
    assert 0.9 < spread.std() < 1.1
    basis = release.state._answered.basis
    gram = release.state._kernel.gram(points, points) + jitter * np.eye(500)
    assert np.abs(basis.factor @ basis.factor.T - gram).max() < 1e-13
    assert np.diag(basis.factor).min() >= 0.99 * np.sqrt(jitter)


def test_a_wrong_factor_or_inverse_is_refused(monkeypatch):
    kernel = LazyKernel(Parameters(10, 2, 1, SCALE, BALL), 24)
    basis = NewtonBasis.empty(kernel).extended(QUERIES[:3])
    right_cholesky, right_solve = np.linalg.cholesky, newton_basis.scipy.linalg.solve_triangular
    with monkeypatch.context() as patch:
        patch.setattr(np.linalg, "cholesky", lambda a: right_cholesky(a) * (1 + 1e-9))
        with pytest.raises(ArithmeticError, match="Cholesky factor of 6 queries"):
            basis.extended(QUERIES[3:])
    with monkeypatch.context() as patch:
        patch.setattr(
            newton_basis.scipy.linalg,
            "solve_triangular",
            lambda a, b, **k: right_solve(a, b, **k) * (1 + (b.shape[1] == 6) * 1e-4),
        )
        with pytest.raises(ArithmeticError, match="inverse factor of 6 queries"):
            basis.extended(QUERIES[3:])
    basis.extended(QUERIES[3:])


def test_adding_a_query_costs_the_square_of_their_number():
    """Not the cube: only new rows are factored, in arrays of t entries each."""
    calls = []
    kernel = LazyKernel(Parameters(10, 2, 1, SCALE, BALL), 64)
    basis = NewtonBasis.empty(kernel).extended(circle(*np.linspace(0, 6, 40)))
    real = np.linalg.cholesky
    try:
        np.linalg.cholesky = lambda a: calls.append(a.shape) or real(a)
        basis.extended(circle(6.1))
    finally:
        np.linalg.cholesky = real
    assert calls == [(1, 1)]


# --- privacy -----------------------------------------------------------------------------------------------------


def shift(one, other, queries, **options):
    """How far apart, in l2 and the unit of the noise, frozen noise leaves the coefficients of two datasets."""
    released = [make(rows, **options) for rows in (one, other)]
    for release in released:
        for part in np.array_split(queries, 3):
            release.query(part)
    a, b = (release.state.arrays()["coefficients"] for release in released)
    noise = released[0].state._noise
    return np.linalg.norm((a - b).astype(float)) * noise.grid, noise


def replaced(row, key, value):
    keys, values = (array.copy() for array in data())
    keys[row], values[row] = key, value
    return keys, values


PAIRS = {
    "opposite ends": ((1.0, 0.0), 1.0, (-1.0, 0.0), -1.0),
    "opposite values": ((1.0, 0.0), 1.0, (1.0, 0.0), -1.0),
    "near keys": ((1.0, 0.0), 1.0, (np.cos(0.1), np.sin(0.1)), 1.0),
    "inside": ((0.3, 0.1), 0.2, (0.0, -0.9), 1.0),
}


@pytest.mark.parametrize("spread", [1.0, 1e-5])
@pytest.mark.parametrize("pair", PAIRS)
def test_no_pair_of_neighbours_is_further_apart_than_the_noise_covers(pair, spread):
    key, value, other_key, other_value = PAIRS[pair]
    queries = np.concatenate([[key], [other_key], circle(*(spread * np.arange(1, 20)))])
    apart, noise = shift(replaced(3, key, value), replaced(3, other_key, other_value), queries)
    # the integers themselves, rounding included: this is what the profile of the noise is for
    assert 0 < apart <= noise.sensitivity * (1 + noise.rounding_charge)
    claimed = gaussian_profile.delta(1.0, noise.sensitivity * (1 + noise.rounding_charge), noise.sigma)
    assert claimed <= CLAIM.delta


@pytest.mark.parametrize(("bounds", "row", "other"), [
    (BALL, (1.0, 0.0, 1.0), (1.0, 0.0, -1.0)),
    (dv.Bounds(2.0, 0.5, 1.0, "ball"), (2.0, 0.0, 1.0), (2.0, 0.0, -1.0)),
    (dv.Bounds(1.0, 1.0, 1.0, "positive_box"), (1.0, 1.0, 1.0), (1.0, 1.0, -1.0)),
    (dv.Bounds(2.0, 1.0, 1.0, "ball", values_nonnegative=True), (2.0, 0.0, 1.0), (-2.0, 0.0, 1.0)),
])  # fmt: skip
def test_the_sensitivity_is_attained(bounds, row, other):
    """Asking at the two keys (in the units of queries) shows the whole of what a row can do."""
    one, two = np.zeros((5, 3)), np.zeros((5, 3))
    one[0], two[0] = row, other
    at = np.unique(np.array([row[:2], other[:2]]) * bounds.query / bounds.key, axis=0)
    apart, noise = shift((one[:, :2], one[:, 2:]), (two[:, :2], two[:, 2:]), at, bounds=bounds)
    assert 0.99 * noise.sensitivity < apart <= noise.sensitivity * (1 + noise.rounding_charge)


def test_under_counted_sensitivity_would_be_seen():
    """Control for the two tests above: without the factor for two rows the worst pair is beyond the noise."""
    apart, noise = shift(*(replaced(3, *PAIRS["opposite values"][i : i + 2]) for i in (0, 2)), circle(0.0))
    assert apart > noise.sensitivity / np.sqrt(2)


def test_unequal_radii_are_balanced():
    """Only the product of the bounds matters: a factor moved from queries to keys changes neither noise nor answer."""
    keys, values = data()
    even = make((keys, values))
    uneven = make((4 * keys, values), bounds=dv.Bounds(4.0, 0.25, 1.0, "ball"))
    assert uneven.certificate.details["l2 sensitivity"] == pytest.approx(
        even.certificate.details["l2 sensitivity"], rel=1e-9
    )
    assert np.allclose(uneven.query(QUERIES / 4), even.query(QUERIES), rtol=1e-3, atol=1e-3)


def test_the_certificate_says_what_it_rests_on():
    release = make()
    certificate = release.certificate
    assert certificate.mechanism == "attention, lazy Gaussian process"
    assert certificate.adjacency is dv.Adjacency.REPLACE_ONE
    noise = release.state._noise
    covered = noise.sensitivity * (1 + noise.rounding_charge)
    profile = gaussian_profile.delta(1.0, covered, noise.sigma)
    assert 0.99 * CLAIM.delta < profile <= certificate.delta_upper <= CLAIM.delta
    assert noise.draws == 32 * 2
    text = str(certificate)
    for word in ("NOT PRIVATE", "idealised numerics", "copy", "largest number of queries 32", "jitter", "load_release"):
        assert word in text
    assert make(bits=dv.OSBits()).certificate.private
    assert dv.release_attention(*data(), CLAIM, bounds=BALL, method="lazy").certificate.private


def test_rounded_values_and_the_weight_keep_the_bounds():
    grids = LazyKernel(Parameters(10, 2, 3, SCALE, BALL), 24).grids(0.3)
    assert grids.normaliser_weight == pytest.approx(0.3, rel=1e-5)
    assert grids.value <= 2 * np.hypot(1, 0.3) * 2.0**-lazy_kernel.VALUE_BITS


# --- asking ------------------------------------------------------------------------------------------------------


def test_a_repeated_query_gets_the_same_answer():
    release = make()
    first = release.query(QUERIES)
    assert release.state.asked == 6
    assert np.array_equal(release.query(QUERIES[[4, 4, 0]]), first[[4, 4, 0]])
    assert np.array_equal(release.query([[-0.0, 0.0], [0.0, -0.0]]), first[[5, 5]])
    assert release.state.asked == 6
    again = make()
    assert np.array_equal(again.query(np.concatenate([QUERIES, QUERIES])), np.concatenate([first, first]))
    assert again.state.asked == 6
    assert release.query(np.zeros((0, 2))).shape == (0, 1)


def test_past_the_limit_nothing_is_answered():
    release = make(max_queries=4)
    release.query(QUERIES[:3])
    with pytest.raises(dv.CapacityError, match=r"3 new queries after 3 make 6, above max_queries = 4.*dv\.Nystrom"):
        release.query(QUERIES)
    assert release.state.asked == 3
    before = {name: array.copy() for name, array in release.state.arrays().items()}
    release.query(QUERIES[:3])
    release.query(QUERIES[3:4])
    assert release.state.asked == 4
    with pytest.raises(dv.CapacityError, match="1 new queries after 4 make 5"):
        release.query(QUERIES[4:5])
    assert np.array_equal(release.state.arrays()["coefficients"][:3], before["coefficients"])


def test_threads_share_one_process():
    release = make()
    answers = {}

    def ask(i):
        answers[i] = release.query(QUERIES[np.random.default_rng(i).permutation(6)[:4]])

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert release.state.asked == 6
    for i, answer in answers.items():
        assert np.array_equal(answer, release.query(QUERIES[np.random.default_rng(i).permutation(6)[:4]]))


def test_it_is_neither_copied_nor_forked(monkeypatch):
    release = make()
    for copying in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            copying(release.state)
    with pytest.raises(TypeError):
        copy.deepcopy(release)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(dv.InvalidArgument, match="process"):
        release.query(QUERIES)
    assert release.state.asked == 0


def test_later_changes_of_the_callers_arrays_do_not_matter():
    keys, values = data()
    release = make((keys, values))
    keys[:], values[:] = 0.0, 0.0
    assert np.array_equal(release.query(QUERIES), make().query(QUERIES))


def test_rows_may_come_in_blocks_and_order_does_not_matter():
    keys, values = data()
    blocks = [(keys[20:], values[20:]), (keys[:20], values[:20])]
    release = dv.release_attention(
        blocks, None, CLAIM, rows=40, bounds=BALL, scale=SCALE, max_queries=32, normaliser_weight=0.5, method="lazy",
        bits=SeededBits(0),
    )  # fmt: skip
    assert np.array_equal(release.query(QUERIES), make().query(QUERIES))


@pytest.mark.parametrize(("bounds", "scale"), [
    (BALL, 299.0),
    (BALL, 1e-6),
    (dv.Bounds(1e-3, 1e5, 1.0, "box"), 1.4),
    (dv.Bounds(1.0, 1.0, 1e-6, "positive_box", values_nonnegative=True), 140.0),
])  # fmt: skip
def test_extreme_domains_give_finite_answers_inside_the_range(bounds, scale):
    rng = np.random.default_rng(0)
    keys, queries = (np.abs(rng.normal(size=(30, 2))) * size for size in (bounds.key, bounds.query))
    keys, queries = bounds.clip_keys(keys)[0], bounds.clip_queries(queries)[0]
    release = make((keys, np.full((30, 1), bounds.value)), bounds=bounds, scale=scale)
    answers = release.query(queries)
    assert np.all(np.isfinite(answers))
    assert bounds.value_low <= answers.min() <= answers.max() <= bounds.value
    sums, normaliser = release.state.weighted_sums(queries)
    assert np.all(np.isfinite(sums))
    assert np.all(np.isfinite(normaliser))
    assert 0 < release.error_bound(0.1) <= bounds.value_span


@pytest.mark.parametrize("simultaneous", [False, True, "adaptive"])
def test_error_bounds_hold(simultaneous):
    """Seeds are fixed; at probability 0.05, in eight releases of six queries, far fewer fail than may."""
    keys, values = data(4000)
    exact = dv.attention(QUERIES, keys, values, SCALE)
    outside, ratio = 0, []
    for seed in range(8):
        release = make((keys, values), bits=SeededBits(seed), normaliser_weight=None)
        error = np.abs(release.query(QUERIES) - exact)[:, 0]
        domain = release.error_bound(0.05, simultaneous=simultaneous)
        bounds = release.error_bound(0.05, simultaneous, queries=QUERIES)
        assert np.all(bounds <= 2.0)
        assert bounds.max() < 0.5
        outside += int((error > bounds).sum()) + int((error > domain).sum())
        ratio.append((error / bounds).max())
    assert outside <= 0.05 * 8 * 6
    assert max(ratio) > 0.1
    assert np.all(release.standard_error(QUERIES) < 0.2)
    assert not release.drowned(QUERIES).any()


# --- files -------------------------------------------------------------------------------------------------------


def load(path, rows=None, **options):
    keys, values = data() if rows is None else rows
    return dv.load_release(path, keys=keys, values=values, **options)


def test_a_file_continues_where_it_was(tmp_path):
    release = make()
    first = release.query(QUERIES[:3])
    release.save(tmp_path / "r")
    later = release.query(QUERIES[3:5])  # is in the file before it is returned
    loaded = load(tmp_path / "r")
    assert loaded.state.asked == 5
    assert np.array_equal(loaded.query(QUERIES[:5]), np.concatenate([first, later]))
    assert loaded.certificate == release.certificate
    assert loaded.error_bound(0.1) == release.error_bound(0.1)
    loaded.query(QUERIES[5:])
    assert load(tmp_path / "r").state.asked == 6
    assert [p.name for p in tmp_path.iterdir()] == ["r"]


def test_the_file_holds_public_numbers_only(tmp_path):
    """With the noise frozen, two neighbours' files differ in the noisy numbers alone."""
    keys, values = data()
    other = replaced(3, (-1.0, 0.0), -1.0)
    with pytest.warns(dv.OutOfBoundsWarning):
        clipped = make((np.where(np.arange(40)[:, None] == 3, 7.0, keys), values))
    headers, parts = [], []
    for name, release in (("a", make()), ("b", make(other)), ("c", clipped)):
        release.query(QUERIES)
        release.save(tmp_path / name)
        with np.load(tmp_path / name, allow_pickle=False) as archive:
            assert set(archive.files) == {"header", "digest", "queries", "coefficients", "sums"}
            headers.append(bytes(archive["header"]).decode())
            parts.append({part: archive[part] for part in archive.files})
    assert len(set(headers)) == 1
    assert "seed" not in headers[0].lower()
    for part in parts:
        assert np.array_equal(part["queries"], QUERIES)
        assert part["coefficients"].dtype == np.int64
    assert not np.array_equal(parts[0]["coefficients"], parts[1]["coefficients"])
    # sums follow from the public rest: basis and noisy coefficients
    kernel = LazyKernel(Parameters(40, 2, 1, SCALE, BALL), 32)
    factor = NewtonBasis.empty(kernel).extended(QUERIES).factor
    unit = make().state.to_dict()["unit"]
    expected = (factor @ (parts[1]["coefficients"] * unit)) * kernel.query_norms(QUERIES)[:, None]
    expected[:, 1] /= kernel.grids(0.5).normaliser_weight
    assert np.allclose(parts[1]["sums"], expected, rtol=1e-12)
    raw = b"".join(part["sums"].tobytes() + part["queries"].tobytes() for part in parts)
    assert not any(row.tobytes() in raw for row in np.concatenate([keys[6:], values[6:] * np.ones(2)]))


def test_rows_are_needed_and_must_be_those_that_were_released(tmp_path):
    keys, values = data(400)
    release = make((keys, values))
    release.query(QUERIES)
    release.save(tmp_path / "r")
    with pytest.raises(dv.InvalidArgument, match=r"keys must be given for .*private rows"):
        dv.load_release(tmp_path / "r")
    with pytest.raises(dv.InvalidArgument, match="those that were released, 400 rows of 2 and 1 columns"):
        dv.load_release(tmp_path / "r", keys=keys[:39], values=values[:39])
    with pytest.raises(dv.InvalidArgument, match="those that were released"):
        dv.load_release(tmp_path / "r", keys=keys, values=np.column_stack([values, values]))
    # a difference that the noise hides cannot be seen, one that it does not hide is
    other_values = values.copy()
    other_values[3] = -np.sign(values[3])
    load(tmp_path / "r", (keys, other_values))
    with pytest.raises(dv.InvalidArgument, match=r"that this release was made from.*rows"):
        load(tmp_path / "r", (keys, np.ones((400, 1))))
    load(tmp_path / "r", (keys[::-1], values[::-1]))


def test_noise_too_small_to_be_true_is_refused(tmp_path):
    """Coefficients without their noise: a file that was never made by this library."""
    release = make(max_queries=100)
    points = circle(*np.linspace(0, 6, 100))
    release.query(points)
    answered = release.state._answered
    bare = release.state._rounded(answered.basis, answered.exact, 0)
    storage.write(tmp_path / "r", release.to_dict(), {**release.state.arrays(), "coefficients": bare})
    with pytest.raises(dv.InvalidArgument, match="noise of 0 times"):
        load(tmp_path / "r")


def test_other_methods_want_no_rows(tmp_path):
    keys, values = data()
    dv.release_attention(keys, values, CLAIM, bounds=BALL, degree=1, bits=SeededBits(0)).save(tmp_path / "f")
    for name, given in (("keys", keys), ("values", values), ("rows", 40), ("bits", SeededBits(0))):
        with pytest.raises(dv.InvalidArgument, match=f"{name} must be left out"):
            dv.load_release(tmp_path / "f", **{name: given})


def test_two_continuations_of_one_file_are_refused(tmp_path):
    """The second would answer with noise of its own."""
    release = make()
    release.save(tmp_path / "r")
    one, two = load(tmp_path / "r"), load(tmp_path / "r")
    one.query(QUERIES[:2])
    with pytest.raises(dv.ReleaseFileError, match="continued elsewhere"):
        two.query(QUERIES[:2])
    with pytest.raises(dv.ReleaseFileError, match="continued elsewhere"):
        release.save(tmp_path / "r")
    assert two.state.asked == release.state.asked == 0
    assert load(tmp_path / "r").state.asked == 2
    (tmp_path / "r").unlink()
    with pytest.raises(dv.ReleaseFileError, match="gone"):
        one.query(QUERIES[2:])
    one.save(tmp_path / "elsewhere")
    one.query(QUERIES[2:])
    assert load(tmp_path / "elsewhere").state.asked == 6


def test_without_locks_a_file_is_still_not_continued_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "_locked", lambda file: False)
    release = make()
    release.save(tmp_path / "r")
    other = load(tmp_path / "r")
    release.query(QUERIES)
    with pytest.raises(dv.ReleaseFileError, match="continued elsewhere"):
        other.query(QUERIES)
    assert load(tmp_path / "r").state.asked == 6


def test_a_file_is_locked_while_it_is_replaced(tmp_path, monkeypatch):
    """Another continuation waits for the lock, then finds the file changed."""
    release = make()
    release.save(tmp_path / "r")
    other = load(tmp_path / "r")
    refused = []

    def ask():
        try:
            other.query(QUERIES)
        except dv.ReleaseFileError as error:
            refused.append(error)

    thread = threading.Thread(target=ask)
    real = storage.write

    def slow(*arguments):
        monkeypatch.setattr(storage, "write", real)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
        return real(*arguments)

    monkeypatch.setattr(storage, "write", slow)
    release.query(QUERIES)
    thread.join()
    assert len(refused) == 1
    assert load(tmp_path / "r").state.asked == 6


def test_an_answer_that_cannot_be_written_is_not_given(tmp_path, monkeypatch):
    release = make()
    release.query(QUERIES[:1])
    release.save(tmp_path / "r")

    def broken(*_, **__):
        raise OSError("disk full")

    before = release.state.arrays()
    with monkeypatch.context() as patch:
        patch.setattr(np, "savez_compressed", broken)
        with pytest.raises(OSError, match="disk full"):
            release.query(QUERIES)
    assert release.state.asked == 1
    assert all(np.array_equal(release.state.arrays()[name], before[name]) for name in before)
    assert [p.name for p in tmp_path.iterdir()] == ["r"]
    assert load(tmp_path / "r").state.asked == 1
    release.query(QUERIES)
    assert load(tmp_path / "r").state.asked == 6


def test_an_interruption_after_writing_leads_to_no_second_draw(tmp_path, monkeypatch):
    release = make()
    release.save(tmp_path / "r")
    real = storage.rewrite

    def interrupted(*arguments):
        real(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(storage, "rewrite", interrupted)
        with pytest.raises(KeyboardInterrupt):
            release.query(QUERIES)
    with pytest.raises(dv.ReleaseFileError, match="continued elsewhere"):
        release.query(QUERIES)
    assert load(tmp_path / "r").state.asked == 6


@pytest.mark.parametrize("position", [30, 400, -60, -5])
def test_a_damaged_file_is_refused(tmp_path, position):
    release = make()
    release.query(QUERIES)
    release.save(tmp_path / "r")
    raw = bytearray((tmp_path / "r").read_bytes())
    raw[position] ^= 0xFF
    (tmp_path / "r").write_bytes(raw)
    try:
        loaded = load(tmp_path / "r")
    except dv.ReleaseFileError:
        return
    assert position == -60  # zip files hold bytes that mean nothing
    assert np.array_equal(loaded.query(QUERIES), release.query(QUERIES))


@pytest.mark.parametrize("change", [
    {"coefficients": np.zeros((6, 2))},
    {"coefficients": np.zeros((5, 2), dtype=np.int64)},
    {"sums": np.zeros((6, 3))},
    {"queries": np.zeros((6, 3))},
    {"queries": np.zeros((6, 2))},
])  # fmt: skip
def test_arrays_that_do_not_fit_are_refused(tmp_path, change):
    release = make()
    release.query(QUERIES)
    storage.write(tmp_path / "r", release.to_dict(), {**release.state.arrays(), **change})
    with pytest.raises(dv.ReleaseFileError, match="not a release that this version can read"):
        load(tmp_path / "r")


def test_other_constants_and_missing_parts_are_refused(tmp_path):
    release = make()
    for change in ({"sigma": 1.0}, {"jitter": 1e-9}, {"max_queries": 31}, {"grids": {}}):
        contents = release.to_dict()
        contents["state"] = {**contents["state"], **change}
        storage.write(tmp_path / "r", contents, release.state.arrays())
        with pytest.raises(dv.ReleaseFileError, match="not a release that this version can read"):
            load(tmp_path / "r")


def test_a_seeded_continuation_is_not_private(tmp_path):
    dv.release_attention(*data(), CLAIM, bounds=BALL, method="lazy", max_queries=8).save(tmp_path / "r")
    assert load(tmp_path / "r").certificate.private
    seeded = load(tmp_path / "r", bits=SeededBits(0))
    assert not seeded.certificate.private
    seeded.query(QUERIES)
    assert not load(tmp_path / "r").certificate.private


# --- arguments ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("argument", "options"), [
    ("max_queries", {"max_queries": 0}),
    ("max_queries", {"max_queries": 2.5}),
    ("max_queries", {"max_queries": 20_000}),
    ("degree", {"degree": 2}),
    ("features", {"features": dv.Nystrom(number=3)}),
    ("normaliser_weight", {"normaliser_weight": -1.0}),
    ("scale", {"scale": 1e4}),
])  # fmt: skip
def test_bad_arguments_are_named(argument, options, monkeypatch):
    monkeypatch.setattr("dpverify.cross_attention.release.MAX_BYTES", 1 << 50)
    with pytest.raises(dv.InvalidArgument) as caught:
        make(**options)
    assert caught.value.argument == argument


def test_other_methods_take_no_limit():
    with pytest.raises(dv.InvalidArgument, match="max_queries"):
        dv.release_attention(*data(), CLAIM, bounds=BALL, max_queries=5)


def test_what_does_not_fit_memory_is_refused():
    check_lazy_capacity(Parameters(10**5, 64, 10, SCALE, BALL), lazy.DEFAULT_MAX_QUERIES)
    for rows, limit in ((10**7, 2048), (1000, 10**5)):
        with pytest.raises(dv.CapacityError, match=r"bytes, above the limit.*max_queries"):
            check_lazy_capacity(Parameters(rows, 64, 10, SCALE, BALL), limit)


@pytest.mark.parametrize(("dimension", "queries"), list(itertools.product((1, 64, 1000), (1, 300, 2048))))
def test_the_charges_stay_small(dimension, queries):
    """For digits-like sizes: jitter and float errors cost less than 1 % of the noise."""
    kernel = LazyKernel(Parameters(1500, dimension, 10, 8.0, BALL), queries)
    assert kernel.jitter < 2e-2
    assert kernel.excess < 1e-2
    assert kernel.deviation < 1e-3 * kernel.key_norm
    assert kernel.sensitivity(1.0, 0.3) < 1.01 * kernel.key_norm * np.sqrt(2 * 1.09 + 2 * 0.91)

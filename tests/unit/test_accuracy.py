"""Error bounds, standard errors and flags of a release, against measured error over many seeded releases."""

import importlib
import warnings

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import dpverify as dv
import dpverify.spec as spec
from dpverify.cross_attention import accuracy, dptree
from dpverify.cross_attention.answers import NoisySums
from dpverify.cross_attention.parameters import Parameters
from dpverify.cross_attention.polynomial import PolynomialMap
from dpverify.nodes import NoisyNodes
from dpverify.noise import SeededBits
from dpverify.spec.adaptive import sign_patterns
from dpverify.spec.attention import answer_confidence
from dpverify.spec.noise import bounded_sum_tail

CLAIM = dv.ApproxDP(1.0, 1e-5)
BOX = dv.Bounds(value=2.0, shape="positive_box")
BALL = dv.Bounds(values_nonnegative=True)

pytestmark = pytest.mark.filterwarnings("ignore::dpverify.DrownedDenominatorWarning")


class Once:
    """Features whose map is built once, for many releases of the same shape."""

    def __init__(self, choice):
        self.choice, self.made = choice, None

    def build(self, parameters):
        self.made = self.choice.build(parameters) if self.made is None else self.made
        return self.made


def in_box(rows, dimension, seed):
    return np.random.default_rng(seed).uniform(0, 1, (rows, dimension))


def on_sphere(rows, dimension, seed):
    points = np.random.default_rng(seed).normal(size=(rows, dimension))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


class Setting:
    """Keys, values and queries, with what is released of them."""

    def __init__(self, bounds, keys, values, queries, claim=CLAIM, **options):
        self.data, self.claim, self.options = (keys, values), claim, {"bounds": bounds, **options}
        self.queries, self.bounds = queries, bounds
        self.scale = options.get("scale")

    def release(self, seed=0):
        return dv.release_attention(*self.data, self.claim, bits=SeededBits(seed), **self.options)

    def error(self, release, queries=None):
        """Largest entry of |answer - exact attention| at each query."""
        asked = self.queries if queries is None else queries
        return np.abs(release.query(asked) - dv.attention(asked, *self.data, self.scale)).max(axis=1)


def signs(keys):
    return (keys[:, :2] > 0) / np.sqrt(2)  # rows inside the ball of the values


SPHERE = on_sphere(3000, 3, 0)
ASKED = on_sphere(40, 3, 1)
SETTINGS = {
    "polynomial": Setting(BOX, in_box(3000, 2, 0), 2 * in_box(3000, 1, 1) - 1, in_box(40, 2, 2), degree=5),
    "polynomial, two columns": Setting(BALL, SPHERE, signs(SPHERE), ASKED, scale=2.0),
    "low degree": Setting(
        dv.Bounds(shape="box", query=3.0), 0.3 * in_box(3000, 2, 0), in_box(3000, 1, 1), in_box(40, 2, 2) / 4, degree=3
    ),
    "Nystrom": Setting(
        BALL,
        SPHERE,
        signs(SPHERE),
        ASKED,
        scale=2.0,
        features=Once(dv.Nystrom(np.vstack([ASKED, np.random.default_rng(3).normal(size=(60, 3)) / 3]))),
    ),
    "lazy": Setting(BALL, SPHERE[:800], signs(SPHERE[:800]), ASKED, dv.ApproxDP(4.0, 1e-5), scale=2.0, method="lazy"),
    "dptree": Setting(
        dv.Bounds(shape="positive_box"),
        in_box(16000, 1, 0),
        2 * in_box(16000, 1, 1) - 1,
        in_box(40, 1, 2),
        dv.ApproxDP(6.0, 1e-5),
        degree=3,
        method="dptree",
    ),
}
SEEDS = {"dptree": 12, "Nystrom": 20}
FAILURE = 0.2  # large, so that bounds are seen to fail about as often as they may


@pytest.fixture(scope="module")
def measured():
    """name -> (releases, errors of shape (releases, queries)), made when first asked for."""
    made = {}

    def of(name):
        if name not in made:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                releases = [SETTINGS[name].release(seed) for seed in range(SEEDS.get(name, 30))]
                made[name] = releases, np.array([SETTINGS[name].error(release) for release in releases])
        return made[name]

    return of


@pytest.mark.parametrize("name", SETTINGS)
def test_bounds_for_given_queries_cover_and_are_sharp(name, measured):
    releases, errors = measured(name)
    queries = SETTINGS[name].queries
    bounds = np.array([release.error_bound(FAILURE, queries=queries) for release in releases])
    assert bounds.shape == errors.shape
    assert (errors > bounds).mean() <= FAILURE
    together = np.array([release.error_bound(FAILURE, True, queries=queries) for release in releases])
    assert (errors > together).any(axis=1).mean() <= FAILURE
    assert np.all(together >= bounds)
    # no more than ten times the measured worst, for either; and far from what needs no release at all
    assert np.median(bounds) <= 10 * errors.max()
    assert together.max() <= 10 * errors.max()
    assert np.median(bounds) <= SETTINGS[name].bounds.value_span / 2


@pytest.mark.parametrize("name", ["polynomial, two columns", "Nystrom"])
def test_bounds_for_given_queries_fail_sometimes_where_they_may(name, measured):
    """The control of the test above: it would see bounds half as large."""
    releases, errors = measured(name)
    bounds = np.array([release.error_bound(FAILURE, queries=SETTINGS[name].queries) for release in releases])
    assert (errors > bounds / 2).mean() > FAILURE


@pytest.mark.parametrize(
    ("bounds", "options"),
    [
        (dv.Bounds(), {"features": dv.Nystrom(ASKED[:9]), "scale": 1.0}),
        (dv.Bounds(), {"degree": 2, "scale": 1.0}),
        (dv.Bounds(query=4.0), {"degree": 2, "scale": 1.0}),
    ],
    ids=["Nystrom", "polynomial", "polynomial that cannot serve the widest queries"],
)
def test_bounds_for_given_queries_count_the_kernel_error(bounds, options, monkeypatch):
    """With hardly any noise, the kernel's error is what is left: with its terms dropped, the bound must fail."""
    setting = Setting(bounds, SPHERE, SPHERE[:, :1], ASKED, dv.ApproxDP(60.0, 0.4), **options)
    release = setting.release()
    errors, made = setting.error(release), release.error_bound(1e-3, queries=ASKED)
    assert np.all(errors <= made)
    assert np.all(made < 2.0)
    zeros = np.zeros(len(ASKED)), np.zeros(len(ASKED))
    monkeypatch.setattr(accuracy, "kernel_margins", lambda *_: zeros)
    assert np.any(errors > release.error_bound(1e-3, queries=ASKED))


def test_bounds_for_given_queries_serve_where_the_domain_is_too_wide(measured):
    """A degree that cannot serve the widest queries, and features without any proof over the whole domain."""
    for name in ("low degree", "Nystrom"):
        (release, *_), _ = measured(name)
        span = SETTINGS[name].bounds.value_span
        assert release.error_bound(0.05) == release.error_bound(0.05, simultaneous=True) == span
        assert release.error_bound(0.05, queries=SETTINGS[name].queries).max() < span / 4


@pytest.mark.parametrize("name", ["polynomial", "dptree"])
def test_one_bound_holds_at_all_queries_of_the_domain(name, measured):
    """The measured worst is the maximum over a fine grid, and the corners."""
    releases, _ = measured(name)
    setting = SETTINGS[name]
    dimension = setting.queries.shape[1]
    line = np.linspace(0, 1, 400 if dimension == 1 else 40)
    everywhere = np.stack(np.meshgrid(*[line] * dimension), axis=-1).reshape(-1, dimension)
    worst = np.array([setting.error(release, everywhere).max() for release in releases[:12]])
    bound = releases[0].error_bound(FAILURE, simultaneous=True)
    assert (worst > bound).mean() <= FAILURE
    # the trees' classes are counted generously, and every query is charged the most nodes that one may read
    assert releases[0].error_bound(FAILURE) < bound <= (20 if name == "dptree" else 10) * worst.max()


@pytest.mark.parametrize("name", ["polynomial, two columns", "Nystrom"])
def test_adaptive_bounds_hold_for_queries_chosen_after_the_answers(name, measured):
    """An adversary who knows the data asks where the release errs most."""
    releases, _ = measured(name)
    setting = SETTINGS[name]
    pool = on_sphere(2000, 3, 7)
    fooled, adaptive = 0, 0
    for release in releases[:10]:
        errors = setting.error(release, pool)
        bounds = release.error_bound(0.5, queries=pool)
        chosen = [int(np.argmax(errors / bounds))]
        fooled += bool(errors[chosen] > bounds[chosen])
        adaptive += bool(errors[chosen] > release.error_bound(0.5, "adaptive", queries=pool[chosen]))
    assert adaptive <= 5
    assert fooled > 5, "the adversary is the control: bounds for fixed queries do not survive it"


@pytest.mark.parametrize("name", ["polynomial", "polynomial, two columns", "Nystrom", "lazy", "dptree"])
def test_standard_errors_are_standard_deviations(name, measured):
    """Scores (answer - noise-free answer) / standard error, over releases; queries of one release are correlated."""
    releases, _ = measured(name)
    queries = SETTINGS[name].queries
    answers = np.array([release.query(queries) for release in releases])
    errors = np.array([release.standard_error(queries) for release in releases])
    sunk = np.array([release.drowned(queries) for release in releases])
    assert answers.shape == errors.shape
    assert sunk.mean() < 0.1
    # the mean over releases stands for the noise-free answer: a degree of freedom less
    scores = (answers - answers.mean(axis=0)) / errors
    variance = (scores[~sunk] ** 2).mean() * len(releases) / (len(releases) - 1)
    assert 0.6 < variance < 1.5


def drowning(seed=0):
    """A release whose normalisers can be far below their noise: few rows, and logits up to 6."""
    keys = on_sphere(60, 3, 4)
    return dv.release_attention(keys, keys[:, :1], CLAIM, bounds=dv.Bounds(), scale=6.0, bits=SeededBits(seed))


def test_drowned_answers_are_flagged_finite_and_in_the_public_range():
    queries = on_sphere(50, 3, 5)
    for seed in range(5):
        release = drowning(seed)
        sunk = release.drowned(queries)
        sums = release.state.noisy_sums(queries)
        old_rule = sums.normalisers < release.state.denominator_min
        assert np.all(sunk >= old_rule)
        assert sunk.sum() > old_rule.sum(), "the public minimum alone would have missed some"
        with pytest.warns(dv.DrownedDenominatorWarning, match=f"{sunk.sum()} of 50 queries"):
            answers = release.query(queries)
        assert np.all(np.abs(answers) <= 1.0)
        assert np.all(release.standard_error(queries)[sunk] == 2.0)
        bounds = release.error_bound(0.01, queries=queries)
        assert np.all(np.isfinite(bounds))
        assert np.all(bounds <= 2.0)


def test_bounds_hold_for_drowned_answers_too():
    """The answer is the clamped ratio, flagged or not; a floor at three deviations would not be covered."""
    queries = on_sphere(50, 3, 5)
    keys = on_sphere(60, 3, 4)
    exact = dv.attention(queries, keys, keys[:, :1], 6.0)
    missed = [
        np.abs(release.query(queries) - exact)[:, 0] > release.error_bound(0.3, queries=queries)
        for release in map(drowning, range(20))
    ]
    assert np.mean(missed) <= 0.3


def test_the_flag_follows_its_rule():
    sums = NoisySums(
        np.array([[4.0], [4.0], [4.0], [4.0]]),
        np.array([8.0, 2.9, 0.9, -5.0]),
        np.full(4, 0.1),
        np.array([1.0, 1.0, 0.1, 0.1]),
        np.full(4, 1.0),
    )
    assert sums.drowned.tolist() == [False, True, True, True]
    bounds = dv.Bounds(value=3.0)
    with pytest.warns(dv.DrownedDenominatorWarning, match="3 of 4"):
        assert sums.answers(bounds).tolist() == [[0.5], [4.0 / 2.9], [3.0], [3.0]]
    assert sums.standard_errors(bounds)[0, 0] == pytest.approx(np.hypot(0.1, 0.5) / 8.0)
    assert sums.standard_errors(bounds)[1:].ravel().tolist() == [6.0] * 3


def test_what_is_not_proven_gives_the_trivial_bound():
    setting = Setting(BOX, in_box(300, 2, 0), in_box(300, 1, 1), in_box(5, 2, 2),
                      features=dv.PositiveRandomFeatures(number=500))  # fmt: skip
    release = setting.release()
    assert release.error_bound(0.05) == BOX.value_span
    reach = np.abs(release.query(setting.queries))[:, 0] + BOX.value  # to the farther end of the range
    assert np.allclose(release.error_bound(0.05, queries=setting.queries), reach)


def test_bounds_survive_saving_and_follow_the_policy_on_queries(tmp_path, measured):
    (release, *_), _ = measured("polynomial")
    queries = SETTINGS["polynomial"].queries
    release.save(tmp_path / "r.dpv")
    loaded = dv.load_release(tmp_path / "r.dpv")
    for mode in (False, True, "adaptive"):
        assert np.array_equal(release.error_bound(0.1, mode, queries), loaded.error_bound(0.1, mode, queries))
    assert np.array_equal(release.standard_error(queries), loaded.standard_error(queries))
    with pytest.warns(dv.OutOfBoundsWarning):
        moved = release.error_bound(0.1, queries=[[0.5, 7.0]])
    assert np.allclose(moved, release.error_bound(0.1, queries=[[0.5, 1.0]]), rtol=1e-9)
    assert release.error_bound(0.1, True, queries=np.zeros((0, 2))).shape == (0,)
    with pytest.raises(dv.InvalidArgument, match="simultaneous"):
        release.error_bound(0.1, "all")
    for call in (release.standard_error, release.drowned, lambda q: release.error_bound(0.1, queries=q)):
        with pytest.raises(dv.InvalidArgument, match=r"\(m, 2\)"):
            call([[0.1, 0.2, 0.3]])


def test_a_failure_probability_below_the_coupling_is_hopeless(measured):
    (release, *_), _ = measured("polynomial")
    least = release.state.coupling / 2
    assert release.error_bound(least, simultaneous=True) == BOX.value_span
    assert np.all(release.error_bound(least, queries=[[0.5, 0.5]]) == BOX.value_span)


@pytest.mark.parametrize("shape", ["ball", "box", "positive_box"])
@pytest.mark.parametrize("degree", [2, 3, 8])
def test_the_public_numbers_of_a_query_hold_for_every_key(shape, degree):
    """Least weight, and the factors of the polynomial kernel, against the keys' corners and random keys."""
    parameters = Parameters(10, 2, 1, 0.7, dv.Bounds(1.5, 2.0, shape=shape))
    rng = np.random.default_rng(0)
    keys = parameters.bounds.clip_keys(np.vstack([rng.normal(size=(300, 2)) * 3, [[9, 9], [9, -9], [0, -9]]]))[0]
    queries = parameters.bounds.clip_queries(np.vstack([rng.normal(size=(40, 2)), 9 * np.eye(2), np.zeros((1, 2))]))[0]
    phi = PolynomialMap(parameters, degree)
    weights = np.exp(0.7 * queries @ keys.T)
    assert np.all(accuracy.weight_min(parameters, queries) <= weights.min(axis=1))
    low, high = accuracy.kernel_factors(phi, queries, np.zeros(len(queries)))
    factors = (phi(queries).T @ phi(keys)) / weights
    assert np.all(low <= factors.min(axis=1) + 1e-12)
    assert np.all(factors.max(axis=1) <= high + 1e-12)
    widest = phi.kernel_factors
    assert np.all(low >= widest[0])
    assert np.all(high <= widest[1] * (1 + 1e-12))
    assert low[-1] > widest[0], "a small query has a small error"


def tree_state(levels, degree=2, signed=True, node_bound=1.0):
    phi = PolynomialMap(Parameters(8, 1, 1, 0.8, dv.Bounds(shape="box" if signed else "positive_box")), degree)
    return dptree.TreeState(phi, NoisyNodes(tuple(levels), 1.0), 0.0, node_bound, 1.0, 0.0)


def zero_levels(trees, height=3):
    return [np.zeros((trees, 1 << (height - level)), dtype=np.int64) for level in range(height + 1)]


@pytest.mark.parametrize("signed", [False, True])
def test_the_coefficients_of_a_tree_query_are_those_that_it_reads(signed):
    """One node at a time is set to one: what the normaliser answers is that node's coefficient."""
    queries = np.array([[0.0], [0.07], [0.3], [0.51], [-0.6 if signed else 0.6], [1.0]])
    trees = 3 * 2 * 3
    read, apart = [], []
    for level, array in enumerate(zero_levels(trees)):
        for place in np.ndindex(array.shape):
            levels = zero_levels(trees)
            levels[level][place] = 1
            numerators, normalisers = tree_state(levels, signed=signed).weighted_sums(queries)
            read.append(normalisers)
            apart.append(numerators[:, 0] - normalisers)
    coefficients, combined = np.array(read), np.array(apart)
    state = tree_state(zero_levels(trees), signed=signed)
    squares, largest, total, _ = state._coefficients(queries)
    assert np.allclose(squares, (coefficients**2).sum(axis=0), rtol=1e-12)
    assert np.allclose(largest, np.abs(coefficients).max(axis=0), rtol=1e-12)
    assert np.allclose(total, np.abs(coefficients).sum(axis=0), rtol=1e-12)
    # the error of an answer x = 1 reads both columns: the margins count on twice the squares
    assert np.allclose(2 * squares, (combined**2).sum(axis=0), rtol=1e-12)
    assert np.allclose(2 * total, np.abs(combined).sum(axis=0), rtol=1e-12)
    deviation = [
        bounded_sum_tail.deviation(c2, c, 1.0, 1.0, 0.05, c1)
        for c2, c, c1 in zip((combined**2).sum(axis=0), np.abs(combined).max(axis=0), np.abs(combined).sum(axis=0),
                             strict=True)
    ]  # fmt: skip
    rounding = 2 * total * state.nodes.grid / 2
    assert np.allclose(state.margins(queries, 0.1, adaptive=False).constant, deviation + rounding, rtol=1e-12)
    worst = state._largest_coefficients()
    assert all(np.all(have <= most) for have, most in zip((squares, largest, total), worst, strict=False))


@pytest.mark.parametrize("signed", [False, True])
def test_noise_of_a_tree_varies_little_within_a_class_of_queries(signed):
    """The worst noise, +-1 in every node, between queries that fall into the same buckets."""
    rng = np.random.default_rng(0)
    levels = [2 * rng.integers(0, 2, array.shape) - 1 for array in zero_levels(4 * 2 * 3)]
    state = tree_state(levels, degree=3, signed=signed)
    step, height = 1e-3, state.nodes.height
    queries = np.linspace(-1.0 if signed else 0.0, 1.0, 1 + round((2 if signed else 1) / step))[:, None]
    sums = state.weighted_sums(queries)[1]
    y = state.features(queries) / dptree.feature_limits(state.features)[:, None]
    bucket = dptree.buckets(y, 1 << height, signed)
    same = np.all(bucket[:, 1:] == bucket[:, :-1], axis=0)
    moved = np.abs(np.diff(sums))[same].max() / step
    # cells of width step: (2 or 1) / step of them; the slope is at most what the bound charges
    charged = state._variation() / (2.0 if signed else 1.0)
    assert charged / 20 < moved <= charged


@pytest.mark.parametrize("dimension", [1, 2])
def test_the_classes_of_queries_are_no_more_than_the_lemma_counts(dimension):
    """Different sets of buckets, among many queries of a small tree."""
    phi = PolynomialMap(Parameters(8, dimension, 1, 0.8, dv.Bounds(shape="box")), 3)
    line = np.linspace(-1, 1, 4001 if dimension == 1 else 201)
    queries = np.stack(np.meshgrid(*[line] * dimension), axis=-1).reshape(-1, dimension)
    bucket = dptree.buckets(phi(queries).T / dptree.feature_limits(phi), 8, True)
    seen = len(np.unique(bucket, axis=0))
    assert 10 < seen <= np.exp(sign_patterns.log_count(phi.size * 7, 3, dimension))


@settings(max_examples=25, phases=[Phase.explicit, Phase.generate])  # shrinking noise takes minutes
@given(
    method=st.sampled_from(["polynomial", "Nystrom", "random", "dptree"]),
    shape=st.sampled_from(["ball", "box", "positive_box"]),
    nonnegative=st.booleans(),
    rows=st.integers(1, 40),
    dimension=st.integers(1, 3),
    columns=st.integers(1, 3),
    scale=st.floats(1e-3, 3.0),
    value=st.floats(1e-3, 1e3),
    epsilon=st.floats(1e-2, 30.0),
    weight=st.sampled_from([None, 0.05, 20.0]),
    seed=st.integers(0, 2**32),
)
def test_any_release_answers_within_its_bounds_for_given_queries(
    method, shape, nonnegative, rows, dimension, columns, scale, value, epsilon, weight, seed
):
    rng = np.random.default_rng(seed)
    public = dv.Bounds(1.0, 1.0, value, shape, nonnegative)
    keys = public.clip_keys(rng.normal(size=(rows, dimension)))[0]
    values = public.clip_values(rng.normal(size=(rows, columns)) * value)[0]
    queries = public.clip_queries(rng.normal(size=(5, dimension)))[0]
    features = {"Nystrom": dv.Nystrom(queries[:3]), "random": dv.PositiveRandomFeatures(20)}.get(method)
    options = {"method": "dptree", "degree": 2} if method == "dptree" else {"normaliser_weight": weight}
    release = dv.release_attention(
        keys, values, dv.ApproxDP(epsilon, 1e-3), bounds=public, scale=scale, features=features, bits=SeededBits(seed),
        **options,
    )  # fmt: skip
    errors = np.abs(release.query(queries) - dv.attention(queries, keys, values, scale)).max(axis=1)
    for mode in (False, True, "adaptive"):
        bounds = release.error_bound(1e-9, mode, queries)  # the noise is seeded, so the outcome is fixed
        assert np.all(errors <= bounds * (1 + 1e-9))
        assert np.all(bounds <= public.value_span)
        assert errors.max() <= release.error_bound(1e-9, bool(mode)) * (1 + 1e-9)
        assert release.error_bound(1e-9, bool(mode)) <= public.value_span
    deviations = release.standard_error(queries)
    assert np.all((deviations > 0) & (deviations <= public.value_span))
    assert np.all(deviations[release.drowned(queries)] == public.value_span)


def sabotaged(monkeypatch, formula):
    lemma = answer_confidence.LEMMA
    monkeypatch.setattr(importlib.import_module(lemma.module), "farthest", formula)
    return spec.verify_lemma(lemma).failure or ""


FARTHEST = answer_confidence.farthest
DROPPED = {
    "normaliser_noise": lambda n, d, least, a, b, c, k, **range_: FARTHEST(n, d, least, a, 0 * b, c, k, **range_),
    "numerator_noise": lambda n, d, least, a, b, c, k, **range_: FARTHEST(n, d, least, 0 * a, b, c, k, **range_),
    "constant": lambda n, d, least, a, b, c, k, **range_: FARTHEST(n, d, least, a, b, 0 * c, k, **range_),
    "bias": lambda n, d, least, a, b, c, k, **range_: FARTHEST(n, d, least, a, b, c, 0 * k, **range_),
    "clamping": lambda n, d, least, a, b, c, k, **range_: FARTHEST(n, d, 0 * least + 1e-9, a, b, c, k, **range_),
}


@pytest.mark.parametrize("term", DROPPED)
def test_a_dropped_term_turns_the_confidence_lemma_red(term, monkeypatch):
    assert "conclusion violated" in sabotaged(monkeypatch, DROPPED[term])

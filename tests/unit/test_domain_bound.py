"""Error bounds for any query of the domain: what the released sum of the keys tells of the smallest normaliser."""

import numpy as np
import pytest

import dpverify as dv
from dpverify.cross_attention import domain_bound
from dpverify.noise import SeededBits
from dpverify.spec.adaptive import gaussian_supremum
from dpverify.spec.attention import functional_error, normaliser_from_mean

CLAIM = dv.ApproxDP(1.0, 1e-5)
FAILURE = 0.2  # large, so that bounds are seen to fail about as often as they may
SHAPES = ("ball", "box")


def on_sphere(rows, dimension, seed):
    points = np.random.default_rng(seed).normal(size=(rows, dimension))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


SPHERE = on_sphere(3000, 3, 0)
VALUES = np.sin(4.0 * SPHERE.sum(axis=1, keepdims=True))


def releases(keys, values, number=30, **options):
    return [
        dv.release_attention(
            keys, values, CLAIM, bits=SeededBits(seed), **{"bounds": dv.Bounds(), "scale": 2.0} | options
        )
        for seed in range(number)
    ]


def errors(made, keys, values, queries):
    """Largest entry of |answer - exact attention|, shape (releases, queries)."""
    exact = dv.attention(queries, keys, values, made[0].state.parameters.scale)
    return np.array([np.abs(release.query(queries) - exact).max(axis=1) for release in made])


@pytest.fixture(scope="module")
def even():
    """Releases of keys that lie evenly on the sphere."""
    return releases(SPHERE, VALUES)


@pytest.mark.parametrize("simultaneous", [False, True])
def test_the_bound_holds_and_is_sharp_where_keys_lie_evenly(even, simultaneous):
    queries = on_sphere(1000 if simultaneous else 40, 3, 1)
    found = errors(even, SPHERE, VALUES, queries)
    bounds = np.array([release.error_bound(FAILURE, simultaneous) for release in even])
    missed = (found > bounds[:, None]).any(axis=1) if simultaneous else found > bounds[:, None]
    assert missed.mean() <= FAILURE
    assert np.median(bounds) <= (5 if simultaneous else 3) * found.max()


def test_the_released_sum_of_the_keys_is_what_makes_it_sharp(even, monkeypatch):
    """On a sphere at scale 2 the public minimum of a normaliser is e^-2 of the rows."""
    seen = [even[0].error_bound(FAILURE, mode) for mode in (False, True)]
    monkeypatch.setattr(domain_bound, "tells_mean", lambda state: False)
    for mode, bound in zip((False, True), seen, strict=True):
        assert even[0].error_bound(FAILURE, mode) > 5 * bound


def one_sided(shape, rows=20000):
    """Keys all alike, half of the values 1 and the rest 0, the query opposite; and what to release them with."""
    key = np.array([0.6, 0.0, 0.8]) if shape == "ball" else np.full(3, 0.8)
    keys, values = np.tile(key, (rows, 1)), np.resize([0.0, 1.0], (rows, 1))
    return keys, values, -np.sign(key)[None] if shape == "box" else -key[None], {
        "bounds": dv.Bounds(shape=shape), "scale": 2.0 if shape == "ball" else 0.5
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore::dpverify.DrownedDenominatorWarning")  # below the minimum, which is attained here
@pytest.mark.parametrize("shape", SHAPES)
def test_the_bound_holds_for_keys_that_are_all_alike(shape, monkeypatch):
    keys, values, opposite, options = one_sided(shape)
    made = releases(keys, values, **options)
    found = errors(made, keys, values, opposite)[:, 0]
    for mode in (False, True):
        assert np.mean(found > [release.error_bound(FAILURE, mode) for release in made]) <= FAILURE
    # the control: as if the mean key were the origin
    monkeypatch.setattr(normaliser_from_mean, "least", lambda rows, *_: float(rows))
    assert np.mean(found > [release.error_bound(FAILURE) for release in made]) > FAILURE


@pytest.mark.parametrize("shape", SHAPES)
def test_the_mean_key_is_no_larger_than_it_says(shape, monkeypatch):
    keys, values, _, options = one_sided(shape, rows=300)
    true = normaliser_from_mean.dual_size(keys[0], shape)
    made = releases(keys, values, **options)
    sizes = [domain_bound.mean_size(release.state, FAILURE) for release in made]
    assert np.mean(np.array(sizes) < true) <= FAILURE
    assert np.median(sizes) < 2 * true
    monkeypatch.setattr(gaussian_supremum, "supremum", lambda *_: 0.0)
    assert np.mean([domain_bound.mean_size(release.state, FAILURE) < true for release in made]) > FAILURE


@pytest.mark.parametrize("shape", SHAPES)
def test_noisy_normalisers_are_no_smaller_than_it_says(shape, monkeypatch):
    keys, values, opposite, options = one_sided(shape)
    made = releases(keys, values, **options)
    noisy = np.array([release.state.noisy_sums(opposite).normalisers[0] for release in made])
    exact = np.exp(options["scale"] * keys @ opposite[0]).sum()
    monkeypatch.setattr(domain_bound, "mean_size", lambda *_: normaliser_from_mean.dual_size(keys[0], shape))
    least = np.array([domain_bound.divisor_min(release.state, FAILURE, simultaneous=False) for release in made])
    assert np.all((least > 0) & (least < exact))
    assert np.mean(noisy < least) <= FAILURE
    at_all = domain_bound.divisor_min(made[0].state, FAILURE, simultaneous=True)
    assert at_all < least[0]
    monkeypatch.setattr(functional_error, "deviation", lambda *_: 0.0)  # the control: no noise on the normaliser
    bare = np.array([domain_bound.divisor_min(release.state, FAILURE, simultaneous=False) for release in made])
    assert np.mean(noisy < bare) > FAILURE


def test_an_exact_dual_size_belongs_to_the_keys_and_not_to_the_features():
    """Hardly any noise: the sums of degree-one features, divided by sqrt(scale), are the keys' mean."""
    keys = np.random.default_rng(3).uniform(-1, 1, (20000, 4)) * [1.0, 0.5, 0.2, 0.1] + [0.0, 0.3, 0.0, -0.4]
    for shape in SHAPES:
        public = dv.Bounds(key=2.0, shape=shape)
        made = dv.release_attention(
            keys, keys[:, :1] / 2.0, dv.ApproxDP(20.0, 0.01), bounds=public, scale=0.2, bits=SeededBits(0)
        )
        size = normaliser_from_mean.dual_size(keys.mean(axis=0), shape)
        assert size <= domain_bound.mean_size(made.state, 1e-6) <= 1.05 * size


@pytest.mark.parametrize(
    "options",
    [
        {"bounds": dv.Bounds(shape="positive_box")},
        {"degree": 0},
        {"features": dv.Nystrom(on_sphere(20, 3, 5))},
    ],
    ids=["no key has a negative logit", "no features of degree one", "other features"],
)
def test_nothing_is_spent_where_the_release_tells_no_mean(options):
    (release,) = releases(np.abs(SPHERE), VALUES, number=1, **options)
    assert not domain_bound.tells_mean(release.state)
    assert 0 < release.error_bound(FAILURE) <= 2.0


def test_the_bound_survives_saving(even, tmp_path):
    even[0].save(tmp_path / "r.dpv")
    loaded = dv.load_release(tmp_path / "r.dpv")
    for mode in (False, True):
        assert loaded.error_bound(0.1, mode) == even[0].error_bound(0.1, mode)

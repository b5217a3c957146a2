"""Random shapes, bounds, scales and claims: a release answers within its bound."""

import warnings

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import dpverify as dv
from dpverify.noise import SeededBits

FAILURE = 1e-9  # of each example's bound; the noise is seeded, so the outcome is fixed


@settings(max_examples=40, phases=[Phase.explicit, Phase.generate])  # shrinking noise takes minutes
@given(
    method=st.sampled_from(["functional", "dptree"]),
    shape=st.sampled_from(["ball", "box", "positive_box"]),
    rows=st.integers(1, 40),
    dimension=st.integers(1, 4),
    columns=st.integers(1, 3),
    degree=st.integers(0, 4),
    scale=st.floats(1e-6, 2.0),
    bounds=st.tuples(*[st.floats(1e-3, 1e3)] * 3),
    epsilon=st.floats(1e-3, 20.0),
    log_delta=st.floats(-30.0, -0.7),
    seed=st.integers(0, 2**32),
)
def test_a_release_answers_within_its_bound(
    method, shape, rows, dimension, columns, degree, scale, bounds, epsilon, log_delta, seed
):
    rng = np.random.default_rng(seed)
    key, query, value = bounds
    # keep the logits within what a low degree can serve: otherwise the bound is just twice the value bound
    public = dv.Bounds(key, min(query, 3.0 / (scale * key * dimension)), value, shape)
    data = rng.normal(size=(rows, dimension)) * key, rng.normal(size=(rows, columns)) * value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        release = dv.release_attention(
            *data, dv.ApproxDP(epsilon, float(np.exp(log_delta))), bounds=public, scale=scale, method=method,
            degree=degree, bits=SeededBits(seed),
        )  # fmt: skip
        queries, _ = public.clip_queries(rng.normal(size=(6, dimension)) * public.query)
        answers = release.query(queries)
    keys, _ = public.clip_keys(data[0])
    values, _ = public.clip_values(data[1])
    exact = dv.attention(queries, keys, values, scale)
    assert answers.shape == (6, columns)
    bound = release.error_bound(FAILURE)
    assert np.abs(answers - exact).max() <= bound * (1 + 1e-9)
    assert bound <= 2 * public.value
    assert release.certificate.delta_upper <= np.exp(log_delta)


@pytest.mark.parametrize("method", ["functional", "dptree"])
def test_the_smallest_release_works(method):
    release = dv.release_attention(
        [[0.5]], [1.0], dv.ApproxDP(1.0, 1e-3), bounds=dv.Bounds(), method=method, degree=0, bits=SeededBits(0)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dv.DrownedDenominatorWarning)
        assert release.query([[0.1]]).shape == (1, 1)
    assert release.query(np.zeros((0, 1))).shape == (0, 1)

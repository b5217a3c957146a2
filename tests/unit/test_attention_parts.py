"""The parts of an attention release: exact attention, features, bounds, exact integer sums, answers."""

import itertools

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dpverify import Bounds, DrownedDenominatorWarning, InvalidArgument, attention
from dpverify.cross_attention import dptree, functional, integer_sums
from dpverify.cross_attention.answers import ratio
from dpverify.cross_attention.parameters import Parameters
from dpverify.cross_attention.polynomial import PolynomialMap
from dpverify.nodes import NoisyNodes
from dpverify.spec import ConclusionViolated
from dpverify.spec.kernel import feature_identity
from dpverify.spec.tree import interval_decomposition, prefix_decomposition


def softmax_attention(q, k, v, scale):
    """The definition, at 50 digits."""
    ctx = mpmath.MPContext()
    ctx.dps = 50
    out = []
    for query in q:
        weights = [ctx.exp(ctx.mpf(scale) * ctx.fsum(ctx.mpf(a) * ctx.mpf(b) for a, b in zip(query, key, strict=True)))
                   for key in k]  # fmt: skip
        total = ctx.fsum(weights)
        out.append([float(ctx.fsum(w * ctx.mpf(x) for w, x in zip(weights, column, strict=True)) / total)
                    for column in zip(*v, strict=True)])  # fmt: skip
    return np.array(out)


@pytest.mark.parametrize("scale", [None, 0.3, 40.0])
def test_exact_attention_is_the_softmax_average(scale):
    rng = np.random.default_rng(0)
    q, k, v = rng.normal(size=(4, 3)) * 3, rng.normal(size=(20, 3)) * 3, rng.normal(size=(20, 2))
    expected = softmax_attention(q.tolist(), k.tolist(), v.tolist(), 1 / 3 if scale is None else scale)
    assert np.allclose(attention(q, k, v, scale), expected, rtol=0, atol=1e-12)


def test_exact_attention_survives_huge_logits():
    answers = attention([[1e3, 0.0]], [[1e3, 0.0], [-1e3, 0.0]], [1.0, 2.0], 1.0)
    assert answers.tolist() == [[1.0]]


@pytest.mark.parametrize(("dimension", "degree"), [(1, 0), (1, 6), (3, 4), (5, 2), (2, 7)])
def test_features_agree_with_the_specification(dimension, degree):
    rows = np.random.default_rng(1).normal(size=(6, dimension))
    features = PolynomialMap(Parameters(6, dimension, 1, 0.7, Bounds(9.0, 9.0)), degree)
    expected = np.array([feature_identity.features(row, degree, 0.7) for row in rows]).T
    assert features(rows).shape == (features.size, 6)
    assert np.allclose(features(rows), expected, rtol=1e-14, atol=0)


@given(
    shape=st.sampled_from(["ball", "box", "positive_box"]),
    bound=st.floats(1e-3, 1e3),
    rows=st.lists(st.lists(st.floats(-1e4, 1e4), min_size=3, max_size=3), min_size=1, max_size=5),
)
def test_clipping_moves_rows_into_the_domain_and_counts_them(shape, bound, rows):
    bounds = Bounds(key=bound, value=bound, shape=shape)
    data = np.array(rows)
    keys, moved = bounds.clip_keys(data)
    tight = bound * (1 + 1e-9)
    assert np.linalg.norm(keys, axis=1).max() <= bounds.radius(tight, 3)
    if shape == "positive_box":
        assert keys.min() >= 0
    if shape != "ball":
        assert np.abs(keys).max() <= bound
        assert moved == np.any(keys != data, axis=1).sum()
    values, _ = bounds.clip_values(data)
    assert np.abs(values).max() <= tight
    again, moved_again = bounds.clip_keys(keys)
    assert moved_again == 0
    assert np.array_equal(again, keys)


def test_clipping_to_a_ball_does_not_overflow():
    keys, moved = Bounds(key=2.0).clip_keys(np.array([[3e300, 4e300], [0.0, 0.0]]))
    assert moved == 1
    assert np.allclose(keys, [[1.2, 1.6], [0.0, 0.0]])


@pytest.mark.parametrize("field", ["key", "query", "value"])
@pytest.mark.parametrize("bad", [0.0, -1.0, np.inf, np.nan, "wide"])
def test_bounds_must_be_positive(field, bad):
    with pytest.raises(InvalidArgument, match=f"bounds.{field}|{field}"):
        Bounds(**{field: bad})


def test_bounds_know_three_shapes():
    with pytest.raises(InvalidArgument, match="'ball', 'box' or 'positive_box'"):
        Bounds(shape="sphere")


def features_of(shape="box", rows=700, dimension=2, columns=2, degree=4):
    return PolynomialMap(Parameters(rows, dimension, columns, 0.5, Bounds(1.0, 1.0, 2.0, shape)), degree)


def rows_in(bounds: Bounds, rows: int, dimension: int, columns: int, seed: int):
    rng = np.random.default_rng(seed)
    keys, _ = bounds.clip_keys(rng.normal(size=(rows, dimension)))
    values, _ = bounds.clip_values(rng.normal(size=(rows, columns)) * 2)
    return keys, values


@pytest.mark.parametrize("shape", ["ball", "box", "positive_box"])
def test_integer_sums_do_not_depend_on_order_or_blocks(shape, monkeypatch):
    phi = features_of(shape)
    keys, values = rows_in(phi.parameters.bounds, phi.parameters.rows, 2, 2, 0)
    grids = integer_sums.choose_grids(phi, 2.0)
    sums = integer_sums.outer_product_sums([(keys, values)], phi, grids)
    order = np.random.default_rng(1).permutation(phi.parameters.rows)
    assert np.array_equal(sums, integer_sums.outer_product_sums([(keys[order], values[order])], phi, grids))
    monkeypatch.setattr(integer_sums, "LEAST_BLOCK_ROWS", 37)
    assert np.array_equal(sums, integer_sums.outer_product_sums([(keys, values)], phi, grids))


def test_integer_sums_are_those_of_python_integers():
    phi = features_of(rows=300)
    keys, values = rows_in(phi.parameters.bounds, phi.parameters.rows, 2, 2, 3)
    grids = integer_sums.choose_grids(phi, 1.5)
    expected = np.zeros((phi.size, 3), dtype=object)
    for key, value in zip(keys, values, strict=True):
        steps = [int(x) for x in np.trunc(phi(key[None])[:, 0] / grids.feature)]
        row = [*(int(x) for x in np.trunc(value / grids.value)), grids.weight_steps]
        expected += np.outer(np.array(steps, dtype=object), np.array(row, dtype=object))
    assert np.array_equal(integer_sums.outer_product_sums([(keys, values)], phi, grids), expected.astype(np.int64))
    reals = phi(keys) @ np.hstack([values, np.full((300, 1), grids.normaliser_weight)])
    assert np.allclose(expected.astype(float) * grids.unit, reals, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("rows", [1, 1000, 10**7, 2**40])
def test_no_partial_sum_can_reach_two_to_the_53(rows):
    phi = features_of(rows=rows)
    grids = integer_sums.choose_grids(phi, 3.0)
    feature_max = np.sqrt(grids.feature_norm2)
    row_max = np.sqrt(grids.value_norm2 + grids.weight_steps**2)
    assert grids.block_rows * feature_max * row_max < 2**53
    assert rows * feature_max * row_max < 2**62


@pytest.mark.parametrize("shape", ["ball", "box", "positive_box"])
def test_rows_on_the_edge_of_the_domain_pass_the_integer_norm_check(shape):
    """Clipping may leave a row an ulp outside: the room in the integer bounds covers that."""
    phi = features_of(shape, rows=2000)
    keys, values = rows_in(phi.parameters.bounds, 2000, 2, 2, 9)
    grids = integer_sums.choose_grids(phi, 2.0)
    far_keys, _ = phi.parameters.bounds.clip_keys(1e6 * keys)
    far_values, _ = phi.parameters.bounds.clip_values(1e6 * values)
    integer_sums.outer_product_sums([(far_keys, far_values)], phi, grids)


def test_rows_beyond_the_integer_norms_stop_the_build():
    phi = features_of(rows=2)
    grids = integer_sums.choose_grids(phi, 2.0)
    for keys, values, lemma in (
        (np.full((2, 2), 1.01), np.ones((2, 2)), "kernel.feature_norm"),
        (np.ones((2, 2)), np.full((2, 2), 2.01), "attention.functional_sensitivity"),
    ):
        with pytest.raises(ConclusionViolated) as caught:
            integer_sums.outer_product_sums([(keys, values)], phi, grids)
        assert caught.value.lemma.id == lemma


@pytest.mark.parametrize("shape", ["ball", "box", "positive_box"])
@pytest.mark.parametrize("weight", [0.3, 2.0, 20.0])
def test_no_pair_of_rows_moves_the_sums_beyond_the_sensitivity(shape, weight):
    """Corners, opposite values and random rows; at the best weight some pair comes close."""
    phi = features_of(shape, columns=1, degree=3)
    grids = integer_sums.choose_grids(phi, weight)
    claimed = functional.sensitivity_on_grid(phi, grids)
    corners = np.array(list(itertools.product([-1.0, 0.0, 1.0], repeat=2)))
    keys, _ = phi.parameters.bounds.clip_keys(np.vstack([corners, np.random.default_rng(0).normal(size=(20, 2))]))
    rows = [
        integer_sums.outer_product_sums([(k[None], np.array([[v]]))], phi, grids)
        for k in keys
        for v in (-2.0, 0.0, 2.0)
    ]
    worst = max(np.linalg.norm((a - b).astype(float)) for a, b in itertools.combinations(rows, 2)) * grids.unit
    assert worst <= claimed
    assert worst >= 0.6 * claimed


def test_the_default_weight_minimises_the_noise_of_an_answer():
    phi = features_of(columns=1)
    best = functional.best_normaliser_weight(phi)

    def noise(weight):
        grids = integer_sums.choose_grids(phi, weight)
        return functional.sensitivity_on_grid(phi, grids) * np.hypot(1, phi.parameters.bounds.value / weight)

    assert all(noise(best) <= noise(best * factor) * (1 + 1e-6) for factor in (0.1, 0.5, 0.9, 1.1, 2.0, 10.0))


def test_a_drowned_normaliser_gives_a_flagged_finite_answer():
    with pytest.warns(DrownedDenominatorWarning, match="2 of 3 queries"):
        answers = ratio(np.array([[5.0], [-900.0], [3.0]]), np.array([-1.0, 0.0, 6.0]), 5.0, Bounds(value=2.0))
    assert answers.tolist() == [[1.0], [-2.0], [0.5]]


@pytest.mark.parametrize("shape", ["ball", "box", "positive_box"])
def test_trees_without_noise_answer_the_polynomial_kernel(shape):
    """The published path - features, buckets, prefix sums, law of cosines - gives sums of the polynomial kernel."""
    phi = features_of(shape, rows=200, columns=2, degree=3)
    keys, values = rows_in(phi.parameters.bounds, 200, 2, 2, 5)
    queries, _ = phi.parameters.bounds.clip_queries(np.random.default_rng(6).normal(size=(9, 2)))
    levels = [dptree.leaf_sums(keys, values, phi, 64, 24)]
    while levels[-1].shape[1] > 1:
        levels.append(levels[-1][:, ::2] + levels[-1][:, 1::2])
    state = dptree.TreeState(phi, NoisyNodes(tuple(levels), 2.0**-24), 2.0**-24, 0.0, 0.0, 0.0)
    numerators, denominators = state.weighted_sums(queries)
    kernel = phi(queries).T @ phi(keys)
    assert np.allclose(denominators, kernel.sum(axis=1), rtol=1e-5)
    assert np.allclose(numerators, kernel @ values, atol=1e-3)


@pytest.mark.parametrize("shape", ["ball", "box", "positive_box"])
def test_contributions_of_a_row_to_the_trees_stay_within_one(shape):
    """Rows on the edge of the domain: no leaf receives more than one unit in magnitude, in any moment."""
    phi = features_of(shape, rows=1, columns=2, degree=4)
    corners = np.array(list(itertools.product([-5.0, -1.0, 0.0, 0.6, 1.0, 5.0], repeat=2)))
    keys, _ = phi.parameters.bounds.clip_keys(corners)
    for key in keys:
        values, _ = phi.parameters.bounds.clip_values(np.array([[9.0, -9.0]]))
        sums = dptree.leaf_sums(key[None], values, phi, 8, 20)
        assert np.abs(sums).sum(axis=1).max() <= 1 << 20
        assert np.abs(sums).max() >= (1 << 20) - 1


def test_a_query_reads_at_most_height_plus_one_nodes_of_a_tree():
    """Both sides together; the error bound counts on it."""
    for height in range(9):
        most = max(
            len(prefix_decomposition.prefix(stop, height))
            + len(interval_decomposition.interval(stop, 1 << height, height))
            for stop in range((1 << height) + 1)
        )
        assert most <= height + 1
        assert most == height + 1 or height == 0

"""Neighbouring datasets: within the bounds, different in one row, and the telling one is found."""

from __future__ import annotations

import numpy as np
import pytest

from dpverify.audits import attention_pairs, coordinate_search, replacements, worst_pair
from dpverify.errors import InvalidArgument
from dpverify.guarantees import ApproxDP

ONE = ApproxDP(1.0)


@pytest.mark.parametrize("shape", ["ball", "box", "positive_box"])
def test_attention_pairs_keep_the_bounds_and_differ_in_the_first_row(shape):
    pairs = attention_pairs(5, 3, 2, key=0.7, value=2.0, shape=shape)
    assert len(pairs) == 10
    for tables in pairs:
        for keys, values in tables:
            assert keys.shape == (5, 3)
            assert values.shape == (5, 2)
            size = np.linalg.norm(keys, axis=1) if shape == "ball" else np.abs(keys)
            assert size.max() <= 0.7 * (1 + 1e-12)
            assert (np.linalg.norm(values, axis=1) if shape == "ball" else np.abs(values)).max() <= 2 * (1 + 1e-12)
            assert shape != "positive_box" or keys.min() >= 0
        (k0, v0), (k1, v1) = tables
        assert np.array_equal(k0[1:], k1[1:])
        assert np.array_equal(v0[1:], v1[1:])
        assert not (np.array_equal(k0, k1) and np.array_equal(v0, v1))
    farthest = max(np.linalg.norm(k0 - k1) for (k0, _), (k1, _) in pairs)
    assert farthest == pytest.approx({"ball": 1.4, "box": 1.4 * 3**0.5, "positive_box": 0.7 * 3**0.5}[shape])


def second_column(dataset, size, rng):
    return dataset[0, 1] - 0.5 * dataset[0, 0] + rng.laplace(scale=0.5, size=size)


def test_the_telling_pair_is_found():
    data = np.full((3, 2), 0.5)
    pairs = replacements(data, 0.0, 1.0, rows=(0, 2))
    assert len(pairs) == 12
    _, moved = worst_pair(second_column, pairs, ONE)
    assert np.array_equal(moved[1:], data[1:])
    assert moved[0, 1] != 0.5
    first, second = coordinate_search(second_column, data, ONE, low=0.0, high=1.0)
    assert abs(first[0, 1] - second[0, 1]) == 1.0
    assert np.array_equal(first[1:], second[1:])
    assert (first[0, 0] - second[0, 0]) * (first[0, 1] - second[0, 1]) <= 0  # opposite signs add up


def test_one_dimensional_data_and_bad_arguments():
    assert [p[1].tolist() for p in replacements(np.array([0.0, 1.0]), 0.0, 1.0)] == [[1.0, 1.0]]
    ends = coordinate_search(second_column, np.array([0.5, 0.5]), ONE, low=0.0, high=1.0, row=1)
    assert [end.tolist() for end in ends] == [[0.5, 0.0], [0.5, 1.0]]
    for call in (
        lambda: replacements(np.zeros((2, 2, 2)), 0, 1),
        lambda: replacements(np.zeros(2), 1, 1),
        lambda: worst_pair(second_column, [], ONE),
        lambda: attention_pairs(0, 1, 1, key=1, value=1),
        lambda: attention_pairs(1, 1, 1, key=0, value=1),
        lambda: attention_pairs(1, 1, 1, key=1, value=1, shape="disc"),
    ):
        with pytest.raises(InvalidArgument):
            call()

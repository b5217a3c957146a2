"""DPTree: queries are exact sums of nodes, noise is frozen by the seed, sensitivity is what the certificate says."""

import itertools

import numpy as np
import pytest

from dpverify import Adjacency, ApproxDP, CapacityError, DPTree, InvalidArgument, SeededBits
from dpverify.nodes import NoisyNodes
from dpverify.spec import ConclusionViolated, HypothesisNotMet
from dpverify.spec.tree import interval_decomposition, prefix_decomposition

CLAIM = ApproxDP(2.0, 1e-3)


def noise_free(leaves: np.ndarray) -> NoisyNodes:
    levels = [leaves]
    while levels[-1].shape[1] > 1:
        levels.append(levels[-1][:, ::2] + levels[-1][:, 1::2])
    return NoisyNodes(tuple(levels), 1.0)


@pytest.mark.parametrize("height", range(6))
def test_nodes_answer_every_prefix_and_interval_exactly(height):
    leaves = np.random.default_rng(height).integers(-50, 50, size=(3, 1 << height))
    nodes = noise_free(leaves)
    sums = np.concatenate([np.zeros((3, 1), dtype=int), leaves.cumsum(axis=1)], axis=1)
    for start, stop in itertools.combinations_with_replacement(range((1 << height) + 1), 2):
        left, right = np.full(3, start), np.full(3, stop)
        assert np.array_equal(nodes.prefix(right), sums[:, stop])
        assert np.array_equal(nodes.interval(left, right), sums[:, stop] - sums[:, start])


@pytest.mark.parametrize("height", range(5))
def test_nodes_used_are_those_of_the_lemmas(height):
    """Give every node its own power of two: the answer then names the nodes that were added."""
    levels, position = [], 0
    for level in range(height + 1):
        count = 1 << (height - level)
        levels.append((1 << np.arange(position, position + count, dtype=np.int64))[None, :])
        position += count
    nodes = NoisyNodes(tuple(levels), 1.0)

    def named(decomposition):
        return float(sum(int(levels[level][0, index]) for level, index in decomposition))

    for start, stop in itertools.combinations_with_replacement(range((1 << height) + 1), 2):
        assert nodes.prefix(np.array([stop]))[0] == named(prefix_decomposition.prefix(stop, height))
        answer = nodes.interval(np.array([start]), np.array([stop]))[0]
        assert answer == named(interval_decomposition.interval(start, stop, height))


@pytest.mark.parametrize("split", ["levels", "vector", "exact"])
def test_with_frozen_noise_answers_move_exactly_as_the_data_does(split):
    rng = np.random.default_rng(0)
    leaves = rng.integers(0, 9, size=(4, 11)).astype(float)
    moved = leaves.copy()
    moved[:, 2] -= 1
    moved[:, 7] += 1
    before, after = (DPTree(x, 1.0, CLAIM, split=split, bits=SeededBits(3)) for x in (leaves, moved))
    for start, stop in itertools.combinations_with_replacement(range(12), 2):
        expected = (moved - leaves)[:, start:stop].sum(axis=1)
        assert np.allclose(after.interval(start, stop) - before.interval(start, stop), expected, atol=0.1)


@pytest.mark.parametrize("split", ["levels", "vector"])
@pytest.mark.parametrize("adjacency", list(Adjacency))
def test_one_row_moves_the_nodes_by_no_more_than_the_noise_covers(split, adjacency):
    """Frozen noise: per level (or in all) the l1 change in grid steps is at most the shift that was calibrated."""
    rng = np.random.default_rng(1)
    leaves = rng.normal(size=(2, 16)) * 3
    worst_level, worst_all = 0, 0
    before = DPTree(leaves, 0.7, CLAIM, adjacency=adjacency, split=split, bits=SeededBits(0))
    for source, target in [(0, 0), (0, 1), (0, 15), (3, 12), (7, 8), (9, 2), (14, 15), (5, 5)]:
        moved = leaves.copy()
        moved[:, source] -= 0.7
        if adjacency is Adjacency.REPLACE_ONE:
            moved[:, target] -= 0.7
        after = DPTree(moved, 0.7, CLAIM, adjacency=adjacency, split=split, bits=SeededBits(0))
        levels = zip(before.nodes.levels, after.nodes.levels, strict=True)
        change = np.array([np.abs(a - b).sum(axis=1) for a, b in levels])  # (level, tree)
        worst_level, worst_all = max(worst_level, change.max()), max(worst_all, change.sum())
    shift = before.noise.shift
    reached = worst_level if split == "levels" else worst_all
    assert shift * 0.9 <= reached <= shift


def test_the_certificate_adds_up_all_parts():
    tree = DPTree(np.zeros((5, 100)), 1.0, ApproxDP(1.0, 1e-6), bits=SeededBits(0))
    parts = 5 * 8
    assert tree.noise.claim.epsilon * parts <= 1.0
    assert tree.certificate.delta_upper == pytest.approx(parts * tree.noise.delta(tree.noise.claim.epsilon))
    assert 0.99e-6 < tree.certificate.delta_upper <= 1e-6
    assert not tree.certificate.private
    assert DPTree([1.0], 1.0, CLAIM).certificate.private


def test_exact_calibration_needs_less_noise_for_many_trees():
    many = {
        s: DPTree(np.zeros((40, 64)), 1.0, ApproxDP(1.0, 1e-6), split=s, bits=SeededBits(0))
        for s in ("levels", "exact")
    }
    assert many["exact"].noise.std < many["levels"].noise.std / 3
    assert 0.5e-6 < many["exact"].certificate.delta_upper <= 1e-6


def test_the_split_counts_levels_not_log2_n():
    """CA-v3 read literally divides by log2 n = 3 although a leaf meets 4 nodes: epsilon would be 4/3 of the claim."""
    tree = DPTree(np.zeros(8), 1.0, ApproxDP(1.2, 1e-3), bits=SeededBits(0))
    assert tree.noise.claim.epsilon * 4 == pytest.approx(1.2)
    assert tree.noise.claim.epsilon * 4 <= 1.2


def test_levels_need_no_more_noise_than_one_vector():
    """Their scales agree, and the support of the split by levels is smaller (MATH says the opposite)."""
    levels, vector = (DPTree(np.zeros(1024), 1.0, ApproxDP(1.0, 1e-6), split=s, bits=SeededBits(0)) for s in
                      ("levels", "vector"))  # fmt: skip
    assert levels.noise.bound < vector.noise.bound
    assert levels.noise.std == pytest.approx(vector.noise.std, rel=0.05)


def test_a_node_that_is_not_the_sum_of_its_children_stops_the_build(monkeypatch):
    from dpverify import tree as module

    honest = module.node_sum.parent_level

    def corrupted(children):
        parents = honest(children)
        parents[0, -1] += parents.shape[1] == 2  # one step too much, once
        return parents

    monkeypatch.setattr(module.node_sum, "parent_level", corrupted)
    with pytest.raises(ConclusionViolated, match=r"tree\.node_sum"):
        DPTree(np.arange(8.0), 1.0, CLAIM, bits=SeededBits(0))


def test_one_array_and_many_arrays_have_matching_shapes():
    one = DPTree(np.arange(5), 1, CLAIM)
    assert one.root().shape == one.prefix(3).shape == ()
    assert one.prefix(np.array([[0, 1], [2, 5]])).shape == (2, 2)
    many = DPTree(np.ones((3, 5)), 1, CLAIM)
    assert many.prefix(3).shape == (3,)
    assert many.interval(np.array([[0, 1, 2]] * 4), np.array([[5, 5, 5]] * 4)).shape == (4, 3)


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: DPTree([], 1, CLAIM), "leaves"),
        (lambda: DPTree(np.zeros((2, 2, 2)), 1, CLAIM), "leaves"),
        (lambda: DPTree([1.0, np.nan], 1, CLAIM), "leaves"),
        (lambda: DPTree(["a"], 1, CLAIM), "leaves"),
        (lambda: DPTree([1e30], 1, CLAIM), "values"),
        (lambda: DPTree([2.0**36] * 4, 1, CLAIM), "leaves"),
        (lambda: DPTree(np.array([2**60 + 1]), 2.0**30, CLAIM), "leaves"),
        (lambda: DPTree([1], 0, CLAIM), "sensitivity"),
        (lambda: DPTree([1], 1, CLAIM, split="thirds"), "split"),
        (lambda: DPTree([1], 1, CLAIM, grid=0.3), "grid"),
        (lambda: DPTree([1, 2], 1, CLAIM).prefix(3), "stop"),
        (lambda: DPTree([1, 2], 1, CLAIM).prefix(0.5), "stop"),
        (lambda: DPTree([1, 2], 1, CLAIM).interval(2, 1), "start"),
        (lambda: DPTree([[1, 2]], 1, CLAIM).prefix(np.zeros((2, 3), dtype=int)), "stop"),
    ],
)
def test_bad_input_is_named(call, argument):
    with pytest.raises(InvalidArgument) as caught:
        call()
    assert caught.value.argument == argument


def test_claims_outside_the_hypotheses_are_refused():
    for claim in (ApproxDP(1.0, 0.0), ApproxDP(1.0, 0.7), ApproxDP(0.0, 1e-6)):
        with pytest.raises(HypothesisNotMet, match="hypothesis not met"):
            DPTree([1, 2], 1, claim)
    with pytest.raises(CapacityError, match="raise epsilon"):
        DPTree([1, 2], 1, ApproxDP(1e-12, 1e-14))

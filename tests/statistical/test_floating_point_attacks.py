"""Attacks on noise as it leaves the machine: they break plain float Laplace noise and not ours.

Every attack is one function from outputs to a guess, applied to both. For plain noise the seed is fixed, so the
outcome is too. For ours an attack on an (epsilon, delta)-private mechanism must have
``P[guess | D] <= e^epsilon P[guess | D'] + delta``; Hoeffding's inequality turns that into a bound on frequencies
that fails by chance with probability at most alpha.
"""

import math

import numpy as np
import pytest

from dpverify import ApproxDP, Bounds, DPTree, Gaussian, InvalidArgument, SeededBits, TruncatedLaplace
from dpverify.cross_attention import integer_sums
from dpverify.cross_attention.parameters import Parameters
from dpverify.cross_attention.polynomial import PolynomialMap
from dpverify.nodes import NoisyNodes

EPSILON, DELTA = 0.1, 1e-6
CLAIM = ApproxDP(EPSILON, DELTA)
SCALE = 1.0 / EPSILON
ALPHA = 1e-8  # of one test: two directions, each with two frequencies


def holes(outputs: np.ndarray, at: float) -> np.ndarray:
    """Mironov 2012: could this very float be ``at + SCALE * log(u)`` or ``at - SCALE * log(u)``?

    numpy inverts the distribution function at a uniform multiple of 2^-53, and doubling or subtracting it leaves one;
    few floats are images of one. Four candidates on either side cover the rounding of the inversion.
    """

    def possible(y: float) -> bool:
        sign = -1.0 if y >= at else 1.0
        nearest = round(math.exp(sign * (y - at) / SCALE) * 2**53)
        tried = (n for n in range(nearest - 4, nearest + 5) if n > 0)
        return any(at + sign * SCALE * math.log(n / 2**53) == y for n in tried)

    return np.array([possible(float(y)) for y in outputs])


def fine_bits(outputs: np.ndarray, at: float) -> np.ndarray:
    """A precision attack: bits below 2^-53 survive in ``0 + z`` for small z, never in ``1 + z``.

    If |z| >= 1/2 then z has none of them, and the sum has none that z has not; if |z| < 1/2 the sum is at least 1/2
    and has no room for them.
    """
    return np.fmod(outputs - at, 2.0**-53) != 0.0


ATTACKS = pytest.mark.parametrize(("attack", "count"), [(holes, 4000), (fine_bits, 200_000)])


def excess(attack, outputs: np.ndarray, other: np.ndarray) -> float:
    """By how much the guess "D", on outputs for D at 0 and for a neighbour, exceeds what (epsilon, delta) allows."""
    return float(attack(outputs, 0.0).mean() - math.exp(EPSILON) * attack(other, 0.0).mean() - DELTA)


def margin(count: int) -> float:
    return (1.0 + math.exp(EPSILON)) * math.sqrt(math.log(4.0 / ALPHA) / (2.0 * count))


@ATTACKS
def test_the_attacks_break_plain_float_laplace_noise(attack, count):
    """Planted fault, fixed seed: the test that ours passes below rejects it."""
    rng = np.random.default_rng(0)
    assert excess(attack, rng.laplace(0.0, SCALE, count), rng.laplace(1.0, SCALE, count)) > margin(count)


def test_one_output_of_plain_noise_can_identify_the_data():
    """The event of the precision attack has probability zero on the neighbour, so epsilon is infinite on it."""
    rng = np.random.default_rng(1)
    here, there = rng.laplace(0.0, SCALE, 200_000), rng.laplace(1.0, SCALE, 200_000)
    assert fine_bits(here, 0.0).mean() > 1e4 * DELTA
    assert not fine_bits(there, 0.0).any()


def test_every_output_of_plain_noise_is_one_that_the_inversion_can_give():
    rng = np.random.default_rng(2)
    assert holes(rng.laplace(0.0, SCALE, 2000), 0.0).all()
    assert holes(rng.laplace(1.0, SCALE, 2000), 0.0).mean() < 0.5


@pytest.mark.statistical(alpha=ALPHA)
@ATTACKS
@pytest.mark.parametrize("make", [TruncatedLaplace, Gaussian])
def test_the_same_attacks_fail_against_integer_noise(attack, count, make):
    noise = make(1.0, CLAIM, draws=count)
    here, there = noise.add(np.zeros(count)), noise.add(np.ones(count))
    assert excess(attack, here, there) <= margin(count)
    assert excess(attack, there, here) <= margin(count)


@pytest.mark.parametrize("make", [TruncatedLaplace, Gaussian])
@pytest.mark.parametrize("value", [0.0, 1.0, 1 / 3, -1e-12, 1e5, 2.0**-40])
def test_every_output_is_a_multiple_of_the_grid_whatever_the_data(make, value):
    """So the low bits hold nothing: the fine-bits event is impossible on every dataset."""
    noise = make(1.0, ApproxDP(1.0, 1e-6))
    outputs = np.array([noise.add([value], SeededBits(seed))[0] for seed in range(50)])
    assert np.array_equal(np.rint(outputs / noise.grid) * noise.grid, outputs)
    assert not fine_bits(outputs, 0.0).any()


def test_outputs_on_neighbours_are_shifts_of_each_other():
    """With frozen bits: the noise is the same integers, whatever the magnitude of what it is added to."""
    noise = TruncatedLaplace(1.0, ApproxDP(1.0, 1e-6), draws=1000)
    drawn = noise.sample_steps(1000, SeededBits(4))
    for value in (0.0, 1.0, -7.25, 2.0**30):
        outputs = noise.add(np.full(1000, value), SeededBits(4))
        assert np.array_equal(outputs / noise.grid - value / noise.grid, drawn.astype(float))


# ---- float sums: Casacuberta, Shoemate, Vadhan, Wagaman, CCS 2022 -------------------------------------------------

LARGE, SMALL_COUNT, CHANGE = 2.0**53, 1000, 4.0


def large_and_small(first: float) -> np.ndarray:
    """One large leaf that one row may change by 4, and a thousand small ones."""
    return np.concatenate([[first], np.full(SMALL_COUNT, -1.0)])


def test_a_float_sum_moves_by_far_more_than_its_sensitivity():
    """2^53 - 1 - 1 - ... counts down; 2^53 + 4 - 1 rounds back to 2^53 + 4 every time."""
    one, other = (float(np.cumsum(large_and_small(x))[-1]) for x in (LARGE, LARGE + CHANGE))
    assert one == LARGE - SMALL_COUNT
    assert other == LARGE + CHANGE
    assert other - one == 251 * CHANGE


def test_the_same_happens_in_float32_within_ordinary_bounds():
    """Rows clipped to [-1, 2^11]: a declared sensitivity of 4 for this pair, an actual one of 4,100."""
    rows = np.concatenate([np.full(2**13, 2.0**11), [0.0], np.full(2**12, -1.0)]).astype(np.float32)
    neighbour = rows.copy()
    neighbour[2**13] = CHANGE
    one, other = (float(np.cumsum(x, dtype=np.float32)[-1]) for x in (rows, neighbour))
    assert other - one == 2**12 + CHANGE


def root_step_difference(leaves: np.ndarray, neighbour: np.ndarray) -> float:
    """With frozen bits the noise cancels: what is left is the difference of the exact sums, in the data's unit."""
    trees = [DPTree(x, CHANGE, ApproxDP(1.0, 1e-6), bits=SeededBits(7)) for x in (leaves, neighbour)]
    return float(trees[1].root() - trees[0].root())


def test_a_tree_sums_integers_and_moves_by_its_sensitivity():
    rows = np.concatenate([np.full(2**13, 2.0**11), [0.0], np.full(2**12, -1.0)])
    neighbour = rows.copy()
    neighbour[2**13] = CHANGE
    assert root_step_difference(rows, neighbour) == CHANGE
    order = np.random.default_rng(0).permutation(len(rows))
    assert root_step_difference(rows[order], neighbour[order]) == CHANGE


def test_every_node_of_the_tree_moves_by_at_most_its_charge():
    rng = np.random.default_rng(3)
    leaves = np.concatenate([rng.uniform(-(2.0**30), 2.0**30, 60), rng.uniform(-1.0, 1.0, 60)])
    neighbour = leaves.copy()
    neighbour[77] += 0.875 * CHANGE
    trees = [DPTree(x, CHANGE, ApproxDP(1.0, 1e-6), bits=SeededBits(7)) for x in (leaves, neighbour)]
    nodes: list[NoisyNodes] = [tree.nodes for tree in trees]
    charged = math.ceil(CHANGE / trees[0].noise.grid)
    moved = [np.abs(a - b) for a, b in zip(nodes[0].levels, nodes[1].levels, strict=True)]
    assert all(level.max() <= charged for level in moved)
    assert all((level > 0).sum() == 1 for level in moved)  # the path of one leaf
    assert all(level.sum() <= trees[0].noise.shift for level in moved)  # what the noise of a level was made for


def test_data_too_large_to_sum_exactly_is_refused_before_anything_is_built():
    """No int64 overflows, because no such sum is begun: neither values too large, nor too many of them."""
    with pytest.raises(InvalidArgument, match="smaller than 2\\^62 steps"):
        DPTree(large_and_small(LARGE), CHANGE, ApproxDP(1.0, 1e-6))
    with pytest.raises(InvalidArgument, match="summable below 2\\^61 steps"):
        DPTree(np.full(4096, 2.0**36), 1.0, ApproxDP(1.0, 1e-6))


OUTER = PolynomialMap(Parameters(600, 2, 2, 0.5, Bounds(1.0, 1.0, 2.0, "box")), 3)
GRIDS = integer_sums.choose_grids(OUTER, 2.0)


def outer_sums(keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    return integer_sums.outer_product_sums([(keys, values)], OUTER, GRIDS)


def one_row(key: np.ndarray, value: np.ndarray) -> np.ndarray:
    """phi(key) [value, c]^T on the grids, in Python integers."""
    phi = [int(x) for x in np.trunc(OUTER(key[None])[:, 0] / GRIDS.feature)]
    row = [*(int(x) for x in np.trunc(value / GRIDS.value)), GRIDS.weight_steps]
    return np.array([[a * b for b in row] for a in phi])


def test_outer_product_sums_change_by_one_rows_integers_and_float_sums_depend_on_the_order():
    """One row changes; the exact sums change by that row's two integer products alone, in any order of the rows."""
    rng = np.random.default_rng(5)
    keys = rng.uniform(-1.0, 1.0, (600, 2)) * np.where(np.arange(600) % 2, 1.0, 1e-9)[:, None]
    values = rng.uniform(-2.0, 2.0, (600, 2))
    other = keys.copy()
    other[300] = [1.0, -1.0]
    order = rng.permutation(600)
    change = outer_sums(other, values) - outer_sums(keys, values)
    shuffled = outer_sums(other[order], values[order]) - outer_sums(keys[order], values[order])
    expected = one_row(other[300], values[300]) - one_row(keys[300], values[300])
    assert np.array_equal(change, expected)
    assert np.array_equal(change, shuffled)
    # control: the same sums in floats depend on the order of the rows
    naive = [keys[o].T @ values[o] for o in (np.arange(600), order)]
    assert not np.array_equal(naive[0], naive[1])

"""The sampler draws exactly what the table says: against a reference that compares whole integers."""

import bisect
import itertools
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import chisquare

from dpverify.noise import OSBits, SeededBits, laws
from dpverify.noise.sampling import TableSampler
from dpverify.noise.table import IntegerTable


class ScriptedBits:
    """Hands out given words, to steer a draw to a given integer."""

    private = False

    def __init__(self, words):
        self._words = iter(words)

    def words(self, count):
        return np.array(list(itertools.islice(self._words, count)), dtype=np.uint32)


def reference(table: IntegerTable, uniform: int) -> int:
    """The entry into which a ``bits``-bit integer falls, by bisection on exact cumulative weights."""
    boundaries = list(itertools.accumulate(int(w) for w in table.weights))
    return bisect.bisect_right(boundaries, uniform) + table.first


def words_of(uniform: int, bits: int) -> list[int]:
    padded = uniform << (128 - bits)
    return [(padded >> shift) & 0xFFFFFFFF for shift in (96, 64, 32, 0)]


def test_every_outcome_of_an_eight_bit_table_is_drawn_as_often_as_its_weight():
    side = np.array([50, 21, 9, 0, 1], dtype=object)
    table = IntegerTable.from_side(side, 8, tail_mass=0.0)
    words = [(u << 24) | 0xABCDEF for u in range(256)]
    drawn = TableSampler(table).draw(256, ScriptedBits([*words, *[0] * 10_000]))
    counts = Counter(drawn.tolist())
    assert [counts[k] for k in range(-5, 6)] == table.weights.tolist()


@pytest.mark.parametrize("bits", [64, 128])
def test_draws_at_every_boundary_agree_with_whole_integer_comparison(bits):
    """One below, at, and one above every boundary, where a lazy look-up goes wrong first."""
    for table in (
        laws.truncated_laplace(Fraction(1, 5), 60, bits).table,
        laws.gaussian(7.3, 80, bits).table,
        laws.gaussian(0.4, 6, bits).table,  # tails with tiny and zero weights: many boundaries in one word
    ):
        sampler = TableSampler(table)
        boundaries = list(itertools.accumulate(int(w) for w in table.weights))
        for boundary, step in itertools.product(boundaries, (-1, 0, 1)):
            uniform = boundary + step
            if 0 <= uniform < 1 << bits:
                drawn = sampler.draw(1, ScriptedBits(words_of(uniform, bits)))
                assert drawn[0] == reference(table, uniform)


def test_the_seeded_source_repeats_and_the_operating_system_does_not():
    sampler = TableSampler(laws.gaussian(30.0, 250, 64).table)
    assert np.array_equal(sampler.draw(1000, SeededBits(5)), sampler.draw(1000, SeededBits(5)))
    assert not np.array_equal(sampler.draw(1000, OSBits()), sampler.draw(1000, OSBits()))
    assert OSBits().private
    assert not SeededBits(0).private


@pytest.mark.statistical(alpha=1e-7)
@pytest.mark.parametrize("half_width", [8, 3000], ids=["small", "large"])
def test_frequencies_of_operating_system_draws(half_width):
    table = laws.truncated_laplace(Fraction(5, half_width), half_width, 64).table
    drawn = TableSampler(table).draw(1_000_000, OSBits()) + half_width
    edges = np.linspace(0, 2 * half_width + 1, 17).astype(int)
    weights = [float(Fraction(sum(table.weights[a:b].tolist()), 1 << 64)) for a, b in itertools.pairwise(edges)]
    observed, _ = np.histogram(drawn, bins=edges)
    assert chisquare(observed, np.array(weights) * len(drawn)).pvalue > 1e-7


def test_a_wrong_table_is_told_apart_by_the_same_test():
    """Control: two percent more weight in the centre does not pass."""
    table = laws.truncated_laplace(Fraction(5, 8), 8, 64).table
    drawn = TableSampler(table).draw(1_000_000, SeededBits(1)) + 8
    probabilities = np.array([float(Fraction(int(w), 1 << 64)) for w in table.weights])
    probabilities[8] *= 1.02
    observed = np.bincount(drawn, minlength=17)
    assert chisquare(observed, probabilities / probabilities.sum() * len(drawn)).pvalue < 1e-7

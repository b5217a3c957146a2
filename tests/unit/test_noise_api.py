"""The public face of noise: what it refuses and how it says so, its edges, calibration, large tables."""

import itertools
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from dpverify import ApproxDP, CapacityError, Gaussian, InvalidArgument, OSBits, SeededBits, TruncatedLaplace
from dpverify.accounting import certify, delta_bracket
from dpverify.noise import calibrate, laws, tree_alternatives
from dpverify.noise.grid import to_steps
from dpverify.noise.integer_noise import MAX_HALF_WIDTH, table_bits
from dpverify.noise.losses import shifted_laplace
from dpverify.noise.sampling import CHUNK, TableSampler
from dpverify.noise.table import IntegerTable
from dpverify.spec import HypothesisNotMet
from dpverify.spec.tree import sensitivity_l1, sensitivity_l2

CTX = mpmath.MPContext()
CTX.dps = 60


class ScriptedInteger:
    """Hands out the words of one 128-bit integer, to steer a draw to it."""

    private = False

    def __init__(self, uniform):
        self._left = [(uniform >> shift) & 0xFFFFFFFF for shift in (96, 64, 32, 0)]

    def words(self, count):
        taken, self._left = self._left[:count], self._left[count:]
        return np.array(taken, dtype=np.uint32)


BOTH = pytest.mark.parametrize("make", [TruncatedLaplace, Gaussian])
CLAIM = ApproxDP(1.0, 1e-6)


# ---- what is refused ------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("sensitivity", [0, -1.0, math.nan, math.inf, "one", 5e-324, 1e-250, 1e250])
def test_a_sensitivity_that_no_grid_can_hold_is_refused(make, sensitivity):
    with pytest.raises(InvalidArgument, match="sensitivity must be") as caught:
        make(sensitivity, CLAIM)
    assert caught.value.argument == "sensitivity"


@BOTH
def test_a_sensitivity_below_one_step_of_the_data_is_refused(make):
    with pytest.raises(InvalidArgument, match=r"at least one step of the grid 1.*use a finer grid"):
        make(0.75, CLAIM, grid=1.0, on_grid=True)
    assert make(0.75, CLAIM, grid=1.0).shift == 1  # data off the grid is rounded, and that is charged


@BOTH
@pytest.mark.parametrize("epsilon", [701.0, 1e6, 1e300])
def test_an_epsilon_whose_exponential_overflows_is_refused(make, epsilon):
    with pytest.raises(InvalidArgument, match="epsilon must be at most 699"):
        make(1.0, ApproxDP(epsilon, 1e-6))


@BOTH
@pytest.mark.parametrize("draws", [1, 10**12])
@pytest.mark.parametrize(("epsilon", "delta"), [(1.0, 1e-37), (1.0, 1e-300), (90.0, 1e-6), (699.0, 0.4)])
def test_a_delta_too_small_for_128_bits_is_refused(make, epsilon, delta, draws):
    with pytest.raises(CapacityError, match=r"too small for tables of 128 bits.*raise delta or lower epsilon"):
        make(1.0, ApproxDP(epsilon, delta), draws=draws, changed=1)


def test_claims_outside_the_hypotheses_are_refused():
    for claim in (ApproxDP(0.0, 1e-6), ApproxDP(1.0, 0.0), ApproxDP(1.0, 0.6)):
        with pytest.raises(HypothesisNotMet, match="it needs"):
            TruncatedLaplace(1.0, claim)
    with pytest.raises(HypothesisNotMet, match="0 < epsilon"):
        Gaussian(1.0, ApproxDP(0.0, 1e-6))
    with pytest.raises(InvalidArgument, match="delta must be positive"):
        Gaussian(1.0, ApproxDP(1.0, 0.0))


@BOTH
@pytest.mark.parametrize("epsilon", [1e-9, 1e-300, 5e-324])
def test_noise_too_wide_for_memory_says_how_wide(make, epsilon):
    with pytest.raises(CapacityError, match=r"raise epsilon"):
        make(1.0, ApproxDP(epsilon, 1e-12), draws=10**6)


@BOTH
def test_a_grid_too_fine_for_memory_says_how_large_the_table_would_be(make):
    with pytest.raises(CapacityError, match=r"above \d.*coarser grid"):
        make(1.0, CLAIM, grid=2.0**-60)
    with pytest.raises(CapacityError, match="coarser grid"):
        make(1.0, CLAIM, grid=2.0**-900)


def test_a_gaussian_table_beyond_memory_names_its_entries():
    with pytest.raises(CapacityError, match=r"would need [\d,]+ entries"):
        Gaussian(1.0, CLAIM, grid=2.0**-36)


@BOTH
@pytest.mark.parametrize("grid", [0.3, 0.0, -1.0, math.inf, math.nan, 2.0**-1000, "fine"])
def test_a_grid_that_is_no_power_of_two_is_refused(make, grid):
    with pytest.raises(InvalidArgument, match="grid must be"):
        make(1.0, CLAIM, grid=grid)


@BOTH
def test_counts_and_sizes_are_checked(make):
    for draws in (0, 1.5, 2**60, 10**400):
        with pytest.raises(InvalidArgument, match="draws must be"):
            make(1.0, CLAIM, draws=draws)
    with pytest.raises(InvalidArgument, match="changed must be"):
        make(1.0, CLAIM, draws=4, changed=0)
    with pytest.raises(InvalidArgument, match="given when on_grid=True"):
        make(1.0, CLAIM, on_grid=True)
    noise = make(1.0, CLAIM)
    for size in (1.5, -1, (2, -1), "ab"):
        with pytest.raises(InvalidArgument, match="size must be"):
            noise.sample(size, SeededBits(0))
    for size, shape in ((np.int64(3), (3,)), ((), ()), (0, (0,)), ((2, 0), (2, 0)), ([2, 3], (2, 3))):
        assert noise.sample(size, SeededBits(0)).shape == shape
    for epsilon in (-1.0, math.nan, math.inf, "one"):
        with pytest.raises(InvalidArgument, match="epsilon must be"):
            noise.delta(epsilon)
    with pytest.raises(InvalidArgument, match="at most draws = 1"):
        noise.add([1.0, 2.0])


@pytest.mark.parametrize("given", [1, 3])
def test_a_source_that_gives_the_wrong_number_of_words_is_refused(given):
    """One word for many draws would be broadcast: every draw the same."""

    class Stuck:
        private = True

        def words(self, count):
            return np.zeros(given, dtype=np.uint32)

    with pytest.raises(InvalidArgument, match="a source that gives 2 uint32 words"):
        TruncatedLaplace(1.0, CLAIM).sample(2, Stuck())


# ---- data that is not what the sensitivity was counted for ------------------------------------------------------


@BOTH
def test_data_off_the_grid_is_refused_where_its_rounding_was_not_charged(make):
    noise = make(2.0, CLAIM, draws=3, grid=0.5, on_grid=True)
    assert noise.add([1.0, 2.5, -3.0], SeededBits(0)).shape == (3,)
    with pytest.raises(InvalidArgument, match=r"values must be a multiple of the grid 0.5, but it is 2.25"):
        noise.add([1.0, 2.25, -3.0])


@pytest.mark.parametrize("values", [[2**60, 2**60 + 1], [-(2**53) - 1], np.array([2**63], dtype=np.uint64)])
def test_integers_beyond_float64_are_refused_before_they_are_rounded(values):
    """2^60 + 128 and 2^60 + 129 differ by 1, their float64 values by 256."""
    assert abs(float(2**60 + 128) - float(2**60 + 129)) == 256
    with pytest.raises(InvalidArgument, match="at most 2\\^53 in magnitude for integers"):
        to_steps(np.array(values), 1.0)
    with pytest.raises(InvalidArgument, match="at most 2\\^53"):
        TruncatedLaplace(1.0, CLAIM, draws=2, grid=1.0, on_grid=True).add(np.array(values))


def test_wider_floats_are_refused_before_they_are_rounded():
    if np.dtype(np.longdouble).itemsize > 8:
        with pytest.raises(InvalidArgument, match="float64 holds exactly"):
            to_steps(np.array([1.0], dtype=np.longdouble), 1.0)
    assert to_steps(np.array([2**53, -(2**53)]), 1.0).tolist() == [2**53, -(2**53)]


@pytest.mark.parametrize("grid", [2.0**-30, 2.0**-900])
def test_values_beyond_the_integers_are_refused_and_never_wrap(grid):
    for value in (2.0**62 * grid, -(2.0**62) * grid, 1.7e308):
        with pytest.raises(InvalidArgument, match="smaller than 2\\^62 steps"):
            to_steps([value], grid)
    assert to_steps([math.nextafter(2.0**62 * grid, 0.0)], grid)[0] < 2**62


@BOTH
def test_noise_plus_the_largest_value_stays_below_the_end_of_int64(make):
    noise = make(1.0, ApproxDP(1e-4, 1e-9), draws=4)
    assert 2**62 + noise.law.half_width < 2**63 - 1
    assert noise.law.half_width <= 2**41


# ---- delta -------------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("draws", [1, 5])
@pytest.mark.parametrize("delta", [1e-3, 1e-20])
def test_delta_falls_towards_the_claims_epsilon_and_never_rises_above_it_again(make, draws, delta):
    """Just below the claim's epsilon a difference of nearly equal numbers once gave 0 for a delta of 1e-20."""
    noise = make(1.0, ApproxDP(1.0, delta), draws=draws)
    below = [0.0, 0.5, 0.999, 1 - 1e-9, math.nextafter(1.0, 0.0)]
    deltas = [noise.delta(e) for e in (*below, 1.0, math.nextafter(1.0, 2.0), 1.5, 40.0, 699.0, 1e4)]
    assert all(a >= b * (1 - 1e-9) for a, b in itertools.pairwise(deltas[:6]))
    assert max(deltas[5:]) <= deltas[5] <= delta
    assert max(deltas) <= 1.0


@pytest.mark.parametrize("delta", [0.6, 0.9, 0.999])
def test_gaussian_noise_for_large_delta_keeps_it(delta):
    """The profile at the calibrated sigma, at 60 digits."""
    noise = Gaussian(1.0, ApproxDP(0.5, delta))
    r = CTX.mpf(noise._covered) / CTX.mpf(noise.sigma)
    exact = CTX.ncdf(r / 2 - 0.5 / r) - CTX.exp(0.5) * CTX.ncdf(-r / 2 - 0.5 / r)
    assert exact <= noise.delta(0.5) <= delta
    assert exact >= delta * (1 - 2e-3)


@BOTH
def test_the_profile_covers_both_sides_of_the_claim(make):
    epsilons, deltas = make(1.0, CLAIM, draws=2).profile(9)
    assert epsilons[0] == pytest.approx(0.1)
    assert epsilons[-1] == pytest.approx(4.0)
    assert all((d <= 1e-6) == (e >= 1.0) for e, d in zip(epsilons, deltas, strict=True))


@pytest.mark.parametrize("shift", [-31, -30, -1, 1, 29, 30, 31, 40])
def test_one_step_beyond_the_support_gives_everything_away(shift):
    """The table's edge: entries -15 .. 15, so that a shift of 31 leaves no common outcome."""
    table = laws.truncated_laplace(Fraction(1, 10), 15, 64).table
    delta = table.delta_at_shift(shift, 60.0)
    if abs(shift) >= 31:
        assert delta == 1
    else:
        edge = sum(int(w) for w in table.weights[: abs(shift)])
        assert delta == Fraction(edge, 2**64)


def test_the_tables_share_leaves_room_for_what_a_large_table_is_charged():
    """A large table pays its distance once in the law and twice in the check of one shift only."""
    for delta in np.geomspace(1e-14, 1e-9, 40):
        bits = table_bits(ApproxDP(1.0, float(delta)), 1, 20_000)
        tau = 20_000 * (1 + 2.0**-9) * 2.0**-bits
        assert 3 * tau * (1 + math.e) <= delta * 2.0**-10


# ---- laws --------------------------------------------------------------------------------------------------------


def test_digits_of_very_wide_noise_are_balanced_and_exact():
    """M = 2^36: neither table may take 2^22 entries; cells against 60 digits."""
    noise = TruncatedLaplace(1.0, ApproxDP(5e-6, 1e-9), grid=2.0**-16)
    leading, trailing = noise.law.tables
    assert noise.law.half_width > 2**35
    assert max(len(leading.weights), len(trailing.weights)) <= 2**20
    rate, base, blocks = CTX.mpf(5e-6) / noise.shift, noise.law.base, leading.half_width
    scale = CTX.mpf(2) ** leading.bits
    half = CTX.exp(rate / 2)
    total = 2 + 2 * (1 + half) * CTX.exp(-rate) * CTX.expm1(-rate * base * blocks) / CTX.expm1(-rate)
    run = CTX.expm1(-rate * base) / CTX.expm1(-rate)
    centre = 2 / total * scale
    assert abs(int(leading.weights[blocks]) - centre) <= blocks * (1 + 2.0**-10)
    for a in (0, 1, blocks // 2, blocks - 1):
        mass = (1 + half) * CTX.exp(-rate * (base * a + 1)) * run / total
        assert abs(int(leading.weights[blocks + 1 + a]) - mass * scale) <= (1 + 2.0**-10) / 2
    for b in (1, base // 2, base - 1):
        assert abs(int(trailing.weights[b]) - CTX.exp(-rate * b) / run * scale) <= (1 + 2.0**-10) / 2


def test_a_gaussian_that_is_narrow_for_its_grid_needs_few_anchors():
    """Once, every anchor up to the last was computed: 10^8 of them here."""
    table = laws.gaussian(1e-6, 2, 64).table
    assert table.weights.tolist() == [0, 0, 2**64, 0, 0]


@pytest.mark.parametrize("precision", [96, 160])
@pytest.mark.parametrize(("sigma", "half_width"), [(1.5, 20), (63.9, 200), (64.0, 200), (200.0, 900), (20_000.0, 700)])
def test_gaussian_tails_are_within_four_units(sigma, half_width, precision):
    """What the tables' error bound rests on; runs of 1, of 3 and of 312 edges."""
    ctx = mpmath.MPContext()
    ctx.dps = 80
    tails = laws._upper_tails(sigma, half_width, precision)
    assert len(tails) == half_width + 1
    for k in range(0, half_width + 1, 7):
        exact = ctx.erfc((k + ctx.mpf(1) / 2) / ctx.mpf(sigma) / ctx.sqrt(2)) / 2
        assert abs(int(tails[k]) - ctx.ldexp(exact, precision)) <= 4


@pytest.mark.parametrize("bits", [64, 128])
def test_large_tables_agree_with_60_digits_where_it_matters(bits):
    """Cells in the bulk and far out of tables of 200,001 entries, each within half a unit."""
    sigma, half = 20_000.0, 100_000
    table = laws.gaussian(sigma, half, bits).table
    for k in (1, 2, 77, 19_999, 20_000, 54_321, 99_999, 100_000):
        low, high = ((2 * k - 1) / CTX.mpf(2) / sigma, (2 * k + 1) / CTX.mpf(2) / sigma)
        mass = (CTX.erfc(low / CTX.sqrt(2)) - CTX.erfc(high / CTX.sqrt(2))) / 2 * CTX.mpf(2) ** bits
        assert abs(int(table.weights[half + k]) - mass) <= (1 + 2.0**-10) / 2
    beyond = CTX.erfc((half + CTX.mpf(1) / 2) / sigma / CTX.sqrt(2))
    assert beyond <= table.total_variation


@pytest.mark.parametrize("bits", [64, 128])
def test_draws_at_boundaries_of_a_large_table(bits):
    """A guide of 2^22 cells, open cells with one, few and thousands of boundaries."""
    table = laws.gaussian(20_000.0, 130_000, bits).table
    sampler = TableSampler(table)
    boundaries = list(itertools.accumulate(int(w) for w in table.weights))
    rng = np.random.default_rng(0)
    for j in (*range(5), *rng.integers(0, len(boundaries), 40), len(boundaries) - 2):
        for uniform in (boundaries[j] - 1, boundaries[j]):
            if 0 <= uniform < 1 << bits:
                expected = next(k for k in range(max(0, j - 3), len(boundaries)) if boundaries[k] > uniform)
                assert sampler.draw(1, ScriptedInteger(uniform << (128 - bits)))[0] == expected + table.first


def test_the_last_cell_and_empty_ends():
    """All the weight in the middle, zero weights at both ends, and a boundary in the very last high word."""
    weights = np.array([0, 0, 5, 2**128 - 6, 1, 0, 0], dtype=object)
    sampler = TableSampler(IntegerTable(weights, -3, 128, 0.0))

    for uniform, value in ((0, -1), (4, -1), (5, 0), (2**128 - 2, 0), (2**128 - 1, 1)):
        assert sampler.draw(1, ScriptedInteger(uniform))[0] == value


def test_seeded_draws_do_not_depend_on_threads_and_threads_fill_every_place(monkeypatch):
    noise = TruncatedLaplace(1.0, CLAIM)
    count = 3 * CHUNK + 17
    once = noise.sample_steps(count, SeededBits(3))
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert np.array_equal(once, noise.sample_steps(count, SeededBits(3)))
    monkeypatch.setattr("os.cpu_count", lambda: 2)

    class Counting(OSBits):
        taken = 0

        def words(self, count):
            self.taken += count
            return np.full(count, 0x80000000 + self.taken % 2, dtype=np.uint32)

    source = Counting()
    assert not noise.sample_steps(count, source).any()  # the middle of the table: every place was written
    assert source.taken >= count


# ---- composition and calibration -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "half_width", "shift"), [(0.3, 4, 1), (0.3, 4, 4), (0.05, 40, 11), (2.0, 3, 2)])
def test_the_few_outcomes_of_a_shift_keep_its_whole_profile(rate, half_width, shift):
    """Against the sum over all integers of (p - e^epsilon q)_+, at 60 digits."""
    h = CTX.exp(CTX.mpf(rate) / 2)
    raw = {k: CTX.mpf(2) if k == 0 else (1 + h) * CTX.exp(-CTX.mpf(rate) * abs(k))
           for k in range(-half_width, half_width + 1)}  # fmt: skip
    total = CTX.fsum(raw.values())
    loss = shifted_laplace(Fraction(rate), half_width, shift, 0.0)
    for epsilon in (0.0, 0.1, rate * shift / 2, rate * shift * 0.999, rate * shift + 0.1):
        exact = CTX.fsum(
            max(CTX.mpf(0), p - CTX.exp(CTX.mpf(epsilon)) * raw.get(k - shift, CTX.mpf(0))) for k, p in raw.items()
        ) / total  # fmt: skip
        bracket = delta_bracket(loss, epsilon)
        assert bracket.lower <= exact <= bracket.upper
        assert bracket.relative_width <= 1e-9


def test_noise_certifies_its_own_claim():
    for noise in (
        TruncatedLaplace(1.0, CLAIM),
        TruncatedLaplace(1.0, CLAIM, draws=9),
        Gaussian(1.0, CLAIM),
        Gaussian(1.5, CLAIM, grid=0.0625, on_grid=True),
        Gaussian(1.0, CLAIM, draws=9),
    ):
        certificate = certify(noise, CLAIM)
        assert certificate.satisfied
        assert certificate.delta_bracket.upper >= 0.98e-6
        assert certificate.adjacency is None
        assert certificate.delta_bracket.lower <= noise.delta(1.0) * (1 + 1e-9)
    two = certify([(TruncatedLaplace(1.0, CLAIM), 2)], ApproxDP(1.9, 2e-6))
    assert two.refuted


def test_calibration_is_exact_for_two_numbers():
    """Against the profile of the product of two shifted tables, every pair of outcomes."""
    claim = ApproxDP(2.0, 1e-3)
    found = calibrate([((1.0, 2),)], claim, grid=2.0**-3, on_grid=True)
    weights = np.array([float(w) for w in found.noise.table.weights]) / 2.0**found.noise.table.bits
    shift = found.noise.shift
    p, q = np.pad(weights, (0, shift)), np.pad(weights, (shift, 0))
    exact = np.maximum(np.outer(p, p) - math.exp(2.0) * np.outer(q, q), 0.0).sum()
    assert exact <= found.delta_upper * (1 + 1e-12)
    assert found.delta_upper <= claim.delta
    assert found.delta_upper <= exact * 1.01
    assert found.delta(2.0) == found.delta_upper
    assert found.delta(1.0) > claim.delta


def test_calibration_cannot_be_made_much_smaller_and_never_loses_to_basic_composition():
    for numbers, epsilon in ((1, 1.0), (4, 2.0), (60, 1.0)):
        claim = ApproxDP(epsilon, 1e-6)
        found = calibrate([((1.0, numbers),)], claim)
        part = found.noise.claim
        basic = TruncatedLaplace(1.0, ApproxDP(epsilon / numbers, 1e-6 / numbers))
        assert found.noise.std <= basic.std * 1.002
        smaller = TruncatedLaplace(1.0, ApproxDP(part.epsilon * 1.01, part.delta))
        assert certify([(smaller, numbers)], claim).refuted
    assert found.noise.std < 0.75 * basic.std


@pytest.mark.parametrize("leaves_changed", [1, 2])
@pytest.mark.parametrize("height", [0, 1, 5])
def test_the_alternatives_of_a_tree_reach_its_sensitivity(height, leaves_changed):
    alternatives = tree_alternatives(3.0, height, leaves_changed)
    for power, sensitivity in ((1, sensitivity_l1.l1), (2, sensitivity_l2.l2)):
        sizes = [sum(change**power * count for change, count in changes) for changes in alternatives]
        assert max(sizes) ** (1 / power) == pytest.approx(sensitivity(3.0, height, leaves_changed), rel=1e-12)
    assert len(alternatives) == (1 if leaves_changed == 1 else height + 1)


@pytest.mark.parametrize("height", [1, 2, 4])
def test_every_move_of_a_row_is_among_the_alternatives_and_each_is_attained(height):
    """A contribution of 1 leaves leaf x, one of -1 enters leaf y: what changes by 2 and by 1, summed up the tree."""
    seen = set()
    for x, y in itertools.product(range(2**height), repeat=2):
        level = np.zeros(2**height)
        level[x] -= 1.0
        level[y] -= 1.0
        changed = []
        while True:
            changed += np.abs(level).tolist()
            if len(level) == 1:
                break
            level = level[::2] + level[1::2]
        seen.add((changed.count(2.0), changed.count(1.0)))
    listed = {(dict(changes).get(2.0, 0), dict(changes).get(1.0, 0)) for changes in tree_alternatives(1.0, height, 2)}
    assert seen == listed


def test_calibration_serves_the_worst_alternative():
    found = calibrate([((1.0, 1),), ((1.0, 30),), ((0.5, 20),)], CLAIM)
    worst = calibrate([((1.0, 30),)], CLAIM)
    assert found.noise.claim == worst.noise.claim
    assert found.delta_upper == worst.delta_upper


def test_calibration_refuses_what_it_cannot_do():
    for alternatives in ([], [()], [((0.0, 1),)], [((1.0, 0),)]):
        with pytest.raises(InvalidArgument):
            calibrate(alternatives, CLAIM)
    with pytest.raises(CapacityError, match="raise delta or lower epsilon"):
        calibrate([((1.0, 50),)], ApproxDP(60.0, 1e-9))
    with pytest.raises(InvalidArgument, match="1 \\(in place\\) or 2"):
        tree_alternatives(1.0, 3, 3)
    with pytest.raises(InvalidArgument, match="at most the sensitivity"):
        TruncatedLaplace(1.0, CLAIM).privacy_loss_at(2.0)


@pytest.mark.slow
def test_a_table_of_a_million_entries_is_within_reach():
    table = laws.gaussian(60_000.0, 500_000, 64).table
    assert len(table.weights) == 1_000_001 <= 2 * MAX_HALF_WIDTH + 1
    drawn = TableSampler(table).draw(200_000, SeededBits(0))
    assert np.std(drawn) == pytest.approx(60_000.0, rel=0.01)

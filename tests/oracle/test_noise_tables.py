"""The tables that are sampled, against their laws at 60 digits and against the definition of (epsilon, delta)."""

import itertools
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from dpverify import ApproxDP, Gaussian, SeededBits, TruncatedLaplace
from dpverify.noise import laws
from dpverify.noise.table import IntegerTable
from dpverify.spec.core.rounding import exp_lower

CTX = mpmath.MPContext()
CTX.dps = 60


def laplace_masses(rate: float, half_width: int) -> list:
    """Cell masses of the density exp(-rate |z|) on [-(M + 1/2), M + 1/2], by integrating each cell."""
    half = CTX.mpf(1) / 2

    def integral(a, b):
        return (CTX.exp(-rate * a) - CTX.exp(-rate * b)) / CTX.mpf(rate)

    side = [integral(k - half, k + half) for k in range(1, half_width + 1)]
    centre = 2 * integral(CTX.mpf(0), half)
    total = centre + 2 * sum(side)
    return [m / total for m in [*side[::-1], centre, *side]]


def gaussian_masses(sigma: float, half_width: int) -> list:
    edge = [CTX.ncdf((CTX.mpf(k) + CTX.mpf(1) / 2) / CTX.mpf(sigma)) for k in range(-half_width - 1, half_width + 1)]
    return [b - a for a, b in itertools.pairwise(edge)]


def check_weights(table: IntegerTable, masses: list) -> None:
    scale = CTX.mpf(2) ** table.bits
    error = [abs(w - m * scale) for w, m in zip(table.weights, masses, strict=True)]
    centre = table.half_width
    assert max(error[:centre] + error[centre + 1 :]) <= (1 + 2.0**-10) / 2
    tails = 1 - sum(masses)
    distance = (sum(error) / scale + tails) / 2
    assert distance <= table.total_variation
    assert distance >= table.total_variation / 100  # the bound is not vacuous


@pytest.mark.parametrize("bits", [64, 128])
@pytest.mark.parametrize(("rate", "half_width"), [(0.5, 1), (0.5, 40), (1e-3, 700), (3.0, 12)])
def test_truncated_laplace_weights_are_the_rounded_law(rate, half_width, bits):
    check_weights(laws.truncated_laplace(Fraction(rate), half_width, bits).table, laplace_masses(rate, half_width))


@pytest.mark.parametrize("bits", [64, 128])
@pytest.mark.parametrize(("sigma", "half_width"), [(0.3, 3), (1.0, 9), (17.3, 150), (400.0, 900)])
def test_gaussian_weights_are_the_rounded_law(sigma, half_width, bits):
    check_weights(laws.gaussian(sigma, half_width, bits).table, gaussian_masses(sigma, half_width))


@pytest.mark.parametrize("bits", [64, 128])
def test_tables_sum_to_a_power_of_two_and_are_symmetric(bits):
    for law in (laws.truncated_laplace(Fraction(1, 30), 400, bits), laws.gaussian(30.0, 300, bits)):
        table = law.table
        assert sum(table.weights) == 1 << bits
        assert np.array_equal(table.weights, table.weights[::-1])


def test_a_side_that_does_not_fit_its_bits_is_refused():
    with pytest.raises(ValueError, match="non-negative"):
        IntegerTable.from_side(np.array([200, 100], dtype=object), 8, tail_mass=0.0)


@pytest.mark.parametrize("x", [Fraction(0), Fraction(1, 10**9), Fraction(1), Fraction(50), Fraction(699)])
def test_exp_lower_is_below_and_close(x):
    lower = exp_lower(x)
    exact = CTX.exp(CTX.mpf(x.numerator) / x.denominator)
    value = CTX.mpf(lower.numerator) / lower.denominator
    assert value <= exact * (1 + CTX.mpf(2) ** -190)
    assert (exact - value) / exact < CTX.mpf(2) ** -190


def test_exp_lower_refuses_negative_arguments():
    with pytest.raises(ValueError, match="must be in"):
        exp_lower(Fraction(-1))


def test_delta_of_the_reference_table():
    """MATH: sensitivity 1024 steps, epsilon 1, delta 1e-6; one step more than declared costs a factor of 490."""
    noise = TruncatedLaplace(1.0, ApproxDP(1.0, 1e-6), grid=2.0**-10, on_grid=True)
    assert noise.shift == 1024
    at_claim = float(noise.table.delta_at_shift(1024, 1.0))
    assert 0.99e-6 < at_claim <= 1e-6
    assert 4.5e-4 < float(noise.table.delta_at_shift(1025, 1.0)) < 5.5e-4


@pytest.mark.parametrize("make", [TruncatedLaplace, Gaussian])
@pytest.mark.parametrize("epsilon", [0.5, 2.0])
def test_certified_delta_is_the_largest_over_all_shifts_and_events(make, epsilon):
    """On a small table: enumerate every shift, and for each the best event, from the definition."""
    noise = make(3.0, ApproxDP(epsilon, 1e-2), grid=0.5, on_grid=True)
    weights = [Fraction(int(w), 1 << noise.table.bits) for w in noise.table.weights]
    grow = CTX.exp(epsilon)
    worst = CTX.mpf(0)
    for shift in range(-noise.shift, noise.shift + 1):
        padded = [Fraction(0)] * noise.shift
        here = padded + weights + padded
        there = [here[k - shift] if 0 <= k - shift < len(here) else Fraction(0) for k in range(len(here))]
        gains = (CTX.mpf(p.numerator) / p.denominator - grow * q.numerator / q.denominator
                 for p, q in zip(here, there, strict=True))  # fmt: skip
        worst = max(worst, CTX.fsum(g for g in gains if g > 0))
    certified = noise.delta(epsilon)
    assert worst <= certified <= 1e-2
    if make is TruncatedLaplace:
        assert certified <= worst * (1 + 1e-9)


def test_delta_grows_with_the_shift_on_a_small_table():
    noise = TruncatedLaplace(1.0, ApproxDP(1.0, 1e-3), grid=2.0**-5)
    deltas = [noise.table.delta_at_shift(t, 1.0) for t in range(noise.shift + 1)]
    assert all(a <= b for a, b in itertools.pairwise(deltas))


def test_two_tables_make_a_gaussian_of_the_calibrated_deviation():
    noise = Gaussian(1.0, ApproxDP(1.0, 1e-6), draws=10_000)
    assert len(noise.law.tables) == 2
    assert noise.sigma <= noise.std <= noise.sigma * (1 + 1e-6)
    assert noise.rounding_charge <= 1e-3
    assert noise.delta(1.0) <= 1e-6
    with pytest.raises(ValueError, match="two tables"):
        _ = noise.table


@pytest.mark.parametrize(("blocks", "base"), [(1, 1), (3, 4), (20, 7)])
def test_two_digits_make_the_same_law_as_one_table(blocks, base):
    """Enumerate every pair of digits: the law of the draw is the rounded law, within the charged distance."""
    law = laws.truncated_laplace_digits(Fraction(1, 9), blocks, base, 64)
    one = laws.truncated_laplace(Fraction(1, 9), blocks * base, 64).table
    leading, trailing = law.tables
    mass = dict.fromkeys(range(-blocks * base, blocks * base + 1), Fraction(0))
    for m, w in enumerate(leading.weights, start=leading.first):
        for b, u in enumerate(trailing.weights):
            value = 0 if m == 0 else (abs(m) * base - (base - 1 - b)) * (1 if m > 0 else -1)
            mass[value] += Fraction(int(w) * int(u), 1 << 128)
    distance = sum(abs(p - Fraction(int(w), 1 << 64)) for p, w in zip(mass.values(), one.weights, strict=True)) / 2
    assert distance <= law.total_variation + one.total_variation
    assert law.half_width == blocks * base
    assert law.variance == pytest.approx(float(sum(k * k * p for k, p in mass.items())), rel=1e-12)


def test_wide_truncated_laplace_noise_is_drawn_in_digits():
    noise = TruncatedLaplace(1.0, ApproxDP(1e-3, 1e-9), draws=100, changed=2)
    assert len(noise.law.tables) == 2
    assert noise.rounding_charge <= 1e-3
    assert noise.delta(1e-3) <= 1e-9
    drawn = noise.sample_steps(200_000, SeededBits(0))
    assert abs(drawn).max() <= noise.law.half_width
    assert np.var(drawn) == pytest.approx(noise.law.variance, rel=0.02)
    digits, counts = np.unique(np.abs(drawn[drawn != 0] - np.sign(drawn[drawn != 0])) % 4, return_counts=True)
    assert digits.tolist() == [0, 1, 2, 3]
    assert counts.min() > 0.9 * counts.max()

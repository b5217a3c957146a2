"""Noise for any claim keeps it: the certified delta against the definition, every shift, every epsilon."""

import itertools
import math
from fractions import Fraction

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dpverify import ApproxDP, CapacityError, Gaussian, TruncatedLaplace
from dpverify.accounting import delta_bracket
from dpverify.noise import calibrate
from dpverify.noise.grid import to_steps

MAKERS = st.sampled_from([TruncatedLaplace, Gaussian])
CLAIMS = st.builds(
    ApproxDP,
    st.floats(0.3, 6.0),
    st.floats(-7.0, -0.5).map(lambda exponent: 10.0**exponent),
)


def profile(weights: list[int], shift: int, epsilon: float) -> float:
    """sum_k (p_k - e^epsilon p_(k-shift))_+ over all integers k, in exact weights and one rounding a term."""
    at = dict(enumerate(weights))
    grow = math.exp(epsilon)
    gains = (at.get(k, 0) - grow * at.get(k - shift, 0) for k in range(-abs(shift), len(weights) + abs(shift)))
    return math.fsum(g for g in gains if g > 0) / sum(weights)


@given(make=MAKERS, claim=CLAIMS, sensitivity=st.floats(0.5, 9.0), on_grid=st.booleans(), factor=st.floats(0.0, 2.0))
@settings(max_examples=60)
def test_one_draw_keeps_its_claim_at_every_shift(make, claim, sensitivity, on_grid, factor):
    assume(not on_grid or sensitivity >= 1.0)
    noise = make(sensitivity, claim, grid=1.0, on_grid=on_grid)
    steps = math.floor(sensitivity) if on_grid else math.ceil(sensitivity)  # what data on or off the grid can move
    assert noise.shift >= steps
    weights = [int(w) for w in noise.table.weights]
    epsilon = factor * claim.epsilon
    worst = max(profile(weights, t, epsilon) for t in range(-steps, steps + 1))
    assert worst <= noise.delta(epsilon) * (1 + 1e-12) + 1e-15
    assert noise.delta(claim.epsilon) <= claim.delta


@given(claim=CLAIMS, steps=st.integers(1, 3), factor=st.floats(0.0, 1.5))
@settings(max_examples=40)
def test_two_draws_keep_their_claim_at_every_pair_of_shifts(claim, steps, factor):
    """The l1 ball of shifts and all pairs of outcomes, enumerated."""
    noise = TruncatedLaplace(float(steps), claim, draws=2, grid=1.0, on_grid=True)
    weights = np.array([float(Fraction(int(w), 1 << noise.table.bits)) for w in noise.table.weights])
    epsilon = factor * claim.epsilon
    worst = 0.0
    for one, two in itertools.product(range(steps + 1), repeat=2):
        if one + two <= steps:
            p = np.outer(np.pad(weights, (0, one)), np.pad(weights, (0, two)))
            q = np.outer(np.pad(weights, (one, 0)), np.pad(weights, (two, 0)))
            worst = max(worst, float(np.maximum(p - math.exp(epsilon) * q, 0.0).sum()))
    assert worst <= noise.delta(epsilon) * (1 + 1e-9) + 1e-13


@given(
    make=MAKERS,
    epsilon=st.floats(-3.0, 1.5).map(lambda x: 10.0**x),
    delta=st.floats(-30.0, -0.31).map(lambda x: 10.0**x),
    sensitivity=st.floats(-150, 150).map(lambda x: 10.0**x),
    draws=st.integers(1, 10**6),
)
@settings(max_examples=25)
def test_any_noise_that_exists_keeps_its_claim_and_its_rounding_share(make, epsilon, delta, sensitivity, draws):
    claim = ApproxDP(epsilon, delta)
    try:
        noise = make(sensitivity, claim, draws=draws, changed=min(draws, 50))
    except CapacityError:
        # only where the table's share of delta is below what 128 bits can give
        assert delta / (draws * math.exp(epsilon)) < 2.0**-85
        return
    assert noise.delta(epsilon) <= delta
    assert 0 <= noise.rounding_charge <= 1.001e-3
    assert noise.table_charge <= delta * 2.0**-10
    assert noise.bound < math.inf
    assert noise.std <= noise.bound


@given(
    x=st.floats(-1e6, 1e6),
    distance=st.floats(0.0, 100.0),
    sensitivity=st.floats(0.01, 100.0),
    exponent=st.integers(-12, 3),
)
def test_rounding_moves_neighbours_apart_by_no_more_than_was_charged(x, distance, sensitivity, exponent):
    y = x + min(distance, sensitivity)
    assume(abs(Fraction(y) - Fraction(x)) <= Fraction(sensitivity))  # the sum was rounded too
    grid = 2.0**exponent
    moved = abs(int(to_steps([y], grid)[0]) - int(to_steps([x], grid)[0]))
    assert moved <= math.ceil(Fraction(sensitivity) / Fraction(grid))


@given(epsilon=st.floats(0.5, 6.0), delta=st.floats(1e-6, 1e-2), large=st.integers(1, 2), small=st.integers(0, 2))
@settings(max_examples=15)
def test_calibrated_noise_keeps_its_claim_on_every_alternative(epsilon, delta, large, small):
    """The product of up to four shifted tables, by convolution of exact losses on a fine lattice of outcomes."""
    claim = ApproxDP(epsilon, delta)
    alternatives = [((2.0, large), (1.0, small))] if small else [((2.0, large),)]
    found = calibrate(alternatives, claim, grid=1.0, on_grid=True)
    assert found.delta_upper <= delta
    weights = np.array([float(w) for w in found.noise.table.weights]) / 2.0**found.noise.table.bits
    # steps are few, so that the outcomes fall into few classes of equal likelihood ratio
    classes = {(0.0, 0.0): 1.0}  # (loss, infinite) -> mass
    for shift in [2] * large + [1] * small:
        p, q = np.pad(weights, (0, shift)), np.pad(weights, (shift, 0))
        one: dict[tuple[float, float], float] = {}
        for a, b in zip(p, q, strict=True):
            if a > 0:
                key = (round(math.log(a / b), 9), 0.0) if b > 0 else (0.0, 1.0)
                one[key] = one.get(key, 0.0) + a
        joint: dict[tuple[float, float], float] = {}
        for (l1, i1), m1 in classes.items():
            for (l2, i2), m2 in one.items():
                key = (0.0, 1.0) if i1 or i2 else (round(l1 + l2, 9), 0.0)
                joint[key] = joint.get(key, 0.0) + m1 * m2
        classes = joint
    exact = math.fsum(m if i else m * max(0.0, -math.expm1(epsilon - loss)) for (loss, i), m in classes.items())
    assert exact <= found.delta_upper * (1 + 1e-6) + 1e-9 * delta
    single = delta_bracket(found.noise.privacy_loss_at(2.0), epsilon)
    assert single.upper <= found.delta_upper

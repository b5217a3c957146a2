"""The accountant's brackets against compositions that can be computed exactly, on fine and on very coarse grids."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dpverify.accounting import (
    Bracket,
    ContradictoryBounds,
    DiscreteLoss,
    compose,
    delta_bracket,
    epsilon_bracket,
    from_approx_dp,
    from_gaussian,
    from_integer_table,
    from_pmfs,
    from_randomised_response,
    with_total_variation,
)
from dpverify.accounting import brackets as brackets_module
from dpverify.accounting import composition as composition_module
from dpverify.accounting import direction as direction_module
from dpverify.accounting import evaluate as evaluate_module
from dpverify.accounting import pld as pld_module
from dpverify.spec.core.oracle import at_two_precisions

REPRODUCIBLE = settings(derandomize=True, database=None, deadline=None, max_examples=60)
Pair = tuple[Sequence[int], Sequence[int]]  # integer weights of P and Q, of total 2^16


def gaussian_delta(k: int, mu: float, epsilon: float) -> Any:
    """k Gaussian mechanisms of sensitivity / sigma = mu are one with mu sqrt(k); its profile is Balle-Wang's."""

    def exact(ctx: Any) -> Any:
        m, e = ctx.mpf(mu) * ctx.sqrt(k), ctx.mpf(epsilon)
        return ctx.ncdf(m / 2 - e / m) - ctx.exp(e) * ctx.ncdf(-m / 2 - e / m)

    return at_two_precisions(exact, digits=60)


def response_delta(k: int, epsilon0: float, leak: float, epsilon: float) -> Any:
    """k randomised responses that each give themselves away with probability ``leak``: a binomial sum."""

    def exact(ctx: Any) -> Any:
        e0, e, safe = ctx.mpf(epsilon0), ctx.mpf(epsilon), (1 - ctx.mpf(leak)) ** k
        truth = 1 / (1 + ctx.exp(-e0))
        total = ctx.mpf(0)
        for i in range(k + 1):
            loss = (2 * i - k) * e0
            if loss > e:
                total += ctx.binomial(k, i) * truth**i * (1 - truth) ** (k - i) * (1 - ctx.exp(e - loss))
        return (1 - safe) + safe * total

    return at_two_precisions(exact, digits=50)


def enumerated_delta(pairs: Sequence[Pair], epsilon: float) -> Any:
    """sup_E P(E) - e^eps Q(E) of a product of small pairs, outcome by outcome."""

    def exact(ctx: Any) -> Any:
        growth, total = ctx.exp(ctx.mpf(epsilon)), ctx.mpf(0)
        for outcome in itertools.product(*(range(len(p)) for p, _ in pairs)):
            p = math.prod(int(pair[0][i]) for pair, i in zip(pairs, outcome, strict=True))
            q = math.prod(int(pair[1][i]) for pair, i in zip(pairs, outcome, strict=True))
            total += max(ctx.mpf(0), p - growth * q)
        return total / ctx.mpf(2) ** (16 * len(pairs))

    return at_two_precisions(exact, digits=60, absolute=1e-50)


def flipped(pairs: Sequence[Pair]) -> list[Pair]:
    return [(q, p) for p, q in pairs]


@st.composite
def pair_of_weights(draw: st.DrawFn) -> Pair:
    """Integer weights of total 2^16; zeros on either side, equal masses and tiny masses are all likely."""
    size = draw(st.integers(2, 4))
    sides = []
    for _ in range(2):
        cuts = draw(
            st.lists(st.sampled_from((0, 1, 3, 500, 2**14, 2**15, 40000, 2**16)), min_size=size - 1, max_size=size - 1)
        )
        noise = draw(st.lists(st.integers(0, 2**16), min_size=size - 1, max_size=size - 1))
        pick = draw(st.booleans())
        edges = [0, *sorted(cuts if pick else noise), 2**16]
        sides.append([b - a for a, b in itertools.pairwise(edges)])
    return sides[0], sides[1]


class TestGaussian:
    CASES = (
        (1, 1.0, 1.0), (1, 0.3, 1.5), (1, 5.0, 3.0), (7, 0.4, 0.0), (10, 0.1, 1.0), (100, 0.1, 3.0), (100, 0.1, 6.0),
        (100, 0.5, 50.0), (1000, 0.03, 3.0), (1000, 0.03, 6.5), (1000, 0.003, 0.5), (1000, 0.03, 11.0),
    )  # fmt: skip

    @pytest.mark.parametrize(("k", "mu", "epsilon"), CASES)
    def test_contained_and_narrow(self, k: int, mu: float, epsilon: float) -> None:
        exact = gaussian_delta(k, mu, epsilon)
        start = time.process_time()
        bracket = delta_bracket([(from_gaussian(1.0, mu), k)], epsilon)
        assert time.process_time() - start < 5.0
        assert exact in bracket
        assert bracket.relative_width <= 1e-3

    @pytest.mark.parametrize(("k", "mu", "epsilon"), CASES)
    @pytest.mark.parametrize("coarse", [0.02, 0.3, 2.0])
    def test_contained_on_a_coarse_grid(self, k: int, mu: float, epsilon: float, coarse: float) -> None:
        bracket = delta_bracket([(from_gaussian(1.0, mu), k)], epsilon, grid=coarse * mu)
        assert gaussian_delta(k, mu, epsilon) in bracket

    @pytest.mark.parametrize(("k", "mu", "epsilon"), [case for case in CASES if case[2] > 0.0])
    def test_epsilon(self, k: int, mu: float, epsilon: float) -> None:
        target = float(gaussian_delta(k, mu, epsilon))
        bracket = epsilon_bracket([(from_gaussian(1.0, mu), k)], target)
        # the target was rounded to a float, so epsilon is off by about 1e-16 / slope
        assert bracket.lower <= epsilon * (1 + 1e-12)
        assert epsilon * (1 - 1e-12) <= bracket.upper
        assert bracket.relative_width <= 1e-3

    @REPRODUCIBLE
    @given(st.integers(1, 400), st.floats(1e-3, 3.0), st.floats(-1.0, 7.0), st.sampled_from((None, 0.05, 0.9)))
    def test_anywhere(self, k: int, mu: float, z: float, coarse: float | None) -> None:
        deviation = mu * math.sqrt(k)
        epsilon = max(0.0, deviation * deviation / 2.0 + z * deviation)
        grid = None if coarse is None else coarse * mu
        bracket = delta_bracket([(from_gaussian(1.0, mu), k)], epsilon, grid=grid)
        assert gaussian_delta(k, mu, epsilon) in bracket
        assert grid is not None or bracket.relative_width <= 1e-3

    def test_two_different_gaussians(self) -> None:
        bracket = delta_bracket([(from_gaussian(4.0, 1.0), 9), (from_gaussian(5.0, 2.0), 16)], 4.0)
        exact = gaussian_delta(1, math.sqrt(9 / 16 + 16 * 4 / 25), 4.0)
        assert bracket.lower <= exact * (1 + 1e-14)
        assert exact * (1 - 1e-14) <= bracket.upper
        assert bracket.relative_width <= 1e-3


class TestRandomisedResponse:
    CASES = (
        (1, 1.0, 0.0, 0.5), (1, 1.0, 1e-6, 1.0), (2, 0.5, 0.0, 0.7), (10, 0.1, 0.0, 0.73), (100, 0.1, 0.0, 3.0),
        (100, 0.1, 1e-10, 5.5), (1000, 0.05, 0.0, 7.0), (1000, 0.05, 1e-13, 10.0), (1000, 0.02, 0.0, 3.0),
        (1000, 1.0, 0.0, 700.0), (30, 0.3, 0.0, 8.99), (30, 0.3, 1e-9, 9.0), (5, 0.0, 1e-4, 0.0),
    )  # fmt: skip

    @pytest.mark.parametrize(("k", "epsilon0", "leak", "epsilon"), CASES)
    def test_contained_and_narrow(self, k: int, epsilon0: float, leak: float, epsilon: float) -> None:
        start = time.process_time()
        bracket = delta_bracket([(from_approx_dp(epsilon0, leak), k)], epsilon)
        assert time.process_time() - start < 5.0
        assert response_delta(k, epsilon0, leak, epsilon) in bracket
        assert bracket.relative_width <= 1e-3

    @pytest.mark.parametrize(("k", "epsilon0", "leak", "epsilon"), CASES)
    @pytest.mark.parametrize("grid", [0.0137, 0.09, 0.77])  # none divides the losses: every atom is moved
    def test_contained_on_a_coarse_grid(
        self, k: int, epsilon0: float, leak: float, epsilon: float, grid: float
    ) -> None:
        bracket = delta_bracket([(from_approx_dp(epsilon0, leak), k)], epsilon, grid=grid)
        assert response_delta(k, epsilon0, leak, epsilon) in bracket

    @REPRODUCIBLE
    @given(
        st.integers(1, 300),
        st.floats(1e-3, 2.0),
        st.sampled_from((0.0, 1e-12, 1e-5)),
        st.floats(0.0, 1.02),
        st.sampled_from((None, 0.011, 0.23)),
    )
    def test_anywhere(self, k: int, epsilon0: float, leak: float, share: float, grid: float | None) -> None:
        bracket = delta_bracket([(from_approx_dp(epsilon0, leak), k)], share * k * epsilon0, grid=grid)
        assert response_delta(k, epsilon0, leak, share * k * epsilon0) in bracket

    def test_epsilon(self) -> None:
        bracket = epsilon_bracket([(from_approx_dp(0.1, 1e-10), 100)], 1e-6)
        assert response_delta(100, 0.1, 1e-10, bracket.upper) <= 1e-6 <= response_delta(100, 0.1, 1e-10, bracket.lower)
        assert bracket.relative_width <= 1e-3

    def test_pure_claims_add_up_exactly(self) -> None:
        """Where only the leak is left, the bracket is the leak: no grid error in the simplest theorem."""
        leak = 1 - (1 - Fraction(1e-7)) ** 30
        bracket = delta_bracket([(from_approx_dp(0.125, 1e-7), 30)], 3.75)
        assert bracket.lower <= leak <= bracket.upper
        assert bracket.width <= math.ulp(float(leak)) * 2
        assert epsilon_bracket([(from_approx_dp(0.125, 0.0), 30)], 0.0) == Bracket(3.75, 3.75)


class TestEnumeration:
    @REPRODUCIBLE
    @given(
        st.lists(pair_of_weights(), min_size=1, max_size=4),
        st.sampled_from((0.0, 0.1, 0.7, 2.0, 6.0)),
        st.sampled_from((None, 0.03, 0.4, 1.7)),
    )
    def test_delta_contained(self, pairs: list[Pair], epsilon: float, grid: float | None) -> None:
        bracket = delta_bracket([from_pmfs(p, q) for p, q in pairs], epsilon, grid=grid)
        exact = max(enumerated_delta(pairs, epsilon), enumerated_delta(flipped(pairs), epsilon))
        assert exact in bracket

    @REPRODUCIBLE
    @given(st.lists(pair_of_weights(), min_size=1, max_size=3), st.sampled_from((1e-4, 0.01, 0.2, 0.6)))
    def test_epsilon_contained(self, pairs: list[Pair], delta: float) -> None:
        bracket = epsilon_bracket([from_pmfs(p, q) for p, q in pairs], delta)
        for end, below in ((bracket.lower, False), (bracket.upper, True)):
            if math.isinf(end):
                end = 1e4  # what is left there is the infinite loss
            exact = max(enumerated_delta(pairs, end), enumerated_delta(flipped(pairs), end))
            assert exact <= delta if below and not math.isinf(bracket.upper) else exact >= delta or end == 0.0

    @REPRODUCIBLE
    @given(st.lists(pair_of_weights(), min_size=2, max_size=3), st.sampled_from((0.0, 0.4, 1.5)))
    def test_untied_covers_every_orientation(self, pairs: list[Pair], epsilon: float) -> None:
        bracket = delta_bracket([from_pmfs(p, q) for p, q in pairs], epsilon, tied=False, grid=0.05)
        exact = [
            enumerated_delta([(q, p) if turn else (p, q) for (p, q), turn in zip(pairs, turns, strict=True)], epsilon)
            for turns in itertools.product((False, True), repeat=len(pairs))
        ]
        assert max(exact) <= bracket.upper
        assert bracket.lower <= max(exact)

    def test_heterogeneous_is_narrow(self) -> None:
        pairs: list[Pair] = [
            ([40000, 25536], [25536, 40000]),
            ([1, 500, 65035], [3, 600, 64933]),
            ([30000, 35536, 0], [33000, 32535, 1]),
        ]
        bracket = delta_bracket([from_pmfs(p, q) for p, q in pairs], 0.2)
        assert max(enumerated_delta(pairs, 0.2), enumerated_delta(flipped(pairs), 0.2)) in bracket
        assert bracket.relative_width <= 1e-3

    def test_mixture_of_kinds(self) -> None:
        """A Gaussian beside a response: integrate the Gaussian's profile over the response's two losses."""

        def exact(ctx: Any) -> Any:
            total, e0, mu = ctx.mpf(0), ctx.mpf("0.75"), ctx.mpf("0.5")
            for sign in (1, -1):
                p, e = 1 / (1 + ctx.exp(-sign * e0)), 1 - sign * e0
                total += p * (ctx.ncdf(mu / 2 - e / mu) - ctx.exp(e) * ctx.ncdf(-mu / 2 - e / mu))
            return total

        bracket = delta_bracket([from_gaussian(2.0, 1.0), from_randomised_response(0.75)], 1.0)
        assert at_two_precisions(exact, digits=50) in bracket
        assert bracket.relative_width <= 1e-3


class TestIntegerTables:
    @staticmethod
    def small() -> np.ndarray[tuple[int], np.dtype[np.object_]]:
        half = [3000, 2100, 1500, 1050, 700, 500, 350, 241, 3]
        centre = 2**15 - 2 * sum(half)
        return np.array([*half[::-1], centre, *half], dtype=object)

    @pytest.mark.parametrize("shift", [0, 1, 3, 17, 18, 40])
    @pytest.mark.parametrize("epsilon", [0.0, 0.5, 1.3, 4.0])
    @pytest.mark.parametrize("k", [1, 2])
    def test_against_the_integer_sum(self, shift: int, epsilon: float, k: int) -> None:
        table = [int(x) for x in self.small()]
        p, q = [*table, *[0] * shift], [*[0] * shift, *table]
        if k == 2:
            p, q = ([a * b for a in x for b in x] for x in (p, q))

        def exact(ctx: Any) -> Any:
            growth = ctx.exp(ctx.mpf(epsilon))
            return sum((max(ctx.mpf(0), a - growth * b) for a, b in zip(p, q, strict=True)), ctx.mpf(0)) / 2 ** (15 * k)

        loss = from_integer_table(self.small(), shift)
        assert loss.symmetric
        bracket = delta_bracket([(loss, k)], epsilon)
        value = at_two_precisions(exact, digits=50, absolute=1e-40)
        assert value in bracket
        assert bracket.width <= 1e-3 * value + 1e-14 + 1e-5 * (k - 1)

    def test_128_bits(self) -> None:
        """A leak of one part in 2^128 is not lost."""
        table = np.array([1, 2**127 - 1, 2**127 - 1, 1], dtype=object)
        loss = from_integer_table(table, 1)
        assert loss.infinite == (Fraction(1, 2**128), Fraction(1, 2**128))
        bracket = delta_bracket(loss, 100.0)
        assert bracket == Bracket(2.0**-128, 2.0**-128)


class TestTotalVariation:
    """Laws that are off by a known distance: the bracket holds the delta of the worst of them."""

    def test_delta(self) -> None:
        """Randomised response whose P favours its own answer by tau more, and whose Q by as much."""
        tau, k, epsilon = 2.0**-12, 3, 1.0
        weights = [40000, 25536]
        off = [40000 + 16, 25536 - 16]
        pair: Pair = (weights, weights[::-1])
        moved: Pair = (off, off[::-1])
        bracket = delta_bracket([(with_total_variation(from_pmfs(*pair), tau), k)], epsilon)
        assert enumerated_delta([moved] * k, epsilon) in bracket
        assert enumerated_delta([moved] * k, epsilon) not in delta_bracket([(from_pmfs(*pair), k)], epsilon)
        cost = k * tau * (1.0 + math.exp(epsilon))
        assert bracket.width == pytest.approx(2.0 * cost, rel=1e-3)

    def test_epsilon(self) -> None:
        exact, tau = from_gaussian(10.0, 1.0), 1e-12
        sharp = epsilon_bracket([(exact, 100)], 1e-6)
        wide = epsilon_bracket([(with_total_variation(exact, tau), 100)], 1e-6)
        assert wide.lower <= sharp.lower < sharp.upper <= wide.upper
        assert wide.relative_width <= 2e-3
        # at both ends the delta of the normal pair is the target, less or more what the distance may cost
        for end, sign in ((wide.lower, 1.0), (wide.upper, -1.0)):
            cost = 100 * tau * (1.0 + math.exp(end))
            assert sign * (gaussian_delta(100, 0.1, end) - 1e-6) >= cost

    def test_too_far_for_the_target(self) -> None:
        loss = with_total_variation(from_gaussian(10.0, 1.0), 1e-6)
        assert epsilon_bracket([(loss, 100)], 1e-6).upper == math.inf
        assert epsilon_bracket([(loss, 100)], 1e-6).lower > 1.0


class TestEveryChargeCounts:
    """Starve the accountant of window and of tilt, so that its error terms carry the bracket: it stays true.

    Without the terms it does not, so none of them is idle.
    """

    CASES = ((100, 0.1, 1e-3), (1000, 0.03, 5e-4), (50, 0.5, 0.02))

    @staticmethod
    def wrong(forget: tuple[str, ...], outside: float, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
        """How many upper and lower bounds are wrong when the terms named are left out."""
        monkeypatch.setattr(composition_module, "_OUTSIDE", outside)
        monkeypatch.setattr(composition_module, "_EXACT_WINDOW", 2)
        upper_wrong = lower_wrong = 0
        zeros = dict.fromkeys(forget, 0.0)
        for k, mu, grid in TestEveryChargeCounts.CASES:
            direction = direction_module.directions([(from_gaussian(1.0, mu), k)], True)[0]
            deviation = mu * math.sqrt(k)
            for tilt in (0.0, 0.5 / deviation, 3.0 / deviation, 6.0 / deviation):
                total = compose(direction_module.upper_parts(direction, grid), tilt)
                p, q = (replace(x, **zeros) for x in direction_module.lower_laws(direction, grid, tilt))
                for z in (-0.5, 0.0, 1.0, 2.0, 4.0, 6.0, 7.0, 9.0):
                    epsilon = deviation**2 / 2.0 + z * deviation
                    exact = gaussian_delta(k, mu, epsilon)
                    upper_wrong += evaluate_module.delta_upper(replace(total, **zeros), direction, epsilon) < exact
                    lower_wrong += evaluate_module.delta_lower(p, q, direction, epsilon) > exact
        return upper_wrong, lower_wrong

    @pytest.mark.parametrize("outside", [1e-15, 1e-3, 0.3])
    def test_true_however_small_the_window(self, outside: float, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.wrong((), outside, monkeypatch) == (0, 0)

    def test_window_forgotten(self, monkeypatch: pytest.MonkeyPatch) -> None:
        upper, lower = self.wrong(("above", "outside"), 1e-3, monkeypatch)
        assert upper > 0
        assert lower > 0

    def test_round_off_forgotten(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert sum(self.wrong(("error",), 1e-15, monkeypatch)) > 0


def _upper_rounding_down(monkeypatch: pytest.MonkeyPatch) -> None:
    true = pld_module._upper

    def planted(loss: Any, grid: float) -> Any:
        right = true(loss, grid)
        fields = {name: getattr(right, name) for name in right.__dataclass_fields__}
        return pld_module.PrivacyLossDistribution(**{**fields, "first": right.first - 1})

    monkeypatch.setattr(pld_module, "_upper", planted)


def _split_without_the_exponential(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeping the mean of L instead of the mean of e^-L is not safe."""

    def planted(loss: Any, grid: float) -> Any:
        atoms = loss.atoms(grid)
        place = atoms.loss / grid
        first = math.floor(place.min())
        below = np.floor(place).astype(int) - first
        masses = np.zeros(below.max() + 2)
        np.add.at(masses, below, atoms.p * (below + 1 + first - place))
        np.add.at(masses, below + 1, atoms.p * (place - below - first))
        return pld_module.PrivacyLossDistribution(grid, first, masses, None, loss.infinite[1], "upper", 1e-14)

    monkeypatch.setattr(pld_module, "_upper", planted)


def _lower_rounding_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The upper masses with q = p e^-loss are a worse pair, not a post-processing."""

    def planted(loss: Any, grid: float) -> Any:
        worse = pld_module._upper(loss, grid)
        fields = {name: getattr(worse, name) for name in worse.__dataclass_fields__}
        return pld_module.PrivacyLossDistribution(**{**fields, "q": worse.p * np.exp(-worse.losses), "side": "lower"})

    monkeypatch.setattr(pld_module, "_lower", planted)


def _leak_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    true = brackets_module.directions
    none = (Fraction(0), Fraction(0))
    planted = lambda losses, tied: [replace(x, infinite=none) for x in true(losses, tied)]  # noqa: E731
    monkeypatch.setattr(brackets_module, "directions", planted)


def _one_direction_only(monkeypatch: pytest.MonkeyPatch) -> None:
    true = brackets_module.directions
    monkeypatch.setattr(brackets_module, "directions", lambda losses, tied: true(losses, tied)[:1])


def _one_part_too_few(monkeypatch: pytest.MonkeyPatch) -> None:
    true = brackets_module.compose
    fewer = lambda parts, *a, **b: true([(x, max(1, n - 1)) for x, n in parts], *a, **b)  # noqa: E731
    monkeypatch.setattr(brackets_module, "compose", fewer)


class TestPlantedFaults:
    """The checks above must be able to fail: each fault is caught by one of a few compositions."""

    @staticmethod
    def outcomes() -> list[bool]:
        skewed: list[Pair] = [([60000, 5536], [65000, 536])] * 2
        reverse: list[DiscreteLoss] = [from_pmfs(p, q) for p, q in skewed]
        exact = max(enumerated_delta(skewed, 0.5), enumerated_delta(flipped(skewed), 0.5))
        flat = max(enumerated_delta(skewed, 0.05), enumerated_delta(flipped(skewed), 0.05))
        normal, bit, box = from_gaussian(1.0, 0.1), from_randomised_response(0.1), from_approx_dp(0.1, 1e-3)
        bold = from_randomised_response(1.9)
        checks: list[tuple[Any, Any]] = [
            (lambda: delta_bracket([(normal, 100)], 3.0, grid=0.002), gaussian_delta(100, 0.1, 3.0)),
            (lambda: delta_bracket([(bit, 20)], 1.2, grid=0.03), response_delta(20, 0.1, 0, 1.2)),
            (lambda: delta_bracket([(box, 20)], 1.2, grid=0.03), response_delta(20, 0.1, 1e-3, 1.2)),
            (lambda: delta_bracket(reverse, 0.5, grid=0.01), exact),
            (lambda: delta_bracket([x.reversed() for x in reverse], 0.5, grid=0.01), exact),
            (lambda: delta_bracket(reverse, 0.05, grid=0.01), flat),
            (lambda: delta_bracket([x.reversed() for x in reverse], 0.05, grid=0.01), flat),
            # all losses above epsilon stay there when they are split, so only the mean of e^-L matters
            (lambda: delta_bracket([(bold, 2)], 1.0, grid=0.7), response_delta(2, 1.9, 0, 1.0)),
        ]  # fmt: skip
        return [TestPlantedFaults.holds(compute, exact) for compute, exact in checks]

    @staticmethod
    def holds(compute: Any, exact: Any) -> bool:
        """Whether the bracket holds the exact value; bounds that contradict each other do not."""
        try:
            return exact in compute()
        except ContradictoryBounds:
            return False

    def test_all_is_well_without_a_fault(self) -> None:
        assert all(self.outcomes())

    @pytest.mark.parametrize(
        "plant",
        [
            _upper_rounding_down,
            _split_without_the_exponential,
            _lower_rounding_up,
            _leak_forgotten,
            _one_direction_only,
            _one_part_too_few,
        ],
    )
    def test_caught(self, plant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        plant(monkeypatch)
        assert not all(self.outcomes())

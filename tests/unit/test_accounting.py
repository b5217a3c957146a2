"""The accountant's parts: arguments, the FFT's error bound, grids, certificates."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pytest
import scipy.fft

from dpverify.accounting import (
    Bracket,
    ContradictoryBounds,
    PrivacyLoss,
    certify,
    compose,
    delta_bracket,
    discretise,
    epsilon_bracket,
    from_approx_dp,
    from_gaussian,
    from_integer_table,
    from_pmfs,
    from_randomised_response,
    with_total_variation,
)
from dpverify.accounting import fourier as fourier_module
from dpverify.accounting.direction import directions, lower_laws
from dpverify.accounting.evaluate import delta_lower
from dpverify.accounting.fourier import convolve_powers, transform_error
from dpverify.accounting.pld import worst_orientation
from dpverify.errors import CapacityError, InvalidArgument
from dpverify.guarantees import Adjacency, ApproxDP
from dpverify.spec.core.oracle import context


@dataclass(frozen=True)
class Noise:
    """A mechanism as the accountant sees it."""

    loss: PrivacyLoss
    adjacency: Adjacency | None = Adjacency.REPLACE_ONE

    def privacy_loss(self) -> PrivacyLoss:
        return self.loss


class TestFourier:
    @pytest.mark.parametrize("size", [2, 64, 4096, 2**18])
    @pytest.mark.parametrize("kind", ["noise", "spike", "bell"])
    def test_scipy_keeps_the_charged_bound(self, size: int, kind: str) -> None:
        rng = np.random.default_rng(7)
        x = {
            "noise": rng.random(size),
            "spike": np.eye(1, size, size // 3)[0] + 1e-9,
            "bell": np.exp(-0.5 * ((np.arange(size) - size / 2) / (size / 20)) ** 2),
        }[kind]
        reference = scipy.fft.rfft(x.astype(np.longdouble))
        assert reference.dtype == np.clongdouble
        error = np.linalg.norm((scipy.fft.rfft(x) - reference).astype(np.complex128))
        scale = np.linalg.norm(reference.astype(np.complex128))
        assert error <= transform_error(size) * scale / math.sqrt(2.0)

    @pytest.mark.parametrize("count", [1, 2, 3, 7, 30])
    def test_error_bound_against_integers(self, count: int) -> None:
        """Masses that are exact binary fractions, convolved exactly as integers."""
        weights = [1, 900, 4096 - 901 - 1700, 1700]
        exact = [1]
        for _ in range(count):
            grown = [0] * (len(exact) + 3)
            for i, a in enumerate(exact):
                for j, b in enumerate(weights):
                    grown[i + j] += a * b
            exact = grown
        masses, error = convolve_powers([(np.array(weights) / 4096.0, count)], 128)
        truth = [Fraction(x, 4096**count) for x in exact] + [Fraction(0)] * (128 - len(exact))
        difference = math.sqrt(sum(float((Fraction(float(m)) - t) ** 2) for m, t in zip(masses, truth, strict=True)))
        assert 0.0 < difference <= error <= 1e-12

    @pytest.mark.parametrize("bundle", [2**13, 256, 64])
    def test_many_different_parts(self, bundle: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """Bundled or not, the result is the convolution, within the bound; the bound is not idle."""
        monkeypatch.setattr(fourier_module, "_BUNDLE", bundle)
        rng = np.random.default_rng(11)
        exact, parts = [1], []
        for i in range(40):
            cuts = sorted(int(x) for x in rng.integers(0, 257, 2 + i % 7))
            weights = [b - a for a, b in itertools.pairwise([0, *cuts, 256])]
            parts.append((np.array(weights) / 256.0, 1 + i % 3))
            for _ in range(1 + i % 3):
                grown = [0] * (len(exact) + len(weights) - 1)
                for shift, weight in enumerate(weights):
                    for at, x in enumerate(exact):
                        grown[at + shift] += weight * x
                exact = grown
        total = 256 ** sum(count for _, count in parts)
        masses, error = convolve_powers(parts, 512)
        truth = [Fraction(x, total) for x in exact] + [Fraction(0)] * (512 - len(exact))
        difference = math.sqrt(sum(float((Fraction(float(m)) - t) ** 2) for m, t in zip(masses, truth, strict=True)))
        assert 0.0 < difference <= error <= 1e-11
        assert masses.max() > 0.01

    def test_longer_arrays_wrap_around(self) -> None:
        masses, error = convolve_powers([(np.array([0.5, 0.25, 0.125, 0.0625, 0.0625]), 1)], 4)
        assert np.linalg.norm(masses - [0.5625, 0.25, 0.125, 0.0625]) <= error


class TestGrid:
    LOSS = from_pmfs([0.125, 0.25, 0.5, 0.125, 0.0], [0.25, 0.0, 0.25, 0.25, 0.25])

    @pytest.mark.parametrize("grid", [1e-3, 0.1, 3.0])
    def test_upper_keeps_both_masses(self, grid: float) -> None:
        upper = discretise(self.LOSS, grid, "upper")
        assert upper.p.sum() == pytest.approx(0.75, rel=1e-14)
        assert upper.p @ np.exp(-upper.losses) == pytest.approx(0.75, rel=1e-12)
        assert upper.infinity == Fraction(1, 4) * (1 + 2 * Fraction(2**-53))

    def test_lower_is_a_rounding_of_outcomes(self) -> None:
        lower = discretise(self.LOSS, 0.5, "lower")
        assert lower.q is not None
        assert lower.losses.tolist() == [-0.5, 0.0, 0.5]  # of ln(1/2) = -0.69, twice, and ln 2 = 0.69
        assert lower.p.tolist() == [0.25, 0.0, 0.5]
        assert lower.q.tolist() == [0.5, 0.0, 0.25]
        assert lower.infinity <= Fraction(1, 4)

    def test_arrays_are_read_only(self) -> None:
        with pytest.raises(ValueError, match="read-only"):
            discretise(self.LOSS, 0.5, "upper").p[0] = 1.0

    def test_worst_orientation_has_the_larger_tail_everywhere(self) -> None:
        loss = from_pmfs([0.5, 0.25, 0.25], [0.125, 0.375, 0.5])
        a, b = discretise(loss, 0.2, "upper"), discretise(loss.reversed(), 0.2, "upper")
        worst = worst_orientation(a, b)
        for at in np.arange(-12, 12) * 0.2:
            tails = [float(x.p[x.losses > at + 1e-9].sum() + x.infinity) for x in (a, b, worst)]
            assert tails[2] == pytest.approx(max(tails[:2]), rel=1e-12)

    def test_composition_of_two_atoms(self) -> None:
        total = compose([(discretise(from_randomised_response(math.log(3.0)), math.log(3.0), "upper"), 2)])
        mass = np.exp(total.log_scale - total.tilt * total.losses) * total.masses
        wanted = {-2: 1 / 16, 0: 6 / 16, 2: 9 / 16}
        for index, value in zip(np.rint(total.losses / math.log(3.0)), mass, strict=True):
            assert value == pytest.approx(wanted.get(int(index), 0.0), abs=1e-13)

    def test_tilting_does_not_change_the_law(self) -> None:
        parts = [(discretise(from_gaussian(2.0, 1.0), 0.01, "upper"), 5)]
        laws = []
        for tilt in (0.0, 3.0):
            total = compose(parts, tilt)
            near = np.abs(total.losses - 1.5) < 1.0
            laws.append((total.losses[near], (np.exp(total.log_scale - tilt * total.losses) * total.masses)[near]))
        assert np.array_equal(laws[0][0], laws[1][0])
        assert np.allclose(laws[0][1], laws[1][1], rtol=1e-8, atol=0.0)

    @pytest.mark.parametrize("mu", [0.01, 1.0, 30.0])
    @pytest.mark.parametrize("coarse", [0.003, 0.7, 20.0])
    def test_gaussian_cells_are_integrals(self, mu: float, coarse: float) -> None:
        """Sums over the nodes of a half cell against differences of the normal distribution function."""
        ctx = context(60)
        grid = coarse * mu
        atoms = from_gaussian(1.0, mu).atoms(grid)
        cell = np.floor(atoms.loss / (grid / 2.0)).astype(int)
        for z in (-30.0, -5.0, 0.1, 4.0, 30.0):
            wanted = math.floor((z * mu + mu * mu / 2.0) / (grid / 2.0))
            edges = [(ctx.mpf(wanted + i) * ctx.mpf(grid) / 2 - ctx.mpf(mu) ** 2 / 2) / ctx.mpf(mu) for i in (0, 1)]
            for masses, shift in ((atoms.p, 0.0), (atoms.q, mu)):
                signed = [ctx.mpf(shift) + e for e in edges]
                exact = ctx.ncdf(signed[1]) - ctx.ncdf(signed[0])
                if signed[0] > 0:
                    exact = ctx.ncdf(-signed[0]) - ctx.ncdf(-signed[1])
                if exact > 1e-290 and max(abs(e) for e in edges) < 37:
                    found = math.fsum(masses[cell == wanted])
                    assert abs(found - exact) <= atoms.relative_error * exact


class TestLowerEnd:
    @pytest.mark.parametrize("which", [0, 1])
    def test_the_round_off_of_either_law_is_subtracted(self, which: int) -> None:
        direction = directions([(from_gaussian(10.0, 1.0), 30)], tied=True)[0]
        laws = list(lower_laws(direction, 0.01, 2.0))
        clean = delta_lower(laws[0], laws[1], direction, 1.0)
        laws[which] = replace(laws[which], error=1e-4)
        spoilt = delta_lower(laws[0], laws[1], direction, 1.0)
        # with tilt t every law is A e^(-t s) times masses; the test's weights have an l2 norm of at least 1 here
        scale = math.exp(laws[which].log_scale - laws[which].tilt * 1.0 + which * 1.0)
        assert spoilt <= clean - 1e-4 * scale


class TestBrackets:
    def test_symmetric_pairs_are_seen_as_such(self) -> None:
        assert from_integer_table([1, 2, 1], 1).symmetric
        assert not from_integer_table([1, 3, 2, 2], 1).symmetric

    def test_direction_matters(self) -> None:
        """With an asymmetric pair the larger direction counts, whichever was given."""
        loss = from_pmfs([0.5, 0.5, 0.0], [0.5, 0.375, 0.125])
        assert delta_bracket(loss, 1.0) == delta_bracket(loss.reversed(), 1.0)
        assert delta_bracket(loss, 1.0).lower == pytest.approx(0.125, rel=1e-12)

    def test_decreasing_in_epsilon_and_increasing_in_count(self) -> None:
        loss = from_gaussian(5.0, 1.0)
        along = [delta_bracket([(loss, 20)], e) for e in (0.5, 1.0, 2.0, 4.0)]
        assert all(a.lower > b.upper for a, b in itertools.pairwise(along))
        counts = [delta_bracket([(loss, n)], 2.0) for n in (5, 10, 20, 21)]
        assert all(a.upper < b.lower for a, b in itertools.pairwise(counts))

    def test_finer_grids_agree(self) -> None:
        loss = from_gaussian(10.0, 1.0)
        found = [delta_bracket([(loss, 50)], 2.0, grid=g) for g in (0.03, 0.01, 0.003)]
        assert found[0].relative_width > found[1].relative_width > found[2].relative_width
        assert max(x.lower for x in found) <= min(x.upper for x in found)

    def test_the_goal_is_met(self) -> None:
        for goal in (1e-2, 1e-3, 1e-5):
            assert delta_bracket([(from_gaussian(10.0, 1.0), 50)], 2.0, relative_width=goal).relative_width <= goal

    def test_counts_add_up(self) -> None:
        loss = from_randomised_response(0.3)
        assert delta_bracket([loss, (loss, 2), loss], 0.7) == delta_bracket([(loss, 4)], 0.7)

    def test_delta_below_the_leak_has_no_epsilon(self) -> None:
        assert epsilon_bracket([(from_approx_dp(0.1, 1e-3), 10)], 1e-3) == Bracket(math.inf, math.inf)

    def test_large_delta_needs_no_epsilon(self) -> None:
        assert epsilon_bracket([(from_gaussian(10.0, 1.0), 3)], 0.5) == Bracket(0.0, 0.0)

    def test_many_leaks_are_added_up_in_the_safe_direction(self) -> None:
        leak = 1 - (1 - Fraction(1e-7)) ** 1000
        bracket = delta_bracket([(from_approx_dp(0.0, 1e-7), 1000)], 0.0)
        assert bracket.lower <= leak <= bracket.upper
        assert bracket.upper == math.nextafter(bracket.lower, 1.0)
        low, high = directions([(from_approx_dp(0.0, 1e-7), 1000)], tied=True)[0].infinite
        assert low < leak < high
        assert high - low < Fraction(1, 2**1200)

    def test_a_leak_known_up_to_a_rounding_is_not_trusted_to_be_below(self) -> None:
        """Float masses leave open whether the leak is at most 1/4; integer masses do not."""
        assert epsilon_bracket(from_pmfs([0.25, 0.75], [0.0, 1.0]), 0.25) == Bracket(0.0, math.inf)
        exact = epsilon_bracket(from_pmfs([1, 3], [0, 4]), 0.25)
        assert exact.upper <= 1e-14  # in reverse nothing leaks, and delta(0) is 1/4 too

    def test_only_a_leak(self) -> None:
        loss = from_pmfs([1, 0], [0, 1])
        assert delta_bracket([(loss, 2)], 3.0) == Bracket(1.0, 1.0)
        assert delta_bracket([loss, from_gaussian(1.0, 1.0)], 3.0).lower == 1.0

    def test_bracket(self) -> None:
        bracket = Bracket(1.0, 1.25)
        assert 1.25 in bracket
        assert 1.2500001 not in bracket
        assert bracket.width == 0.25
        assert bracket.relative_width == 0.2
        assert Bracket(0.0, math.inf).relative_width == 1.0
        assert Bracket(math.inf, math.inf).width == 0.0
        assert bracket.intersect(Bracket(1.125, 2.0)) == Bracket(1.125, 1.25)
        assert bracket.join(Bracket(0.5, 2.0)) == Bracket(1.0, 2.0)
        with pytest.raises(ContradictoryBounds, match=r"lower bound of 2\.0 contradicts an upper bound of 1\.0"):
            Bracket(2.0, 1.0)


class TestCertificate:
    def test_a_claim_is_satisfied_by_itself(self) -> None:
        claim = ApproxDP(1.0, 1e-6)
        found = certify(claim, claim)
        assert found.satisfied
        assert not found.refuted
        assert found.adjacency is None
        assert found.idealised == (claim,)
        assert "satisfied" in str(found)

    def test_basic_composition_is_exact(self) -> None:
        assert certify((ApproxDP(0.25, 1e-9), 4), ApproxDP(1.0, 4e-9)).satisfied
        assert certify([ApproxDP(0.5, 0.0), ApproxDP(0.25, 0.0)], ApproxDP(0.75, 0.0)).satisfied

    def test_too_many_are_refuted(self) -> None:
        found = certify([(Noise(from_gaussian(10.0, 1.0)), 400)], ApproxDP(2.0, 1e-6))
        assert found.refuted
        assert not found.satisfied
        assert found.epsilon_bracket.lower > 2.0
        assert found.parts[0][1] == 400
        assert "refuted" in str(found)

    def test_both_brackets_tell_the_same(self) -> None:
        found = certify([(Noise(from_gaussian(30.0, 1.0)), 100)], ApproxDP(2.0, 1e-6))
        assert found.satisfied
        assert found.epsilon_bracket.upper < 2.0
        assert found.adjacency is Adjacency.REPLACE_ONE

    def test_mixed_adjacencies(self) -> None:
        a, b = Noise(from_gaussian(1.0, 1.0)), Noise(from_gaussian(1.0, 1.0), Adjacency.ADD_REMOVE)
        with pytest.raises(InvalidArgument, match=r"replace-one and .* for add-remove"):
            certify([a, b, ApproxDP(1.0)], ApproxDP(1.0, 0.1))
        assert certify([b, ApproxDP(1.0)], ApproxDP(9.0, 0.1)).adjacency is Adjacency.ADD_REMOVE

    def test_replace_one_covers_mixed_orientations(self) -> None:
        loss = from_pmfs([0.5, 0.5, 0.0], [0.5, 0.375, 0.125])
        claim = ApproxDP(0.2, 0.1)
        replace, add = (certify([(Noise(loss, x), 3)], claim).delta_bracket for x in Adjacency)
        assert replace.upper > add.upper

    @pytest.mark.parametrize(
        ("parts", "message"),
        [
            ([], "at least one mechanism"),
            ([3.0], "mechanisms with privacy_loss"),
            ([(ApproxDP(1.0), 0)], "count must be an integer of at least 1"),
            ([(ApproxDP(1.0), 2.0)], "count must be an integer of at least 1"),
        ],
    )
    def test_bad_parts(self, parts: list[object], message: str) -> None:
        with pytest.raises(InvalidArgument, match=message):
            certify(parts, ApproxDP(1.0))  # type: ignore[arg-type]


class TestBadInput:
    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda: from_gaussian(0.0, 1.0), "sigma must be finite and greater than 0"),
            (lambda: from_gaussian(1.0, math.nan), "sensitivity must be"),
            (lambda: from_gaussian(1e-9, 1.0), "sensitivity / sigma must be between"),
            (lambda: from_approx_dp(-1.0), "epsilon must be"),
            (lambda: from_approx_dp(1e4), "epsilon must be at most 600"),
            (lambda: from_approx_dp(1.0, 1.5), "delta must be between 0 and 1"),
            (lambda: from_pmfs([0.5, 0.5], [0.5, 0.25, 0.25]), "of one shape"),
            (lambda: from_pmfs([0.5, 0.4], [0.5, 0.5]), "p must be of sum 1"),
            (lambda: from_pmfs([1.5, -0.5], [0.5, 0.5]), "p must be finite and at least 0"),
            (lambda: from_pmfs([0.5, 0.5], [1.0, 1e-300], 1e-9), "give it as integers"),
            (lambda: from_pmfs([1, 1], [0.5, 0.5]), "both integer weights or both floats"),
            (lambda: from_pmfs([1, 2], [2, 1]), "one power of two"),
            (lambda: from_pmfs([4, -2], [1, 1]), "non-negative"),
            (lambda: from_pmfs([0.5, 0.5], [0.5, 0.5], 0.1), "relative_error must be"),
            (lambda: from_integer_table([0.5, 0.5], 1), "integers of shape"),
            (lambda: from_integer_table([1, 1], -1), "shift must be"),
            (lambda: with_total_variation(from_gaussian(1.0, 1.0), -1e-9), "distance must be"),
            (lambda: delta_bracket([], 1.0), "at least one loss"),
            (lambda: delta_bracket([0.1], 1.0), "privacy losses or"),  # type: ignore[list-item]
            (lambda: delta_bracket(from_gaussian(1.0, 1.0), -1.0), "epsilon must be"),
            (lambda: delta_bracket(from_gaussian(1.0, 1.0), 1.0, relative_width=0.0), "relative_width must be"),
            (lambda: delta_bracket(from_gaussian(1.0, 1.0), 1.0, grid=0.0), "grid must be"),
            (lambda: epsilon_bracket(from_gaussian(1.0, 1.0), 1.0), "delta must be"),
            (lambda: discretise(from_gaussian(1.0, 1.0), 0.1, "middle"), "side must be"),  # type: ignore[arg-type]
            (lambda: compose([(discretise(from_gaussian(1.0, 1.0), 0.1, "upper"), 1)], of="q"), "of must be 'p'"),
        ],
    )
    def test_named(self, call: object, message: str) -> None:
        with pytest.raises(InvalidArgument, match=message):
            call()  # type: ignore[operator]

    def test_two_grids(self) -> None:
        loss = from_gaussian(1.0, 1.0)
        with pytest.raises(InvalidArgument, match=r"all on the grid 0\.1"):
            compose([(discretise(loss, 0.1, "upper"), 1), (discretise(loss, 0.2, "upper"), 1)])

    def test_too_fine_a_grid_is_refused_before_any_memory_is_taken(self) -> None:
        with pytest.raises(CapacityError, match="coarser"):
            delta_bracket(from_gaussian(1.0, 1.0), 1.0, grid=1e-9)
        with pytest.raises(CapacityError, match="coarser"):
            delta_bracket([(from_randomised_response(1.0), 2)], 1.0, grid=1e-9)

"""Gaussian noise, exact on a grid, for bounded l2-sensitivity: calibrated by its exact privacy profile."""

from __future__ import annotations

import math

from scipy.special import ndtri

from dpverify.accounting import PrivacyLoss, from_gaussian, from_integer_table, with_total_variation
from dpverify.errors import CapacityError, InvalidArgument
from dpverify.guarantees import ApproxDP
from dpverify.noise import laws
from dpverify.noise.composed import Law, OneTable, TwoScales
from dpverify.noise.grid import ROUNDING_CHARGE, choose_grid
from dpverify.noise.integer_noise import (
    MAX_HALF_WIDTH,
    TABLE_SHARE,
    IntegerNoise,
    check_counts,
    check_epsilon,
    check_sensitivity,
    table_bits,
)
from dpverify.spec import contract
from dpverify.spec.noise import (
    gaussian_profile,
    grid_rounding,
    integer_table_delta,
    rounded_law,
    table_error,
    two_scale_gaussian,
)

ONE_TABLE_HALF_WIDTH = 1 << 16
MAX_SIGMA = 2.0**40
FINE_CELLS = 4  # deviation of the fine draw, in cells of the coarse one


@contract(
    relies_on=[
        rounded_law.LEMMA,
        two_scale_gaussian.LEMMA,
        grid_rounding.LEMMA,
        table_error.LEMMA,
    ],
    enforces=[gaussian_profile.LEMMA, integer_table_delta.LEMMA],
)
class Gaussian(IntegerNoise):
    """Noise that makes a quantity of l2-sensitivity ``sensitivity`` private at ``claim``.

    Its law is N(0, sigma^2) rounded to the grid and cut where nothing is left. Sigma is the smallest for which
    the exact profile of the continuous law meets the claim, after the charges of :class:`TruncatedLaplace`.

    Args:
        sensitivity: the largest l2 change between neighbours, > 0, in the unit of the data.
        claim: epsilon > 0 and 0 < delta < 1.
        draws, changed, grid, on_grid: as for :class:`TruncatedLaplace`, with an l2 rounding charge of
            sqrt(changed) grid steps. Grids too fine for one table are served by the sum of two draws.

    Source: Balle and Wang, ICML 2018, Theorem 8; two scales: lemma ``noise.two_scale_gaussian``.

    >>> noise = Gaussian(1.0, ApproxDP(1.0, 1e-6))
    >>> noise.delta(1.0) <= 1e-6
    True
    >>> round(noise.std, 2)
    4.22
    """

    def __init__(
        self,
        sensitivity: float,
        claim: ApproxDP,
        *,
        draws: int = 1,
        changed: int | None = None,
        grid: float | None = None,
        on_grid: bool = False,
    ) -> None:
        sensitivity = check_sensitivity(sensitivity)
        gaussian_profile.LEMMA.require(sensitivity=sensitivity, epsilon=claim.epsilon)
        check_epsilon(claim)
        if claim.delta <= 0:
            raise InvalidArgument("delta", claim.delta, "positive for Gaussian noise")
        draws, changed = check_counts(draws, changed)
        continuous_delta = claim.delta * (1 - TABLE_SHARE)
        chosen = choose_grid(grid, on_grid, sensitivity * ROUNDING_CHARGE / math.sqrt(changed))
        table_bits(claim, 2 * draws, 1)  # refuses a claim that no table can keep, before anything overflows
        self._covered = _covered(sensitivity, chosen, changed, on_grid)
        self.sigma = gaussian_profile.sigma(claim.epsilon, continuous_delta, self._covered)
        if not max(self.sigma, self._covered) / chosen < MAX_SIGMA:
            raise CapacityError(
                f"noise of deviation {self.sigma:.3g} would take {self.sigma / chosen:.3g} steps of the grid "
                f"{chosen:g}, above {MAX_SIGMA:.3g}; pass a coarser grid or raise epsilon"
            )
        super().__init__(
            claim=claim,
            sensitivity=sensitivity,
            grid=chosen,
            shift=math.ceil(self._covered / chosen),
            draws=draws,
            changed=changed,
            on_grid=on_grid,
            law=_law(self.sigma / chosen, claim, draws),
        )
        integer_table_delta.LEMMA.enforce(delta_upper=self.delta(claim.epsilon), delta=claim.delta)

    @property
    def rounding_charge(self) -> float:
        return self._covered / self.sensitivity - 1.0

    def _delta_upper(self, epsilon: float) -> float:
        """The exact profile of the continuous law at the charged sensitivity plus the table's charge for every draw;
        for one draw on the grid the exact profile of the table, if that is smaller.
        """
        profile = gaussian_profile.delta(epsilon, self._covered, self.sigma) * (1 + 1e-10)
        bound = math.nextafter(profile + self._table_charge(epsilon), math.inf)
        return min(bound, self._table_delta(epsilon)) if self.draws == 1 and isinstance(self.law, OneTable) else bound

    def privacy_loss(self) -> PrivacyLoss:
        """For :func:`dpverify.accounting.certify`.

        Where a neighbour changes one number and one table is drawn from: the table's own. Otherwise the continuous
        law's, with the distance of all draws to what follows from it by rounding. Rounding can only help privacy, so
        a *lower* end is then about the continuous law, above the truth by about (grid / sigma)^2 in relation.
        """
        if self.changed == 1 and isinstance(self.law, OneTable):
            steps = math.floor(self._covered / self.grid)  # what data on the grid can move; off it, a whole number
            return with_total_variation(
                from_integer_table(self.table.weights, steps), min(1.0, 2.0 * self.table.total_variation)
            )
        distance = min(1.0, self.draws * self.law.total_variation * (1 + 1e-12))
        return with_total_variation(from_gaussian(self.sigma, self._covered), distance)


def _covered(sensitivity: float, grid: float, changed: int, on_grid: bool) -> float:
    """The l2 sensitivity once the data has been rounded to the grid; whole steps if only one number changes."""
    if on_grid:
        if sensitivity < grid:
            raise InvalidArgument(
                "sensitivity", sensitivity, f"at least one step of the grid {grid:g}", "use a finer grid"
            )
        return sensitivity
    if changed == 1:
        return grid_rounding.rounded_steps_scalar(sensitivity, grid) * grid
    return grid_rounding.l2(sensitivity, grid, changed)


def _law(sigma: float, claim: ApproxDP, draws: int) -> Law:
    """A deviation of ``sigma`` grid steps: from one table, or, where that would be large, two of different scale.

    The coarse draw moves in cells of 2^k grid steps; the fine one has a deviation of four cells, which makes the
    aliasing of lemma ``noise.two_scale_gaussian`` smaller than 10^-130.
    """
    cut = _cut(claim, draws)
    if cut * sigma <= ONE_TABLE_HALF_WIDTH:
        return _table(sigma, cut, claim, draws)
    cell = 1 << math.floor((math.log2(sigma) - 2) / 2)
    fine = float(FINE_CELLS * cell)
    coarse = math.sqrt(sigma * sigma - fine * fine) * (1 + 2.0**-50)
    return TwoScales(
        _table(coarse / cell, cut, claim, draws),
        _table(fine, cut, claim, draws),
        cell,
        two_scale_gaussian.aliasing(coarse, fine, cell),
    )


def _table(sigma: float, cut: float, claim: ApproxDP, draws: int) -> OneTable:
    half_width = max(1, math.ceil(cut * sigma))
    if half_width > MAX_HALF_WIDTH:
        raise CapacityError(
            f"the noise table would need {2 * half_width + 1:,} entries, above {2 * MAX_HALF_WIDTH + 1:,}; pass a "
            "coarser grid or raise epsilon"
        )
    return laws.gaussian(sigma, half_width, table_bits(claim, 2 * draws, half_width))


def _cut(claim: ApproxDP, draws: int) -> float:
    """How many sigmas to keep, so that the mass beyond costs at most a quarter of the table's share of delta."""
    budget = claim.delta * TABLE_SHARE / (4.0 * draws * (1.0 + math.exp(claim.epsilon)))
    return float(-ndtri(budget / 2.0))

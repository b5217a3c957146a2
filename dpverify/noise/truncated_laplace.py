"""Truncated Laplace noise, exact on a grid: scalar, or i.i.d. on a vector of bounded l1-sensitivity."""

from __future__ import annotations

import math
from fractions import Fraction

from dpverify.accounting import PrivacyLoss, from_approx_dp
from dpverify.checks import positive
from dpverify.errors import CapacityError, InvalidArgument
from dpverify.guarantees import ApproxDP
from dpverify.noise import laws
from dpverify.noise.composed import Law, OneTable
from dpverify.noise.grid import ROUNDING_CHARGE, choose_grid, exact_steps
from dpverify.noise.integer_noise import (
    TABLE_SHARE,
    IntegerNoise,
    check_counts,
    check_epsilon,
    check_sensitivity,
    table_bits,
)
from dpverify.noise.losses import shifted_laplace
from dpverify.spec import contract
from dpverify.spec.noise import (
    geometric_digits,
    grid_rounding,
    integer_table_delta,
    rounded_law,
    table_error,
    truncated_laplace_normaliser,
    truncated_laplace_privacy,
    truncated_laplace_privacy_vector,
)

ONE_TABLE_HALF_WIDTH = 1 << 15
MAX_HALF_WIDTH = 2.0**40


@contract(
    relies_on=[
        truncated_laplace_normaliser.LEMMA,
        truncated_laplace_privacy_vector.LEMMA,
        rounded_law.LEMMA,
        geometric_digits.LEMMA,
        grid_rounding.LEMMA,
        table_error.LEMMA,
    ],
    enforces=[truncated_laplace_privacy.LEMMA, integer_table_delta.LEMMA],
)
class TruncatedLaplace(IntegerNoise):
    """Noise that makes a quantity of l1-sensitivity ``sensitivity`` private at ``claim``.

    Its law is the truncated Laplace law rounded to the grid, up to the table's own error, which is charged to
    delta; rounding the data to the grid is charged to the sensitivity. It refuses to exist if the certified
    delta exceeds the claim.

    Args:
        sensitivity: the largest l1 change between neighbours, > 0, in the unit of the data.
        claim: epsilon > 0 and 0 < delta <= 1/2.
        draws: how many coordinates get noise (all of them together keep the claim).
        changed: how many coordinates one neighbour may change; ``draws`` if not given.
        grid: a power of two; chosen automatically if not given (rounding costs at most 0.1 % of the
            sensitivity). Noise too wide for one table is drawn in two digits.
        on_grid: the data already lies on the grid, so that rounding costs nothing; needs ``grid``.

    Raises:
        HypothesisNotMet: epsilon or delta outside the lemma's hypotheses.
        InvalidArgument, CapacityError: as their messages say.

    Source: arXiv 2407.14717v3, Definition 3.4; vector form derived in ``noise.truncated_laplace_privacy_vector``.

    >>> noise = TruncatedLaplace(1.0, ApproxDP(1.0, 1e-6))
    >>> noise.delta(1.0) <= 1e-6
    True
    >>> bool(abs(noise.sample(1000)).max() <= noise.bound)
    True
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
        truncated_laplace_privacy.LEMMA.require(sensitivity=sensitivity, epsilon=claim.epsilon, delta=claim.delta)
        check_epsilon(claim)
        draws, changed = check_counts(draws, changed)
        self._continuous_delta = claim.delta * (1 - TABLE_SHARE)
        chosen = choose_grid(grid, on_grid, sensitivity * ROUNDING_CHARGE / changed)
        shift = _shift(sensitivity, chosen, changed, on_grid)
        law = _law(shift, claim, self._continuous_delta, draws)
        super().__init__(
            claim=claim,
            sensitivity=sensitivity,
            grid=chosen,
            shift=shift,
            draws=draws,
            changed=changed,
            on_grid=on_grid,
            law=law,
        )
        integer_table_delta.LEMMA.enforce(delta_upper=self.delta(claim.epsilon), delta=claim.delta)

    def _delta_upper(self, epsilon: float) -> float:
        """One draw: the exact profile of the table. A vector: the continuous vector form at the claim's epsilon plus
        the table's charge for every draw; below that epsilon, what any (epsilon, delta) mechanism keeps.
        """
        if self.draws == 1 and isinstance(self.law, OneTable):
            return self._table_delta(epsilon)
        claimed = self.claim.epsilon
        edge = Fraction(claimed) * (2 * self.law.half_width + 1) / (2 * self.shift)
        delta = math.expm1(claimed) / (2.0 * math.expm1(float(edge))) * (1 + 1e-12) + self._table_charge(claimed)
        if epsilon < claimed:
            # randomised response that fails with probability delta is the worst of them; no term cancels
            delta += (1 - delta) * -math.expm1(epsilon - claimed) / (1 + math.exp(-claimed)) * (1 + 1e-12)
        return math.nextafter(delta * (1 + 1e-15), math.inf)

    def privacy_loss(self) -> PrivacyLoss:
        """For :func:`dpverify.accounting.certify`: the exact loss if a neighbour changes one number; of a vector only
        the (epsilon, delta) is known.
        """
        if self.changed == 1:
            return self.privacy_loss_at(self.sensitivity)
        return from_approx_dp(self.claim.epsilon, self.delta(self.claim.epsilon))

    def privacy_loss_at(self, change: float) -> PrivacyLoss:
        """The loss where one number changes by at most ``change``, > 0 and at most the sensitivity."""
        change = positive("change", change)
        if change > self.sensitivity:
            raise InvalidArgument("change", change, f"at most the sensitivity, {self.sensitivity:g}")
        shift = _shift(change, self.grid, 1, self.on_grid)
        rate = Fraction(self.claim.epsilon) / self.shift
        return shifted_laplace(rate, self.law.half_width, shift, self.law.total_variation)


def _shift(sensitivity: float, grid: float, changed: int, on_grid: bool) -> int:
    """The l1 sensitivity in grid steps, once the data has been rounded to the grid."""
    steps = exact_steps(sensitivity, grid)
    shift = math.floor(steps) if on_grid else grid_rounding.l1(sensitivity, grid, changed)
    if shift < 1:
        raise InvalidArgument("sensitivity", sensitivity, f"at least one step of the grid {grid:g}", "use a finer grid")
    return shift


def _law(shift: int, claim: ApproxDP, delta: float, draws: int) -> Law:
    """The smallest M with (M + 1/2) grid steps >= B: one table, or two where that would be large."""
    bound = truncated_laplace_normaliser.support_bound(float(shift), claim.epsilon, delta)
    if not bound < MAX_HALF_WIDTH:
        raise CapacityError(
            f"noise of sensitivity {shift:,} grid steps at epsilon = {claim.epsilon:g}, delta = {claim.delta:g} would "
            f"reach {bound:.3g} steps, above {MAX_HALF_WIDTH:.3g}; raise epsilon or use a coarser grid"
        )
    half_width = max(1, math.ceil(bound * (1 + 1e-12) - 0.5))
    rate = Fraction(claim.epsilon) / shift
    if half_width <= ONE_TABLE_HALF_WIDTH:
        return laws.truncated_laplace(rate, half_width, table_bits(claim, draws, half_width))
    # at most 2^15 blocks, until the digits themselves would outgrow that: then as many of either
    base = 1 << min((half_width // ONE_TABLE_HALF_WIDTH).bit_length(), (half_width.bit_length() + 1) // 2)
    blocks = -(-half_width // base)
    return laws.truncated_laplace_digits(rate, blocks, base, table_bits(claim, draws, blocks + base))

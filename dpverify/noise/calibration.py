"""The smallest truncated Laplace noise for a whole composition, by its exact privacy profile.

Many numbers are released, each with independent noise of one law; one row changes several of them. A composition
theorem bounds what that costs; here the privacy losses are composed exactly (:mod:`dpverify.accounting`), and the
noise is the smallest whose *certified* delta fits the claim.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from dpverify.accounting import delta_bracket
from dpverify.checks import positive, positive_integer
from dpverify.errors import CapacityError, InvalidArgument
from dpverify.guarantees import ApproxDP
from dpverify.noise.grid import check_grid
from dpverify.noise.truncated_laplace import TruncatedLaplace
from dpverify.spec import contract
from dpverify.spec.privacy import basic_composition
from dpverify.spec.tree import leaf_membership, sensitivity_l1

Change = tuple[float, int]  # (by how much at most, how many numbers)
Alternative = Sequence[Change]
# parts of delta that may go to outcomes out of the other dataset's reach; the rest goes to large losses. A small part
# is best where a sum of losses rarely reaches its maximum, nearly all of it where few numbers change.
LEAK_SHARES = (1.0 / 16.0, 1.0 - 1.0 / 64.0)
PRECISION = 5e-4  # relative, of the epsilon of one number
MAX_DOUBLINGS = 20


@dataclass(frozen=True)
class Calibration:
    """Noise for every number of a release, and what is certain about all of them together.

    Attributes:
        noise: of one number; its own claim is that of one number alone.
        claim: of the whole release.
        delta_upper: certified bound of delta at the claim's epsilon.
        alternatives: the changes for which this holds.
    """

    noise: TruncatedLaplace
    claim: ApproxDP
    delta_upper: float
    alternatives: tuple[tuple[Change, ...], ...]

    def delta(self, epsilon: float) -> float:
        """Certified upper bound on delta(epsilon) of the whole release."""
        return _delta_upper(self.noise, self.alternatives, epsilon)


@contract(relies_on=[basic_composition.LEMMA])
def calibrate(
    alternatives: Sequence[Alternative],
    claim: ApproxDP,
    *,
    draws: int = 1,
    grid: float | None = None,
    on_grid: bool = False,
) -> Calibration:
    """The smallest truncated Laplace noise that keeps ``claim`` whatever happens of the alternatives.

    Args:
        alternatives: what one row may do. Each is a sequence of (change, count): up to ``count`` numbers change by
            at most ``change`` each. For a tree see :func:`tree_alternatives`.
        claim: epsilon > 0, 0 < delta <= 1/2, of all numbers together.
        draws: how many numbers get noise.
        grid, on_grid: as for :class:`TruncatedLaplace`.

    Returns:
        Noise whose epsilon for one number is within 0.05 % of the largest that fits, for the better of two shares of
        delta at the ends of the noise. Where basic composition is nearly exact it gains nothing.

    Raises:
        CapacityError: the tables' own error, at the epsilon of the claim, costs more than its delta.

    >>> one_tree = calibrate(tree_alternatives(1.0, 10, 1), ApproxDP(1.0, 1e-6))
    >>> one_tree.delta_upper <= 1e-6
    True
    >>> by_levels = TruncatedLaplace(1.0, ApproxDP(1.0 / 11, 1e-6 / 11))
    >>> bool(one_tree.noise.std < by_levels.std)
    True
    """
    checked = _checked(alternatives)
    return _smallest(
        checked, claim, positive_integer("draws", draws), None if grid is None else check_grid(grid), bool(on_grid)
    )


@lru_cache(maxsize=16)  # it takes seconds, and many trees over data of one shape have the same noise
def _smallest(
    checked: tuple[tuple[Change, ...], ...], claim: ApproxDP, draws: int, grid: float | None, on_grid: bool
) -> Calibration:
    largest = max(change for changes in checked for change, _ in changes)
    numbers = max(sum(count for _, count in changes) for changes in checked)
    # basic composition: the losses of one row add up to at most this many times that of one number
    weight = max(sum(change / largest * count for change, count in changes) for changes in checked)

    # rounding to the grid may enlarge the smaller changes beyond their share, so that this need not fit
    start = claim.epsilon / weight * (1.0 - 1e-9)

    def smallest(share: float) -> TruncatedLaplace:
        def noise(epsilon: float) -> TruncatedLaplace:
            part = ApproxDP(epsilon, claim.delta * share / numbers)
            return TruncatedLaplace(largest, part, draws=draws, changed=1, grid=grid, on_grid=on_grid)

        return noise(_largest(lambda e: _delta_upper(noise(e), checked, claim.epsilon) <= claim.delta, start, claim))

    chosen = min((smallest(share) for share in LEAK_SHARES), key=lambda found: found.std)
    return Calibration(chosen, claim, _delta_upper(chosen, checked, claim.epsilon), checked)


@contract(relies_on=[leaf_membership.LEMMA, sensitivity_l1.LEMMA])
def tree_alternatives(change: float, height: int, leaves_changed: int) -> tuple[tuple[Change, ...], ...]:
    """What one row can do to the nodes of a complete binary tree.

    Args:
        change: the largest contribution of a row, of either sign (two leaves), or the largest change of a leaf (one).
        height: the tree has height + 1 levels.
        leaves_changed: 1 (in place) or 2 (a replaced row may move): a row that moves changes 1 to ``height`` nodes
            above both leaves by up to twice its contribution, and two nodes on every level below by once that.
    """
    change, height = positive("change", change), positive_integer("height", height, least=0)
    if leaves_changed not in (1, 2):
        raise InvalidArgument("leaves_changed", leaves_changed, "1 (in place) or 2 (a replaced row may move)")
    if leaves_changed == 1:
        return (((change, height + 1),),)
    moves = [((2.0 * change, above), (change, 2 * (height + 1 - above))) for above in range(1, height + 1)]
    return (*moves, ((2.0 * change, height + 1),))


def _delta_upper(noise: TruncatedLaplace, alternatives: Sequence[Alternative], epsilon: float) -> float:
    """The largest over all alternatives."""
    losses = {change: noise.privacy_loss_at(change) for changes in alternatives for change, _ in changes}
    return max(
        delta_bracket([(losses[change], count) for change, count in changes], epsilon, relative_width=1e-3).upper
        for changes in alternatives
    )


def _largest(fits: Callable[[float], bool], start: float, claim: ApproxDP) -> float:
    """The largest epsilon that fits, from one that does by basic composition; verified, not extrapolated."""
    low, high = start, 2.0 * start
    for _ in range(MAX_DOUBLINGS):
        if fits(low):
            break
        low, high = low / 2.0, low
    else:
        raise CapacityError(
            f"no noise keeps epsilon = {claim.epsilon:g}, delta = {claim.delta:g} here: the error of the tables alone "
            "costs more; raise delta or lower epsilon"
        )
    while fits(high) and high < 2.0**MAX_DOUBLINGS * start:
        low, high = high, 2.0 * high
    while high > (1.0 + PRECISION) * low:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _checked(alternatives: Sequence[Alternative]) -> tuple[tuple[Change, ...], ...]:
    checked = tuple(
        tuple((positive("change", change), positive_integer("count", count)) for change, count in changes)
        for changes in alternatives
    )
    if not checked or not all(checked):
        raise InvalidArgument("alternatives", alternatives, "at least one alternative, each with at least one change")
    return checked

"""What all integer noise has in common: a table, a grid, draws, and a certified profile."""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from dpverify.accounting import PrivacyLoss
from dpverify.checks import finite_array, positive, positive_integer, real
from dpverify.errors import CapacityError, InvalidArgument
from dpverify.guarantees import Adjacency, ApproxDP
from dpverify.noise.bits import BitSource, OSBits
from dpverify.noise.composed import Law, OneTable
from dpverify.noise.grid import to_steps
from dpverify.noise.table import IntegerTable
from dpverify.spec.noise import table_error

MAX_HALF_WIDTH = 1 << 20
TABLE_SHARE = 2.0**-10  # the part of delta set aside for the table's distance to the ideal law
MAX_EPSILON = 699.0  # e^epsilon and what is multiplied with it stays a float
SENSITIVITIES = (1e-200, 1e200)  # grids and noise stay far from the ends of float64
MAX_DRAWS = 2**53
FAR = 2**61  # steps: beyond any table
Shape = int | tuple[int, ...]


class IntegerNoise(ABC):
    """Noise drawn from an integer table on a power-of-two grid.

    Attributes:
        claim: what it was calibrated for.
        sensitivity: as given, in the unit of the data.
        grid: spacing of the noise, in the unit of the data.
        shift: the sensitivity in grid steps that the noise covers, data rounding included (rounded up).
        draws: coordinates that get noise together.
        changed: how many of them one neighbour may change.
        on_grid: the data lies on the grid already; :meth:`add` refuses other data.
        law: of one draw, in grid steps: the tables that are sampled.
    """

    def __init__(
        self,
        *,
        claim: ApproxDP,
        sensitivity: float,
        grid: float,
        shift: int,
        draws: int,
        changed: int,
        on_grid: bool,
        law: Law,
    ) -> None:
        self.claim = claim
        self.sensitivity = sensitivity
        self.grid = grid
        self.shift = shift
        self.draws = draws
        self.changed = changed
        self.on_grid = on_grid
        self.law = law

    def delta(self, epsilon: float) -> float:
        """Certified upper bound on delta(epsilon) for all draws together; epsilon finite, >= 0.

        Delta never grows with epsilon, but the tables' charge does: above the claim's epsilon the smaller of this
        bound and that at the claim is taken.
        """
        epsilon = real("epsilon", epsilon)
        if not 0 <= epsilon < math.inf:
            raise InvalidArgument("epsilon", epsilon, "finite and at least 0")
        bound = min(1.0, self._delta_upper(min(epsilon, MAX_EPSILON)))
        return min(bound, self._delta_upper(self.claim.epsilon)) if epsilon > self.claim.epsilon else bound

    @property
    def adjacency(self) -> Adjacency | None:
        """None: the sensitivity was given for whichever relation the caller means."""
        return None

    @abstractmethod
    def privacy_loss(self) -> PrivacyLoss:
        """The loss of the worst pair, for :func:`dpverify.accounting.certify`."""

    @abstractmethod
    def _delta_upper(self, epsilon: float) -> float:
        """The bound at an epsilon in [0, 699]."""

    @property
    def bound(self) -> float:
        """The noise never exceeds this in magnitude, in the unit of the data."""
        return self.law.half_width * self.grid

    @property
    def std(self) -> float:
        """Standard deviation of one draw, in the unit of the data."""
        return math.sqrt(self.law.variance) * self.grid

    @property
    def rounding_charge(self) -> float:
        """By how much rounding the data to the grid raised the sensitivity, as a share of it."""
        return self.shift * self.grid / self.sensitivity - 1.0

    @property
    def table_charge(self) -> float:
        """What the table's distance to the ideal law costs in delta, all draws together."""
        return self._table_charge(self.claim.epsilon)

    def sample(self, size: Shape, bits: BitSource | None = None) -> npt.NDArray[np.float64]:
        """Independent noise of that shape, in the unit of the data: exact multiples of the grid.

        Args:
            size: a number or a shape.
            bits: None for the operating system's randomness; a SeededBits for tests.
        """
        return np.multiply(self.sample_steps(size, bits), self.grid, dtype=np.float64)

    def sample_steps(self, size: Shape, bits: BitSource | None = None) -> npt.NDArray[np.int64]:
        """The same in grid steps."""
        shape = _shape(size)
        return self.law.draw(math.prod(shape), OSBits() if bits is None else bits).reshape(shape)

    def log_mass(self, steps: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Log-probability that one draw is each of ``steps``, integers of any shape; -inf where it cannot be.

        It is the law of what is sampled, not of the ideal noise: from the tables, with nothing neglected; absolute
        error below 1e-12. The log-density of ``x + noise`` at y, in grid steps, is ``log_mass(y - x)``.

        >>> from dpverify import ApproxDP, TruncatedLaplace
        >>> noise = TruncatedLaplace(1.0, ApproxDP(1.0, 1e-6))
        >>> bool(noise.log_mass(0) > noise.log_mass(noise.shift) > noise.log_mass(noise.law.half_width + 1))
        True
        """
        exact = np.asarray(steps)
        if exact.dtype.kind not in "iu":
            raise InvalidArgument("steps", steps, "integers, in grid steps", "divide by the grid and round first")
        far = np.clip(exact, -FAR, FAR).astype(np.int64)
        return np.asarray(self.law.log_mass(far.reshape(-1)).reshape(exact.shape))

    def add(self, values: npt.ArrayLike, bits: BitSource | None = None) -> npt.NDArray[np.float64]:
        """``values`` rounded to the grid plus noise: the safe way to release a float.

        Args:
            values: at most ``draws`` numbers that nobody has added noise to yet.

        Raises:
            InvalidArgument: too many values, values off the grid of noise made with ``on_grid=True``, or integers
                beyond 2^53, which are no floats.
        """
        exact = finite_array("values", values)
        if exact.size > self.draws:
            raise InvalidArgument(
                "values",
                f"{exact.size} numbers",
                f"at most draws = {self.draws} numbers",
                "pass draws= when building",
            )
        steps = to_steps(values, self.grid)
        if self.on_grid and np.any(steps != exact / self.grid):
            worst = float(exact[steps != exact / self.grid].flat[0])
            raise InvalidArgument(
                "values", worst, f"a multiple of the grid {self.grid:g}", "or build the noise without on_grid=True"
            )
        noisy: npt.NDArray[np.int64] = steps + self.sample_steps(exact.shape, bits)
        return np.multiply(noisy, self.grid, dtype=np.float64)

    def profile(self, points: int = 50) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Epsilons from a tenth of the claim's to four times it, and the certified delta at each."""
        epsilons = np.geomspace(0.1 * self.claim.epsilon, 4.0 * self.claim.epsilon, points)
        return epsilons, np.array([self.delta(float(e)) for e in epsilons])

    @property
    def table(self) -> IntegerTable:
        """The table of one draw.

        Raises:
            ValueError: a draw takes two tables; see ``law``.
        """
        if not isinstance(self.law, OneTable):
            raise ValueError("a draw of this noise takes two tables: see .law")
        return self.law.table

    def _table_delta(self, epsilon: float) -> float:
        """The exact profile of one draw over all shifts up to the sensitivity, rounded up."""
        return math.nextafter(float(self.table.delta_upper(self.shift, epsilon)), math.inf)

    def _table_charge(self, epsilon: float) -> float:
        return table_error.charge(self.draws, self.law.total_variation, epsilon) * (1 + 1e-12)


def table_bits(claim: ApproxDP, draws: int, half_width: int) -> int:
    """64 bits, or 128 where 64 would cost more than a quarter of the part of delta set aside for the table.

    A quarter: the exact profile of a large table is charged three times its distance to the ideal law.
    """
    for bits in (64, 128):
        error = half_width * (1 + 2.0**-9) * 2.0**-bits
        if table_error.charge(draws, error, claim.epsilon) <= claim.delta * TABLE_SHARE / 4:
            return bits
    raise CapacityError(
        f"delta = {claim.delta:g} is too small for tables of 128 bits: {draws:,} draws from {2 * half_width + 1:,} "
        f"entries at epsilon = {claim.epsilon:g} would cost more than that; raise delta or lower epsilon"
    )


def check_counts(draws: int, changed: int | None) -> tuple[int, int]:
    """``draws`` and ``changed`` (``draws`` if not given) as integers in range."""
    draws = positive_integer("draws", draws)
    changed = draws if changed is None else positive_integer("changed", changed)
    for name, number in (("draws", draws), ("changed", changed)):
        if number > MAX_DRAWS:
            raise InvalidArgument(name, number, "at most 2^53")
    return draws, changed


def check_sensitivity(sensitivity: float) -> float:
    """A sensitivity for which grid and noise are ordinary floats."""
    number = positive("sensitivity", sensitivity)
    low, high = SENSITIVITIES
    if not low <= number <= high:
        raise InvalidArgument("sensitivity", number, f"between {low:g} and {high:g}", "change the unit of the data")
    return number


def check_epsilon(claim: ApproxDP) -> None:
    """Refuse a claim whose e^epsilon would overflow, before anything is computed from it."""
    if claim.epsilon > MAX_EPSILON:
        raise InvalidArgument(
            "epsilon", claim.epsilon, f"at most {MAX_EPSILON:g}, since e^epsilon must be a float", "lower epsilon"
        )


def _shape(size: Shape) -> tuple[int, ...]:
    try:
        numbers = (size,) if isinstance(size, SupportsIndex) else tuple(size)
        shape = tuple(operator.index(n) for n in numbers)
    except TypeError:
        raise InvalidArgument("size", size, "an integer or a tuple of integers") from None
    if min(shape, default=0) < 0:
        raise InvalidArgument("size", size, "free of negative numbers")
    return shape

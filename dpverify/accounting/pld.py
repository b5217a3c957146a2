"""A privacy-loss distribution on a grid, certainly worse ("upper") or certainly better ("lower") than the truth.

*Why losses may be moved.* In a composition, everything but one part being fixed, the contribution of that part is
``E_P[phi(e^-L)]`` with ``phi(y) = E[(1 - e^eps y R)_+]``, R >= 0 from the other parts: decreasing and convex. So

* moving a loss up raises delta (phi decreases in y = e^-L);
* **splitting** a loss l in [a, b) onto a and b so that the mean of e^-L stays raises delta (Jensen), and does so
  by O(b - a)^2 instead of the O(b - a) of rounding up. It keeps both P and Q; it is the "connect the dots" of
  Doroshenko, Ghazi, Kamath, Kumar, Manurangsi (PoPETs 2022). That is the upper side.
* **Rounding the outcome** itself is post-processing: let t be l rounded to the nearest grid point, whatever the
  hypothesis. For every threshold tau, ``delta(eps) >= P(sum t > tau) - e^eps Q(sum t > tau)``. The sum of the t is
  almost the likelihood ratio, and a test that is off by little in the statistic is off by O(grid^2) in power.
  That is the lower side, and why it keeps two mass functions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
import numpy.typing as npt

from dpverify.accounting.loss import ULP, Floats, PrivacyLoss
from dpverify.errors import CapacityError, InvalidArgument

Side = Literal["upper", "lower"]
_MOST_CELLS = 2**24


@dataclass(frozen=True, eq=False)
class PrivacyLossDistribution:
    """Masses on the losses ``(first + j) * grid``.

    Attributes:
        grid: spacing, in nats.
        first: index of the first loss.
        p: shape (n,), mass under P.
        q: shape (n,), mass under Q of the rounded statistic (side "lower"), or None (side "upper").
        infinity: mass of infinite loss under P: an upper bound on side "upper", a lower bound on "lower".
        relative_error: each mass is within ``1 +- relative_error`` of one for which the side is exact.
    """

    grid: float
    first: int
    p: Floats
    q: Floats | None
    infinity: Fraction
    side: Side
    relative_error: float

    def __post_init__(self) -> None:
        self.p.setflags(write=False)
        if self.q is not None:
            self.q.setflags(write=False)

    @property
    def losses(self) -> Floats:
        """The grid points, shape (n,)."""
        return grid_points(self.grid, self.first, len(self.p))


def grid_points(grid: float, first: int, count: int) -> Floats:
    """``(first + j) * grid`` for j < count; each is one rounding away from the real product."""
    return np.arange(first, first + count, dtype=np.float64) * grid


def discretise(loss: PrivacyLoss, grid: float, side: Side) -> PrivacyLossDistribution:
    """Put a loss on the grid ``{j * grid}``, in the safe direction.

    Args:
        loss: of one mechanism.
        grid: > 0, in nats; both sides are off by O(grid^2) in delta.
        side: "upper" (delta can only grow) or "lower" (delta can only shrink).
    """
    if not 0.0 < grid < math.inf:
        raise InvalidArgument("grid", grid, "finite and greater than 0")
    if side not in ("upper", "lower"):
        raise InvalidArgument("side", side, "'upper' or 'lower'")
    return _upper(loss, grid) if side == "upper" else _lower(loss, grid)


def _upper(loss: PrivacyLoss, grid: float) -> PrivacyLossDistribution:
    atoms = loss.atoms(grid)
    infinity = loss.infinite[1]
    if not atoms.p.size:
        return PrivacyLossDistribution(grid, 0, np.zeros(1), None, infinity, "upper", 0.0)
    # the loss's own error and that of the division are rounded up: this can only raise delta
    place = (atoms.loss + atoms.loss_error + 4.0 * ULP * np.abs(atoms.loss)) / grid
    _refuse_if_large(place, grid)
    below = np.floor(place)
    part = np.expm1((below - place) * grid) / math.expm1(-grid) * (1.0 + 8.0 * ULP)
    upward = atoms.p * np.clip(part, 0.0, 1.0)
    index = below.astype(np.int64)
    first = int(index.min())
    index -= first
    cells = int(index.max()) + 2
    masses = _collect(index, atoms.p - upward, cells)
    masses[1:] += _collect(index, upward, cells)[:-1]
    error = _summed(atoms.relative_error, index)
    return PrivacyLossDistribution(grid, first, masses, None, infinity, "upper", error)


def _lower(loss: PrivacyLoss, grid: float) -> PrivacyLossDistribution:
    atoms = loss.atoms(grid)
    infinity = loss.infinite[0]
    if not atoms.p.size:
        return PrivacyLossDistribution(grid, 0, np.zeros(1), np.zeros(1), infinity, "lower", 0.0)
    place = atoms.loss / grid
    _refuse_if_large(place, grid)
    index = np.rint(place).astype(np.int64)  # any rule would do: it is a statistic, not a bound
    first = int(index.min())
    index -= first
    p, q = (_collect(index, masses, int(index.max()) + 1) for masses in (atoms.p, atoms.q))
    error = _summed(atoms.relative_error, index)
    return PrivacyLossDistribution(grid, first, p, q, infinity, "lower", error)


def worst_orientation(a: PrivacyLossDistribution, b: PrivacyLossDistribution) -> PrivacyLossDistribution:
    """An upper distribution above both: its tail P(L > t) is at every t the larger of the two.

    For pairs that a composition may meet in either order (replace-one adjacency, asymmetric mechanisms).
    """
    if a.side != "upper" or b.side != "upper" or a.grid != b.grid:
        raise InvalidArgument("a, b", (a.side, b.side, a.grid, b.grid), "of side 'upper' and of one grid")
    first, last = min(a.first, b.first), max(a.first + len(a.p), b.first + len(b.p))
    infinity = max(a.infinity, b.infinity)
    leak = math.nextafter(float(infinity), math.inf) if infinity else 0.0  # rounded up, and kept as such
    tails = []
    for x in (a, b):
        full = np.zeros(last - first)
        full[x.first - first : x.first - first + len(x.p)] = x.p
        tails.append(leak + np.cumsum(full[::-1])[::-1])
    tail = np.maximum(tails[0], tails[1])
    error = max(a.relative_error, b.relative_error) + 4.0 * ULP * len(tail)
    return PrivacyLossDistribution(
        a.grid, first, np.maximum(-np.diff(tail, append=leak), 0.0), None, Fraction(leak), "upper", error
    )


def _collect(index: npt.NDArray[np.int64], masses: Floats, cells: int) -> Floats:
    """Sums of the masses by cell."""
    return np.bincount(index, weights=masses, minlength=cells).astype(np.float64, copy=False)


def _summed(relative_error: float, index: npt.NDArray[np.int64]) -> float:
    """Error of masses after adding up those of a cell one by one, and one subtraction."""
    return relative_error + ULP * (8.0 + int(np.bincount(index).max()))


def _refuse_if_large(place: Floats, grid: float) -> None:
    cells = float(place.max() - place.min()) + 2.0
    if cells > _MOST_CELLS:
        raise CapacityError(
            f"losses spread over {cells:.3g} cells of {grid!r}, more than {_MOST_CELLS}; take a coarser grid"
        )

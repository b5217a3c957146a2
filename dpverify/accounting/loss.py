"""The privacy loss of one mechanism, before any grid: ``L = ln(dP/dQ)`` of an outcome drawn from P.

(P, Q) is the mechanism's worst pair on neighbouring data; with L every hockey-stick divergence is
``H_{e^eps}(P||Q) = E_P[(1 - e^(eps - L))_+]``, and losses of independent parts add. All numbers here carry
their own error, so that :mod:`dpverify.accounting.pld` can round them in the safe direction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from dpverify.errors import CapacityError, InvalidArgument

Floats = npt.NDArray[np.float64]

ULP = 2.0**-52
_SMALLEST = 2.0**-960  # below this, products with a probability would lose relative accuracy
_GAUSS_REACH = 37.0  # standard deviations; the mass beyond, on one side, is below 6e-300
_GAUSS_TAIL = Fraction(2, 10**299)
_MOST_ATOMS = 2**26


@dataclass(frozen=True, eq=False)
class Atoms:
    """Outcomes of finite loss. Shapes (n,).

    Attributes:
        loss: in nats; the true loss differs by at most ``loss_error`` (absolute).
        p, q: masses under P and Q, each within the factor ``1 +- relative_error`` of the true one.
    """

    loss: Floats
    loss_error: Floats
    p: Floats
    q: Floats
    relative_error: float

    def __post_init__(self) -> None:
        for array in (self.loss, self.loss_error, self.p, self.q):
            array.setflags(write=False)


@dataclass(frozen=True, eq=False)
class DiscreteLoss:
    """The loss of a pair of distributions on finitely many outcomes; build it with the ``from_`` functions.

    Attributes:
        finite: outcomes possible under both.
        infinite: (lower, upper) bound of P's mass where Q has none; equal if exact.
        infinite_reverse: the same for Q's mass where P has none.
        symmetric: the loss has the same law in both directions.
        total_variation: the mechanism's output laws may each be this far from those of the pair.
    """

    finite: Atoms
    infinite: tuple[Fraction, Fraction]
    infinite_reverse: tuple[Fraction, Fraction]
    symmetric: bool
    total_variation: float = 0.0

    def atoms(self, grid: float) -> Atoms:
        """The finite part (the grid does not matter)."""
        return self.finite

    def reversed(self) -> DiscreteLoss:
        """The loss of (Q, P)."""
        a = self.finite
        swapped = Atoms(-a.loss, a.loss_error, a.q, a.p, a.relative_error)
        return DiscreteLoss(swapped, self.infinite_reverse, self.infinite, self.symmetric, self.total_variation)

    @property
    def largest(self) -> tuple[float, float]:
        """(lower, upper) bound of the largest finite loss; -inf if there is none."""
        a = self.finite
        if not a.loss.size:
            return (-math.inf, -math.inf)
        return float((a.loss - a.loss_error).max()), float((a.loss + a.loss_error).max())

    @cached_property
    def spread(self) -> float:
        """About the standard deviation of the finite loss under P (used to choose a grid only)."""
        a = self.finite
        total = float(a.p.sum())
        if not total > 0.0:
            return 0.0
        mean = float(a.p @ a.loss) / total
        return math.sqrt(float(a.p @ (a.loss - mean) ** 2) / total)

    @cached_property
    def anchor(self) -> float:
        """The magnitude of the loss that carries most mass; a grid through it splits that mass little."""
        a = self.finite
        top = float(np.abs(a.loss).max(initial=0.0))
        if top == 0.0:
            return 0.0
        keys, where = np.unique(np.rint(np.abs(a.loss) * (1e9 / top)), return_inverse=True)
        mass = np.bincount(where, weights=a.p) * (keys > 0)
        best = where == int(mass.argmax())
        return float(a.p[best] @ np.abs(a.loss[best]) / a.p[best].sum())


@dataclass(frozen=True)
class GaussianLoss:
    """N(s, sigma^2) against N(0, sigma^2): the loss is N(mu^2/2, mu^2) with ``mu = s / sigma``.

    Attributes:
        mu: relative error below 2^-52.
        total_variation: the mechanism's output laws may each be this far from the normal ones.
    """

    mu: float
    total_variation: float = 0.0
    symmetric: bool = field(default=True, init=False)
    infinite: tuple[Fraction, Fraction] = field(default=(Fraction(0), _GAUSS_TAIL), init=False)
    largest: tuple[float, float] = field(default=(math.inf, math.inf), init=False)

    def atoms(self, grid: float) -> Atoms:
        """Gauss-Legendre nodes as atoms, each panel inside one half cell of the grid.

        On a half cell every integrand that the two roundings need is smooth, so sums over these atoms equal
        the integrals. With n nodes on a panel of width w (standard deviations) the relative error is at most
        ``(n!)^4 / ((2n+1) (2n)!^3) (w r)^(2n) e^(w r)``, where r = 40 + mu bounds the logarithmic derivative:
        below 2^-54 for the widths chosen here, and below 2^-44 for an integrand that vanishes at one end of the
        panel, as the split of a cell does. The rest is float64: an error of z + mu by some ulp changes the density by
        (37 + mu)^2 as many. ``relative_error`` charges 16 (1 + (37 + mu)^2) ulp >= 2^-38 for all of it.

        Mass beyond 37 standard deviations (below 6e-300 on each side) is left out here; the upper end of
        ``infinite`` counts it as given away.
        """
        mu, rate = self.mu, _GAUSS_REACH + 3.0 + self.mu
        panels = max(1, math.ceil(grid / (2.0 * mu) * rate / 0.6))  # in each half cell
        width = grid / (2.0 * panels)
        nodes, weights = np.polynomial.legendre.leggauss(3 if width / mu * rate <= 0.02 else 6)
        first = math.floor((mu / 2.0 - _GAUSS_REACH) * mu / width)
        last = math.ceil((mu / 2.0 + _GAUSS_REACH) * mu / width)
        _refuse_if_large((last - first) * len(nodes), grid)
        loss = ((np.arange(first, last)[:, None] + (nodes + 1.0) / 2.0) * width).ravel()
        z = loss / mu - mu / 2.0
        scale = np.tile(weights * (width / mu / 2.0 / math.sqrt(2.0 * math.pi)), last - first)
        p = scale * np.exp(-0.5 * z * z)
        q = scale * np.exp(-0.5 * (z + mu) ** 2)
        error = 4.0 * ULP * (np.abs(loss) + mu * mu)
        return Atoms(loss, error, p, q, 16.0 * ULP * (1.0 + (_GAUSS_REACH + mu) ** 2))

    def reversed(self) -> GaussianLoss:
        """The same: the pair is symmetric."""
        return self

    @property
    def spread(self) -> float:
        """The standard deviation of the loss."""
        return self.mu

    @property
    def anchor(self) -> float:
        """No single loss stands out."""
        return 0.0


PrivacyLoss = DiscreteLoss | GaussianLoss


def from_gaussian(sigma: float, sensitivity: float) -> GaussianLoss:
    """Gaussian noise of standard deviation ``sigma`` on an l2-sensitivity, both finite and > 0."""
    for name, value in (("sigma", sigma), ("sensitivity", sensitivity)):
        if not 0.0 < value < math.inf:
            raise InvalidArgument(name, value, "finite and greater than 0")
    mu = float(sensitivity) / float(sigma)
    if not 1e-12 <= mu <= 1e3:
        raise InvalidArgument("sensitivity / sigma", mu, "between 1e-12 and 1e3", "the loss would not be usable")
    return GaussianLoss(mu)


Loss = TypeVar("Loss", DiscreteLoss, GaussianLoss)


def with_total_variation(loss: Loss, distance: float) -> Loss:
    """The loss of a mechanism whose output laws are each within ``distance`` of the given pair's.

    For noise tables: a rounded and cut table is that far from the ideal law whose profile is known; every bracket
    is widened by ``(1 + e^epsilon)`` times the sum of the distances.
    """
    if not 0.0 <= distance <= 1.0:
        raise InvalidArgument("distance", distance, "between 0 and 1")
    return replace(loss, total_variation=float(distance))


def from_pmfs(
    p: Sequence[Any] | npt.NDArray[Any], q: Sequence[Any] | npt.NDArray[Any], relative_error: float = 2.0**-53
) -> DiscreteLoss:
    """A pair of distributions on n outcomes.

    Args:
        p, q: shape (n,). Either floats, each within ``1 +- relative_error`` of the true probability (a zero is
            a true zero); or exact non-negative integers (Python integers of any size in an object array, or an
            integer dtype) with one and the same power of two as their total.
        relative_error: of floats; at most 1e-6. Integers are exact.
    """
    left, right = np.asarray(p), np.asarray(q)
    if left.ndim != 1 or left.shape != right.shape or left.size == 0:
        raise InvalidArgument("p, q", f"shapes {left.shape} and {right.shape}", "of one shape (n,), n >= 1")
    integers = [_are_integers(a) for a in (left, right)]
    if all(integers):
        return _from_weights(left.astype(object), right.astype(object))
    if not 0.0 <= relative_error <= 1e-6:
        raise InvalidArgument("relative_error", relative_error, "at least 0 and at most 1e-6")
    if any(integers):
        raise InvalidArgument("p, q", "integers and floats", "both integer weights or both floats")
    masses = [_probabilities(name, a, relative_error) for name, a in (("p", left), ("q", right))]
    exact = [sum((Fraction(float(x)) for x in a[b == 0.0]), Fraction(0)) for a, b in _both(masses)]
    error = Fraction(relative_error)
    infinite = [(x * (1 - error), min(x * (1 + 2 * error), Fraction(1))) for x in exact]
    return _discrete(masses[0], masses[1], relative_error, infinite[0], infinite[1], symmetric=False)


def from_integer_table(weights: Sequence[int] | npt.NDArray[Any], shift: int) -> DiscreteLoss:
    """Integer noise against itself moved by ``shift`` steps: the worst pair of an additive table mechanism.

    Args:
        weights: shape (n,), non-negative integers whose total is a power of two (exact, as Python integers).
        shift: grid steps, >= 0; from n on, the two have no outcome in common and the loss is infinite.
    """
    table = np.asarray(weights)
    if table.ndim != 1 or table.size == 0 or not _are_integers(table):
        raise InvalidArgument("weights", f"dtype {table.dtype}, shape {table.shape}", "integers of shape (n,)")
    if not isinstance(shift, (int, np.integer)) or shift < 0:
        raise InvalidArgument("shift", shift, "an integer of at least 0")
    table = table.astype(object)
    reach = min(int(shift), len(table))
    padding = np.zeros(reach, dtype=object)
    pair = _from_weights(np.concatenate([table, padding]), np.concatenate([padding, table]))
    mirrored = bool((table == table[::-1]).all())
    return DiscreteLoss(pair.finite, pair.infinite, pair.infinite_reverse, symmetric=mirrored)


def from_approx_dp(epsilon: float, delta: float = 0.0) -> DiscreteLoss:
    """The worst (epsilon, delta)-DP mechanism: randomised response that gives itself away with probability delta.

    Every (epsilon, delta)-DP mechanism is a post-processing of it (Kairouz, Oh, Viswanath, ICML 2015, Thm 2.1), so
    it may stand for a black box in any composition. Its lower bound is about this worst case, not the box.
    """
    if not 0.0 <= epsilon < math.inf:
        raise InvalidArgument("epsilon", epsilon, "finite and at least 0")
    if not 0.0 <= delta <= 1.0:
        raise InvalidArgument("delta", delta, "between 0 and 1")
    if epsilon > 600.0:
        raise InvalidArgument("epsilon", epsilon, "at most 600", "e^epsilon would not be a float with room to spare")
    leak = Fraction(float(delta))
    less = math.exp(-epsilon) / (1.0 + math.exp(-epsilon)) * (1.0 - delta)
    more = (1.0 - delta) / (1.0 + math.exp(-epsilon))
    loss = np.array([epsilon, -epsilon], dtype=np.float64)
    p, q = np.array([more, less]), np.array([less, more])
    kept = p > 0.0
    finite = Atoms(loss[kept], np.zeros(int(kept.sum())), p[kept], q[kept], 8.0 * ULP)
    return DiscreteLoss(finite, (leak, leak), (leak, leak), symmetric=True)


def from_randomised_response(epsilon: float) -> DiscreteLoss:
    """One bit, kept with probability e^epsilon / (1 + e^epsilon): exactly epsilon-DP."""
    return from_approx_dp(epsilon, 0.0)


def _from_weights(p: npt.NDArray[Any], q: npt.NDArray[Any]) -> DiscreteLoss:
    totals = [int(a.sum()) for a in (p, q)]
    bits = totals[0].bit_length() - 1
    if totals[0] != totals[1] or totals[0] != 1 << bits:
        raise InvalidArgument("weights", f"of totals {totals[0]} and {totals[1]}", "of one power of two as total")
    if bits > 900:
        raise InvalidArgument("weights", f"of total 2^{bits}", "of total at most 2^900")
    masses = []
    for name, a in (("p", p), ("q", q)):
        if min(a) < 0:
            raise InvalidArgument(name, min(a), "non-negative")
        masses.append(np.ldexp(a.astype(np.float64), -bits))  # the one rounding is int -> float
    exact = [Fraction(sum((int(x) for x in a[b == 0]), 0), totals[0]) for a, b in ((p, q), (q, p))]
    leak, leak_reverse = exact
    return _discrete(masses[0], masses[1], 2.0**-53, (leak, leak), (leak_reverse, leak_reverse), symmetric=False)


def _discrete(
    p: Floats,
    q: Floats,
    relative_error: float,
    infinite: tuple[Fraction, Fraction],
    infinite_reverse: tuple[Fraction, Fraction],
    *,
    symmetric: bool,
) -> DiscreteLoss:
    both = (p > 0.0) & (q > 0.0)
    p, q = p[both], q[both]
    loss = np.log(p) - np.log(q)  # for comparable masses the quotient is more accurate and cannot overflow
    near = np.abs(loss) < 600.0
    loss[near] = np.log(p[near] / q[near])
    scale = np.where(near, np.abs(loss), np.abs(np.log(p)) + np.abs(np.log(q)))
    error = 2.5 * relative_error + 2.0 * ULP * (1.0 + scale)
    return DiscreteLoss(Atoms(loss, error, p, q, relative_error + ULP), infinite, infinite_reverse, symmetric)


def _probabilities(name: str, values: npt.NDArray[Any], relative_error: float) -> Floats:
    try:
        masses = values.astype(np.float64)
    except (TypeError, ValueError):
        raise InvalidArgument(name, f"of dtype {values.dtype}", "real numbers") from None
    if not (np.isfinite(masses) & (masses >= 0.0)).all():
        worst = masses[~(np.isfinite(masses) & (masses >= 0.0))][0]
        raise InvalidArgument(name, float(worst), "finite and at least 0")
    total = math.fsum(masses)
    if abs(total - 1.0) > relative_error + ULP:
        raise InvalidArgument(
            name,
            f"of sum {total!r}",
            f"of sum 1 within {relative_error + ULP:.1e}",
            "state a larger relative_error",
        )
    tiny = masses[(masses > 0.0) & (masses < _SMALLEST)]
    if tiny.size:
        raise InvalidArgument(name, float(tiny[0]), f"0 or at least {_SMALLEST:.1e}", "give it as integers")
    return masses


def _are_integers(values: npt.NDArray[Any]) -> bool:
    if values.dtype == object:
        return all(isinstance(x, (int, np.integer)) and not isinstance(x, bool) for x in values)
    return bool(np.issubdtype(values.dtype, np.integer))


def _both(masses: list[Floats]) -> list[tuple[Floats, Floats]]:
    return [(masses[0], masses[1]), (masses[1], masses[0])]


def _refuse_if_large(count: int, grid: float) -> None:
    if count > _MOST_ATOMS:
        raise CapacityError(
            f"a grid of {grid!r} needs {count} nodes ({count * 32 / 2**30:.1f} GiB); take a coarser one"
        )

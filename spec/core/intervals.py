"""Interval Taylor arithmetic: enclosures of smooth functions over whole ranges of an argument, not at points.

A jet holds interval enclosures of a function's Taylor coefficients. Coefficients at a point are tight; one more
coefficient over a whole piece bounds the remainder, so that the sum of both encloses the function *everywhere* on
the piece (Moore, Interval Analysis, 1966, chapter 11). Rests on mpmath's interval arithmetic with outward
rounding; the precision is that of a context of its own, 160 bits.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mpmath.ctx_iv import MPIntervalContext
from mpmath.libmp import libmpi

from dpverify.spec.core.oracle import context

IV = MPIntervalContext()
IV.prec = 160
_NUMBERS = context(60)


@dataclass(frozen=True)
class Jet:
    """Enclosures of f^(k)(x)/k! for k = 0, 1, ..., at every x of a point or of a piece."""

    coefficients: tuple[Any, ...]

    def __add__(self, other: Any) -> Jet:
        a = self.coefficients
        if not isinstance(other, Jet):
            return Jet((a[0] + _interval(other), *a[1:]))
        return Jet(tuple(x + y for x, y in zip(a, other.coefficients, strict=True)))

    def __sub__(self, other: Any) -> Jet:
        negated: Jet | Any = -other
        return self.__add__(negated)

    def __rsub__(self, other: Any) -> Jet:
        return (-self).__add__(other)

    def __neg__(self) -> Jet:
        return Jet(tuple(-a for a in self.coefficients))

    def __mul__(self, other: Any) -> Jet:
        if not isinstance(other, Jet):
            factor = _interval(other)
            return Jet(tuple(a * factor for a in self.coefficients))
        a, b = self.coefficients, other.coefficients
        return Jet(tuple(_dot((a[i], b[k - i]) for i in range(k + 1)) for k in range(len(a))))

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other: Any) -> Jet:
        if not isinstance(other, Jet):
            return self.__mul__(1 / _interval(other))
        b, out = other.coefficients, list[Any]()
        for k, a in enumerate(self.coefficients):
            out.append((a - _dot((out[i], b[k - i]) for i in range(k))) / b[0])
        return Jet(tuple(out))

    def __rtruediv__(self, other: Any) -> Jet:
        return Jet((_interval(other), *[IV.mpf(0)] * (len(self.coefficients) - 1))) / self

    def __pow__(self, exponent: int) -> Jet:  # at least 1
        out = self
        for _ in range(exponent - 1):
            out = out * self
        return out

    def exp(self) -> Jet:
        """From ``k e_k = sum_j j a_j e_(k-j)``."""
        slopes, out = [k * a for k, a in enumerate(self.coefficients)], [IV.exp(self.coefficients[0])]
        for k in range(1, len(slopes)):
            out.append(_dot((slopes[j], out[k - j]) for j in range(1, k + 1)) / k)
        return Jet(tuple(out))

    def sqrt(self) -> Jet:
        """From ``r r = a``."""
        a, out = self.coefficients, [IV.sqrt(self.coefficients[0])]
        for k in range(1, len(a)):
            out.append((a[k] - _dot((out[i], out[k - i]) for i in range(1, k))) / (2 * out[0]))
        return Jet(tuple(out))

    def integral(self, constant: Any) -> Jet:
        """An antiderivative whose value at the point (or over the piece) is ``constant``."""
        shifted = [a / (k + 1) for k, a in enumerate(self.coefficients[:-1])]
        return Jet((_interval(constant), *shifted))


Function = Callable[..., Jet]  # of one jet
Functions = Callable[..., tuple[Jet, ...]]  # of the variable and of the running integrals


def enclose(
    functions: Functions, ends: Sequence[float], integrands: Sequence[Function] = (), order: int = 12
) -> list[list[Any]]:
    """Intervals that hold ``f_i(x, I_1(x), ...)`` for every x between neighbouring ends: shape (pieces, functions).

    Args:
        functions: (f_1, f_2, ...) as one function of a jet x and of one jet per integrand.
        ends: increasing x_0 < x_1 < ...
        integrands: functions g_j of a jet; ``I_j(x)`` is the integral of g_j from 0 to x, itself enclosed.
        order: of the Taylor expansions.
    """
    totals = [_step(g, IV.mpf(0), IV.mpf(ends[0]), order) for g in integrands]
    out: list[list[Any]] = []
    for low, high in itertools.pairwise(ends):
        start, width = IV.mpf(low), IV.mpf(high) - IV.mpf(low)
        here, whole, reach = _variable(start, order), _variable(IV.mpf([low, high]), order), IV.mpf([0, width.b])
        at_start = [g(here).integral(t) for g, t in zip(integrands, totals, strict=True)]
        slopes = [g(whole) for g in integrands]
        over = [s.integral(t + s.coefficients[0] * reach) for s, t in zip(slopes, totals, strict=True)]
        both = zip(functions(here, *at_start), functions(whole, *over), strict=True)
        out.append([_taylor(tight, wide, reach) for tight, wide in both])
        totals = [_taylor(a, b, width) for a, b in zip(at_start, over, strict=True)]
    return out


def upper(interval: Any) -> Any:
    """The upper end, as an ordinary high-precision number."""
    return _NUMBERS.make_mpf(interval._mpi_[1])


def lower(interval: Any) -> Any:
    """The lower end, as an ordinary high-precision number."""
    return _NUMBERS.make_mpf(interval._mpi_[0])


def _step(integrand: Function, low: Any, high: Any, order: int) -> Any:
    """The integral of a function over [low, high]."""
    piece = IV.mpf([low.a, high.b])
    here = integrand(_variable(low, order)).integral(0)
    return _taylor(here, integrand(_variable(piece, order)).integral(0), high - low)


def _taylor(at_start: Jet, over: Jet, step: Any) -> Any:
    """The expansion at the start of a piece, with the last coefficient over all of it as remainder."""
    *inner, _ = at_start.coefficients
    total = over.coefficients[-1]
    for coefficient in reversed(inner):
        total = coefficient + step * total
    return total


def _variable(x: Any, order: int) -> Jet:
    return Jet((x, IV.mpf(1), *[IV.mpf(0)] * (order - 1)))


def _interval(number: Any) -> Any:
    if hasattr(number, "denominator") and hasattr(number, "numerator"):
        return IV.mpf(number.numerator) / number.denominator
    return IV.mpf(number)


def _dot(pairs: Iterable[tuple[Any, Any]]) -> Any:
    """Sum of products; in mpmath's raw intervals, without the zeros of polynomials, because most time goes here."""
    total = libmpi.mpi_zero
    for x, y in pairs:
        left, right = x._mpi_, y._mpi_
        if left != libmpi.mpi_zero and right != libmpi.mpi_zero:
            total = libmpi.mpi_add(total, libmpi.mpi_mul(left, right, IV.prec), IV.prec)
    return IV.make_mpf(total)

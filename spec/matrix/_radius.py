"""What the matrix lemmas share: integrals over the radius of k standard normal draws, to full relative accuracy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

from dpverify.spec.noise._truncated_laplace import nodes


def density(ctx: Any, freedom: int) -> Callable[[Any], Any]:
    """Density of the length of a standard normal vector with that many entries."""
    scale = 2 ** (1 - ctx.mpf(freedom) / 2) / ctx.gamma(ctx.mpf(freedom) / 2)
    return lambda t: scale * t ** (freedom - 1) * ctx.exp(-t * t / 2)


def integral(ctx: Any, function: Callable[[Any], Any], freedom: int, edge: Any, above: bool) -> Any:
    """Integral of a function that decays like the density, above or below ``edge``.

    Scaled by the density's largest value there, because quadrature stops at an *absolute* error; the pieces shrink
    towards the edge, where the mass of a tail is.
    """
    reach = math.sqrt(freedom) + 10 if above else min(edge, math.sqrt(freedom) + 10)
    sign = 1 if above else -1
    start = edge if above else min(edge, ctx.mpf(reach))
    mode = ctx.sqrt(freedom - 1)
    unit = density(ctx, freedom)(max(start, mode) if above else min(start, mode))
    if unit == 0:
        return ctx.mpf(0)
    ends = [start + sign * reach * ctx.mpf(j * j) / 36 for j in range(7)]
    return sign * unit * ctx.quad(lambda t: function(t) / unit, ends, method="gauss-legendre")


def mass_of_gain(ctx: Any, epsilon: float, eigenvalue: float, freedom: int, charged: bool) -> Any:
    """int (p - e^eps q)_+ over the radius, p its density and q that of the neighbour; int p there if not ``charged``.

    p exceeds e^eps q beyond a radius if the eigenvalue is above 1, else below one; bisection finds it.
    """
    root, own, rising = ctx.sqrt(ctx.mpf(eigenvalue)), density(ctx, freedom), eigenvalue > 1.0
    level = ctx.exp(ctx.mpf(epsilon)) * root

    def gap(t: Any) -> Any:  # under the neighbour, sqrt(eigenvalue) times the radius has the density own
        return own(t) - level * own(root * t)

    low, high = ctx.mpf(10) ** -9, ctx.mpf(1)
    while (gap(high) > 0) != rising:
        high *= 2
    for _ in range(ctx.prec):
        middle = (low + high) / 2
        low, high = (low, middle) if (gap(middle) > 0) == rising else (middle, high)
    return integral(ctx, gap if charged else own, freedom, low, rising)


def largest_beyond(ctx: Any, samples: int, edge: Any) -> Any:
    """P[x > edge] for the larger eigenvalue x of g g^T, g of shape (2, samples), from the joint density.

    That is ``(x y)^((k-3)/2) e^(-(x+y)/2) (x - y) / (4 Gamma(k - 1))`` for x > y > 0; y is integrated out.
    """
    shape = ctx.mpf(samples - 1) / 2

    def value(x: Any) -> Any:
        below = ctx.gammainc(shape, 0, x / 2)  # the next one by the recurrence of the incomplete gamma function
        lifted = shape * below - (x / 2) ** shape * ctx.exp(-x / 2)
        return _weight(ctx, samples, x) * (x / 2 * below - lifted)

    return _from_edge(ctx, value, edge, edge + 12 * math.sqrt(samples) + 80)


def smallest_below(ctx: Any, samples: int, edge: Any) -> Any:
    """P[y < edge] for the smaller eigenvalue y of the same matrix."""
    shape = ctx.mpf(samples - 1) / 2

    def value(y: Any) -> Any:
        above = ctx.gammainc(shape, y / 2, ctx.inf)
        lifted = shape * above + (y / 2) ** shape * ctx.exp(-y / 2)
        return _weight(ctx, samples, y) * (lifted - y / 2 * above)

    return _from_edge(ctx, value, edge, ctx.mpf(0))


def _weight(ctx: Any, samples: int, x: Any) -> Any:
    shape = ctx.mpf(samples - 1) / 2
    return x ** (shape - 1) * ctx.exp(-x / 2) * 2 ** (shape + 1) / (4 * ctx.gamma(samples - 1))


def _from_edge(ctx: Any, function: Callable[[Any], Any], edge: Any, end: Any) -> Any:
    """|integral from edge to end| by Gauss-Legendre, in pieces that shrink towards the edge."""
    ends = [edge + (end - edge) * ctx.mpf(j * j) / 16 for j in range(5)]
    parts = []
    for start, stop in itertools.pairwise(ends):
        parts += [weight * (stop - start) * function(start + node * (stop - start)) for node, weight in nodes(ctx.dps)]
    return abs(ctx.fsum(parts))

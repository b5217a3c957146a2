"""What the matrix lemmas share: integrals over the radius of k standard normal draws, to full relative accuracy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


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

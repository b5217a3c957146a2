"""The error of the Taylor sum over whole ranges of its argument, in interval arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable

from dpverify.spec.core.comparison import Comparison, equal
from dpverify.spec.core.enclosure import identity, pieces, positive
from dpverify.spec.core.intervals import Jet
from dpverify.spec.core.oracle import context
from dpverify.spec.kernel._polynomial import taylor_sum

DEGREES = range(7)
BOX = {"x": (2.0**-6, 8.0), "degree": (DEGREES[0], DEGREES[-1])}
ENDS = tuple(pieces(*BOX["x"], ratio=1.4, most=1.0))
TOLERANCE = 1e-3  # relative
CLAIM = f"the error at x within a relative {TOLERANCE:g} of the integral of a positive function from 0 to x"


def sums(x: Jet) -> list[Jet]:
    """p_s(x) for every degree, by its definition."""
    out = [x * 0 + 1]
    term = out[0]
    for j in range(1, len(DEGREES)):
        term = term * x / j
        out.append(out[-1] + term)
    return out


def error_enclosed(code: Callable[[int, float], float], sign: int, slack: float) -> list[Comparison]:
    """``|1 - e^-y p_s(y)| = int_0^x e^(sign u) u^s / s! du`` at y = -sign x, for all x; and the code at the ends."""

    def sides(x: Jet, *integrals: Jet) -> list[tuple[Jet, Jet]]:
        growth, p = (sign * x).exp(), sums(-sign * x)
        missing = [1 - growth * p[s] if sign < 0 or s % 2 else growth * p[s] - 1 for s in DEGREES]
        return list(zip(missing, integrals, strict=True))

    def density(degree: int) -> Callable[[Jet], Jet]:
        return lambda u: (sign * u).exp() * (u**degree / math.factorial(degree)) if degree else (sign * u).exp()

    ctx = context(60)
    places = [(s, x) for s in DEGREES for x in ENDS]
    exact = [abs(1 - ctx.exp(sign * x) * taylor_sum(ctx, s, ctx.mpf(-sign * x))) for s, x in places]
    return [
        identity(sides, ENDS, [density(s) for s in DEGREES], tolerance=TOLERANCE, label="the integral"),
        equal([code(s, x) for s, x in places], exact, slack=[slack * x for x in exact], label="the code at the ends"),
    ]


def remainder_enclosed(code: Callable[[int, float], float]) -> list[Comparison]:
    """``x^(s+1) e^x / (s+1)! - (e^x - p_s(x)) > 0``, and at -x without the e^x; and the code at the ends."""

    def gaps(x: Jet) -> tuple[Jet, ...]:
        up, down, right, left, term, out = x.exp(), (-x).exp(), sums(x), sums(-x), x, list[Jet]()
        for s in DEGREES:  # term is x^(s+1)/(s+1)!
            below = down - left[s] if s % 2 else left[s] - down
            out += [term * up - (up - right[s]), term - below]
            term = term * x / (s + 2)
        return tuple(out)

    ctx = context(60)
    places = [(s, sign * x) for s in DEGREES for sign in (-1, 1) for x in ENDS]
    claimed = [abs(ctx.mpf(x)) ** (s + 1) * ctx.exp(max(0.0, x)) / ctx.factorial(s + 1) for s, x in places]
    return [
        positive(gaps, ENDS, label="the bound"),
        equal([code(s, x) for s, x in places], claimed, slack=[2.0**-44 * x for x in claimed], label="at the ends"),
    ]

"""The moments of truncated Laplace noise depend on L alone, in units of sensitivity / epsilon: enclosed for all L."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from dpverify.spec.core.comparison import Comparison, equal
from dpverify.spec.core.enclosure import Enclosure, identity, pieces
from dpverify.spec.core.intervals import Jet
from dpverify.spec.core.oracle import context

BOX = {"L": (2.0**-10, 30.0)}
ENDS = tuple(pieces(*BOX["L"], most=1.0))
TOLERANCE = 1e-4  # relative; what Taylor expansions of order 12 on 47 pieces leave
CODE_SLACK = 2.0**-44


def half_density(u: Jet) -> Jet:
    """e^-u, the density of |z| epsilon / sensitivity up to its normaliser."""
    return (-u).exp()


def at_ends(
    code: Callable[[float, float, float], float], claimed: Callable[[Any, Any], Any], power: int = 0
) -> Comparison:
    """The library's number at (sensitivity, epsilon, delta) = (1, min(L, 1), that which gives L), at all ends.

    Args:
        claimed: of L and e^-L, for epsilon = 1; it falls with epsilon^power.
    """
    ctx = context(40)
    made, exact = [], []
    for length in ENDS:
        epsilon = min(length, 1.0)
        exact.append(claimed(ctx.mpf(length), ctx.exp(-ctx.mpf(length))) / ctx.mpf(epsilon) ** power)
        made.append(code(1.0, epsilon, math.expm1(epsilon) / (2.0 * math.expm1(length))))
    return equal(made, exact, slack=[CODE_SLACK * abs(x) for x in exact], label="the code at the ends")


def moment_enclosure(
    claim: str, power: int, numerator: Callable[[Any, Any], Any], code: Callable[[float, float, float], float]
) -> Enclosure:
    """``int_0^L u^power e^-u du / int_0^L e^-u du = numerator(L, e^-L) / (1 - e^-L)``, for jets as for numbers."""

    def sides(length: Jet, mass: Jet, moment: Jet) -> list[tuple[Jet, Jet]]:
        decay = (-length).exp()
        return [(numerator(length, decay) * mass, (1 - decay) * moment)]

    def holds() -> tuple[Comparison, ...]:
        weighted = (half_density, lambda u: half_density(u) * u**power)
        return (
            identity(sides, ENDS, weighted, tolerance=TOLERANCE, label="the definition"),
            at_ends(code, lambda length, decay: numerator(length, decay) / (1 - decay), power),
        )

    return Enclosure(BOX, f"{claim} within a relative {TOLERANCE:g} of its integral", holds)

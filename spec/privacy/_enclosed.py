"""Group privacy for whole ranges of epsilon, in interval arithmetic."""

from __future__ import annotations

from collections.abc import Callable

from dpverify.spec.core.comparison import Comparison, equal
from dpverify.spec.core.enclosure import Enclosure, identity, pieces
from dpverify.spec.core.intervals import Jet
from dpverify.spec.core.oracle import context

SIZES = range(1, 6)
BOX = {"epsilon": (2.0**-10, 3.0), "size": (SIZES[0], SIZES[-1])}
TOLERANCE = 1e-4  # relative
DELTA = 2.0**-200  # of one row; the group's delta is proportional to it


def group_enclosure(code: Callable[[float, float, int], tuple[float, float]], slack: float) -> Enclosure:
    """The chain of neighbours, ``h_0 = 0, h_j = 1 + e^eps h_(j-1)``, against ``(e^(g eps) - 1)/(e^eps - 1)``."""

    def sides(epsilon: Jet) -> list[tuple[Jet, Jet]]:
        factor = epsilon.exp()
        heads, power, out = factor * 0 + 1, factor, []
        for _ in SIZES:
            out.append(((factor - 1) * heads, power - 1))
            heads, power = 1 + factor * heads, power * factor
        return out

    def holds() -> tuple[Comparison, ...]:
        ends, ctx = pieces(*BOX["epsilon"], most=0.3), context(60)
        claimed = [DELTA * ctx.expm1(g * ctx.mpf(x)) / ctx.expm1(ctx.mpf(x)) for g in SIZES for x in ends]
        made = [code(x, DELTA, g)[1] for g in SIZES for x in ends]
        return (
            identity(sides, ends, tolerance=TOLERANCE, label="delta"),
            equal(made, claimed, slack=[slack * x for x in claimed], label="the code at the ends"),
        )

    return Enclosure(BOX, f"delta of a group within a relative {TOLERANCE:g} of its chain of neighbours", holds)

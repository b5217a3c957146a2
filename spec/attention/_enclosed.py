"""The error of a softmax of two points for whole ranges of factors and weights, in interval arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from dpverify.spec.core.comparison import Comparison, equal
from dpverify.spec.core.enclosure import Enclosure, bounded, identity, pieces
from dpverify.spec.core.intervals import Jet

BOX = {"q": (1 + 2.0**-10, 64.0), "w": (2.0**-10, 2.0**10)}
EXCESS = 1.01
TOLERANCE = 1e-3  # relative


def ratio_enclosure(code: Callable[[float, float, float], float]) -> Enclosure:
    """Two points of values +-V, q = sqrt(high/low), weight 1/(1 + q w) on the one that is over-estimated.

    At w = 1 the weighted mean moves by the claim, 2V (q - 1)/(q + 1); at any other w by at most EXCESS times it.
    """

    def deviation(q: Any, w: Any) -> Any:  # in units of V: the new weighted mean minus the old one
        p = 1 / (1 + q * w)
        return 2 * p * (1 - p) * (q * q - 1) / (p * (q * q - 1) + 1)

    def sides(q: Jet) -> list[tuple[Jet, Jet]]:
        return [(deviation(q, 1) * (q + 1), 2 * (q - 1))]

    def quotient(q: Any, w: Any) -> Any:  # deviation / claim = w (q + 1)^2 / ((1 + q w)(q + w)), each variable once
        return 1 / (1 + (w + 1 / w - 2) / (q + 1 / q + 2))

    def holds() -> tuple[Comparison, ...]:
        ends = pieces(*BOX["q"], ratio=1.2, most=4.0)
        claimed = [2 * (Fraction(q) - 1) / (Fraction(q) + 1) for q in ends]
        made = [code(1.0, q * q, 1.0) for q in ends]
        places = [(Fraction(q), Fraction(w)) for q in ends for w in (0.0625, 1.0, 3.0)]
        by_definition = [deviation(q, w) * (q + 1) / (2 * (q - 1)) for q, w in places]
        return (
            identity(sides, ends, tolerance=TOLERANCE, label="attained at w = 1"),
            bounded(quotient, BOX, EXCESS, label="deviation / claim"),
            equal([quotient(q, w) for q, w in places], by_definition, slack=0, label="the quotient, in fractions"),
            equal(made, claimed, slack=[2.0**-40 * x for x in claimed], label="the code at the ends"),
        )

    return Enclosure(BOX, f"two points deviate by the claim at w = 1, else by at most {EXCESS} times it", holds)

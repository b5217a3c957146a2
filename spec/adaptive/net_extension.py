"""From the points of a net to every point.

If F is l-Lipschitz, G is l'-Lipschitz, they differ by at most e on a net of radius e0, then they differ by at most
``e + (l + l') e0`` everywhere; attained. Proof idea: triangle inequality through the nearest point of the net. The
papers take l = l'; exact attention and a noisy answer have different constants. Unit of the answers.

Source: arXiv 2407.14717v3, adaptive queries, with l = l'; two constants derived here.
"""

from __future__ import annotations

from fractions import Fraction

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.lemma import Lemma, Source

RELATIVE_SLACK = 2.0**-50


def everywhere(on_net: float, lipschitz: float, other_lipschitz: float, radius: float) -> float:
    """e + (l + l') e0; relative error below 2^-50."""
    return on_net + (lipschitz + other_lipschitz) * radius


def oracle(on_net: float, lipschitz: float, other_lipschitz: float, radius: float, points: int) -> Fraction:
    """Largest |F - G| over a line with net points 2 e0 apart, for F = e + l dist and G = -l' dist, exactly.

    F rises and G falls away from the net, as steeply as they may.
    """
    e0, net = Fraction(radius), [2 * Fraction(radius) * j for j in range(points)]
    places = [2 * e0 * Fraction(j, 8) - e0 for j in range(8 * points + 1)]
    distances = [min(abs(x - z) for z in net) for x in places]
    return max(Fraction(on_net) + Fraction(lipschitz) * t + Fraction(other_lipschitz) * t for t in distances)


def conclude(
    *, on_net: float, lipschitz: float, other_lipschitz: float, radius: float, points: int
) -> tuple[Comparison, ...]:
    claimed = everywhere(on_net, lipschitz, other_lipschitz, radius)
    extreme = oracle(on_net, lipschitz, other_lipschitz, radius, points)
    slack = RELATIVE_SLACK * extreme
    return (
        at_most(extreme, claimed, slack=slack, label="never above"),
        equal(claimed, extreme, slack=slack, label="attained between net points"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="Closeness on a net extends to all points at the price of both Lipschitz constants times its radius.",
    claim="|F - G| <= e on the net  =>  |F - G| <= e + (l + l') e0 everywhere",
    source=Source("arXiv 2407.14717", "v3", "adaptive queries"),
    domain={
        "on_net": Real(1e-6, 10.0, log=True),
        "lipschitz": Real(1e-6, 1e3, log=True),
        "other_lipschitz": Real(1e-6, 1e3, log=True),
        "radius": Real(1e-6, 10.0, log=True),
        "points": Integer(1, 4),
    },
    formula=everywhere,
    oracle=oracle,
    conclude=conclude,
    theorems=("Lipschitz.net_extension",),
    trusts=("float64 evaluation within the stated slack",),
)

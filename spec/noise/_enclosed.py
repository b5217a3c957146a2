"""The classical Gaussian calibration for every epsilon and delta, in interval arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dpverify.spec.core.comparison import Comparison, equal
from dpverify.spec.core.enclosure import Enclosure, bounded
from dpverify.spec.core.intervals import IV
from dpverify.spec.core.oracle import context

BOX = {"epsilon": (2.0**-30, 1.0), "c": (1.3537, 37.2)}  # c = sqrt(2 ln(1.25/delta)): delta from 1e-300 to 1/2
SHARE = 0.6  # of delta


def classical_enclosure(code: Callable[[float, float, float], float]) -> Enclosure:
    """P[loss > epsilon] <= SHARE delta for every epsilon and delta of the box, hence the same for delta(epsilon).

    The loss exceeds epsilon with probability Phi(-y), y = c - epsilon/(2c), and Phi(-y) < phi(y)/y for y > 0; with
    delta = 1.25 e^(-c^2/2) the quotient of phi(y)/y and delta is what is bounded.
    """

    def quotient(epsilon: Any, c: Any) -> Any:
        y = c - epsilon / (2 * c)
        return IV.exp(epsilon / 2 - (epsilon / c) ** 2 / 8) / (y * IV.sqrt(2 * IV.pi) * 1.25)

    def holds() -> tuple[Comparison, ...]:
        ctx, places = context(40), [(0.5, 1e-3, 2.0), (2.0**-20, 0.5, 1.0), (0.999, 1e-300, 1e-3)]
        claimed = [ctx.mpf(s) * ctx.sqrt(2 * ctx.log(1.25 / ctx.mpf(d))) / ctx.mpf(e) for e, d, s in places]
        return (
            bounded(quotient, BOX, SHARE, label="P[loss > epsilon] / delta"),
            equal([code(*at) for at in places], claimed, slack=[2.0**-48 * x for x in claimed], label="the code"),
        )

    return Enclosure(
        BOX, f"delta(eps) of sigma = c Delta/eps is at most {SHARE:g} delta, delta = 1.25 e^(-c^2/2)", holds
    )

"""Laplace noise: its scale for pure epsilon, and its whole privacy profile.

With scale b and a shift s the divergence at epsilon is ``max(0, 1 - e^((epsilon - s/b)/2))``: zero, the pure
claim, at b = s/epsilon. Proof idea: the privacy loss is linear between the two centres and constant outside them.
Unit: b that of the data, delta a probability.

Source: Dwork, McSherry, Nissim, Smith 2006; profile: Balle, Barthe, Gaboardi, NeurIPS 2018, Theorem 3.
"""

from __future__ import annotations

import math
from typing import Any

from dpverify.spec.core.comparison import Comparison, equal
from dpverify.spec.core.domain import Real
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions, context
from dpverify.spec.noise._truncated_laplace import integral

RELATIVE_SLACK = 2.0**-50  # of epsilon + shift/scale, whose difference is taken


def delta(epsilon: float, sensitivity: float, scale: float) -> float:
    """The divergence at epsilon of the noise and its shift by the sensitivity; error below 2^-50 (eps + s/b)."""
    return max(0.0, -math.expm1((epsilon - sensitivity / scale) / 2.0))


def scale(sensitivity: float, epsilon: float) -> float:
    """b for pure epsilon-DP; one rounding."""
    return sensitivity / epsilon


def oracle(epsilon: float, sensitivity: float, scale: float) -> Any:
    """Integral of (p - e^epsilon q)_+ over the half-line where p > e^epsilon q, its end found by bisection."""

    def divergence(ctx: Any) -> Any:
        shift, level = ctx.mpf(sensitivity) / ctx.mpf(scale), ctx.mpf(epsilon)
        if shift <= level:  # |z - shift| - |z| <= shift: the loss never exceeds epsilon
            return ctx.mpf(0)
        low, high = ctx.mpf(0), shift  # the loss falls from shift to -shift between the centres
        for _ in range(int(3.4 * ctx.dps) + 20):
            middle = (low + high) / 2
            low, high = (middle, high) if abs(middle - shift) - middle > level else (low, middle)
        reach, one = ctx.mpf(60 + 3 * ctx.dps), ctx.mpf(1)
        here = integral(ctx, 0, one, -reach, ctx.mpf(0)) + integral(ctx, 0, one, ctx.mpf(0), low)
        there = integral(ctx, 0, one, -reach - shift, low - shift)
        return (here - ctx.exp(level) * there) / 2

    return at_two_precisions(divergence, digits=45, absolute=1e-30)


def conclude(*, epsilon: float, sensitivity: float, ratio: float) -> list[Comparison]:
    wide = ratio * sensitivity
    exact = oracle(epsilon, sensitivity, wide)
    slack = RELATIVE_SLACK * (epsilon + 1.0 / ratio)
    pure = scale(sensitivity, epsilon)
    loss = context(40).mpf(sensitivity) / context(40).mpf(pure)  # the largest privacy loss there is
    return [
        equal(delta(epsilon, sensitivity, wide), exact, slack=slack, unit="probability", label="profile"),
        equal(loss, epsilon, slack=2.0**-52 * epsilon, unit="nats", label="the scale for pure epsilon, attained"),
        equal(delta(epsilon, sensitivity, pure), 0, slack=RELATIVE_SLACK * epsilon, label="delta = 0 there"),
    ]


LEMMA = Lemma(
    module=__name__,
    statement="Laplace noise of scale Delta/eps is (eps, 0)-DP; at any other scale its delta is known exactly.",
    claim="delta(eps) = max(0, 1 - e^((eps - Delta/b)/2)), which is 0 at b = Delta/eps",
    source=Source("Balle, Barthe, Gaboardi", "NeurIPS 2018", "Theorem 3"),
    domain={
        "epsilon": Real(1e-6, 50.0, log=True),
        "sensitivity": Real(1e-3, 1e3, log=True),
        "ratio": Real(1e-2, 1e3, log=True),
    },
    formula=delta,
    oracle=oracle,
    conclude=conclude,
    unproved="the law lives on the whole line: improper integrals",
    hypotheses=(
        Hypothesis("0 < sensitivity", ("sensitivity",), lambda p: p["sensitivity"] > 0),
        Hypothesis("0 < epsilon", ("epsilon",), lambda p: p["epsilon"] > 0),
    ),
)

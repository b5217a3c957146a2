"""Basic composition: budgets add up.

Mechanisms that are (epsilon_i, delta_i)-DP, run adaptively, are together (sum epsilon_i, sum delta_i)-DP. Proof
idea: every such pair is a post-processing of randomised response with a leak of delta; there the losses add, and
the leaks obey the union bound. The epsilon is attained, the delta up to its square. Unit: epsilon in nats, delta
a probability.

Source: Dwork, Roth 2014, Theorem 3.16; worst case: Kairouz, Oh, Viswanath 2015.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions
from dpverify.spec.privacy._finite import randomised_response

RELATIVE_SLACK = 2.0**-50  # one correctly rounded sum each


def basic(epsilons: Sequence[float], deltas: Sequence[float]) -> tuple[float, float]:
    """(sum of the epsilons, sum of the deltas), each correctly rounded."""
    if len(epsilons) != len(deltas):
        raise ValueError(f"{len(epsilons)} epsilons but {len(deltas)} deltas: give one of each per mechanism")
    return math.fsum(epsilons), math.fsum(deltas)


def oracle(epsilons: Sequence[float], deltas: Sequence[float]) -> tuple[Any, Any]:
    """Largest finite privacy loss, and mass of infinite loss, over all 4^k joint outcomes of the worst case."""

    def outcomes(ctx: Any) -> tuple[Any, Any]:
        pairs = [randomised_response(ctx, e, d) for e, d in zip(epsilons, deltas, strict=True)]
        worst, leaked = -ctx.inf, ctx.mpf(0)
        for joint in itertools.product(*(zip(*pair, strict=True) for pair in pairs)):
            here, there = ctx.fprod(p for p, _ in joint), ctx.fprod(q for _, q in joint)
            if there == 0:
                leaked += here
            elif here > 0:
                worst = max(worst, ctx.log(here / there))
        return worst, leaked

    return at_two_precisions(lambda ctx: outcomes(ctx)[0]), at_two_precisions(lambda ctx: outcomes(ctx)[1])


def conclude(*, epsilon: float, delta: float, count: int) -> list[Comparison]:
    epsilons = [epsilon / (1 + j) for j in range(count)]
    deltas = [delta / (1 + j) for j in range(count)]
    loss, leaked = oracle(epsilons, deltas)
    total, lost = basic(epsilons, deltas)
    return [
        equal(total, loss, slack=RELATIVE_SLACK * loss, unit="nats", label="epsilon, attained"),
        at_most(leaked, lost, slack=RELATIVE_SLACK * leaked, unit="probability", label="delta"),
        at_most(lost * (1 - lost / 2), leaked, slack=RELATIVE_SLACK * leaked, label="delta, attained to its square"),
    ]


LEMMA = Lemma(
    module=__name__,
    statement="Run one after the other, mechanisms spend the sum of their epsilons and the sum of their deltas.",
    claim="(eps_1, delta_1), ..., (eps_k, delta_k) compose to (sum eps_i, sum delta_i)",
    source=Source("Dwork, Roth", "2014", "Theorem 3.16"),
    domain={"epsilon": Real(1e-6, 50.0, log=True), "delta": Real(1e-300, 0.5, log=True), "count": Integer(1, 4)},
    formula=basic,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(
        Hypothesis("0 <= epsilon", ("epsilon",), lambda p: p["epsilon"] >= 0),
        Hypothesis("0 <= delta < 1", ("delta",), lambda p: 0 <= p["delta"] < 1),
    ),
    theorems=("DP.dp_compose", "FiniteDP.dp_compose_finite"),
)

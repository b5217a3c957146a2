"""Group privacy: what a claim per row says about ``size`` rows.

(epsilon, delta)-DP per row gives ``(g epsilon, delta (e^(g epsilon) - 1)/(e^epsilon - 1))`` for groups of g rows.
Proof idea: one more row turns the bound d into delta + e^epsilon d. Attained by a chain of coins whose heads have
probabilities p_g = 0 and p_(j-1) = delta + e^epsilon p_j. Unit: epsilon in nats, delta a probability (capped at
1).

Source: Dwork, Roth 2014, Theorem 2.2 (pure); with delta: Vadhan, The complexity of differential privacy, Lemma
2.2.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.oracle import context
from dpverify.spec.privacy._enclosed import group_enclosure
from dpverify.spec.privacy._finite import best_event

RELATIVE_SLACK = 2.0**-42  # the exponent g epsilon, up to 2000, carries a relative error of 2^-53


def group(epsilon: float, delta: float, size: int) -> tuple[float, float]:
    """The claim for groups of ``size`` rows; relative error below 2^-42; no overflow: delta is capped at 1."""
    total = size * epsilon
    if epsilon == 0.0 or delta == 0.0:
        return total, min(1.0, size * delta)
    log_growth = total - epsilon + math.log(math.expm1(-total) / math.expm1(-epsilon))
    if log_growth + math.log(delta) >= 0.0:
        return total, 1.0
    return total, delta * math.exp(log_growth) if log_growth < 700.0 else math.exp(log_growth + math.log(delta))


def _context(epsilon: float, size: int) -> Any:
    """Enough digits to see one delta beside the chain's last probability, e^(size epsilon) times as large."""
    return context(180 + 100 * int(size * epsilon / 200))


def oracle(epsilon: float, delta: float, size: int) -> list[Any]:
    """Probabilities of heads down the chain of neighbours, from dataset ``size`` (0) back to dataset 0."""
    ctx = _context(epsilon, size)
    heads, factor = [ctx.mpf(0)], ctx.exp(ctx.mpf(epsilon))
    for _ in range(size):
        heads.append(ctx.mpf(delta) + factor * heads[-1])
    return heads


def conclude(*, epsilon: float, delta: float, size: int) -> list[Comparison]:
    heads = oracle(epsilon, delta, size)
    total, lost = group(epsilon, delta, size)
    exact = min(heads[-1], context(60).mpf(1))
    made = [
        equal(total, size * context(60).mpf(epsilon), slack=2.0**-50 * size * epsilon, unit="nats", label="epsilon"),
        equal(lost, exact, slack=RELATIVE_SLACK * exact, unit="probability", label="delta"),
    ]
    if heads[-1] + heads[-2] <= 1:  # then the chain of coins is a mechanism, and attains the claim
        ctx, coins = _context(epsilon, size), [(p, 1 - p) for p in heads]
        neighbours = [pair for x, y in itertools.pairwise(coins) for pair in ((x, y), (y, x))]
        steps = [best_event(ctx, here, there, epsilon) for here, there in neighbours]
        tie = ctx.mpf(10) ** -35 * ctx.mpf(delta)
        made += [
            at_most(steps, ctx.mpf(delta), slack=tie, unit="probability", label="neighbours"),
            equal(lost, best_event(ctx, coins[-1], coins[0], total), slack=RELATIVE_SLACK * exact, label="attained"),
        ]
    return made


LEMMA = Lemma(
    module=__name__,
    statement="A claim per row holds for groups of g rows with g epsilon and an exactly known, larger delta.",
    claim="(g eps, delta (e^(g eps) - 1)/(e^eps - 1))",
    source=Source("Vadhan", "2017", "Lemma 2.2, with the exact constant"),
    domain={"epsilon": Real(1e-6, 50.0, log=True), "delta": Real(1e-300, 0.5, log=True), "size": Integer(1, 40)},
    formula=group,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(
        Hypothesis("0 < epsilon", ("epsilon",), lambda p: p["epsilon"] > 0),
        Hypothesis("0 < delta < 1", ("delta",), lambda p: 0 < p["delta"] < 1),
        Hypothesis("1 <= size", ("size",), lambda p: p["size"] >= 1),
    ),
    theorems=(
        "DP.dp_group_exact",
        "FiniteDP.dp_group_tight",
    ),
    enclosure=group_enclosure(lambda *at: group(*at), RELATIVE_SLACK),
)

"""Advanced composition: k equal budgets cost about sqrt(k), for a delta' of one's choice.

k mechanisms, each (epsilon, delta)-DP, run adaptively, are together (E, k delta + delta')-DP with
``E = epsilon sqrt(2 k ln(1/delta')) + k epsilon (e^epsilon - 1)``. Proof idea: the privacy losses are bounded with
small mean; Azuma's inequality. The worst case is k-fold randomised response with a leak of delta. Unit: epsilon in
nats.

Source: Dwork, Rothblum, Vadhan, FOCS 2010, Theorem III.3; worst case: Kairouz, Oh, Vishwanath 2015, Theorem 3.3.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from dpverify.spec.core.comparison import Comparison, at_most
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions, context
from dpverify.spec.privacy._finite import composed_response

# (epsilon, k, delta') and between which multiples of the exactly needed epsilon the theorem's lies there
LOOSENESS = ((0.05, 64, 1e-9, 1.25, 1.26), (1.0, 8, 0.1, 3.36, 3.38))


def advanced(epsilon: float, delta: float, k: int, delta_slack: float) -> tuple[float, float]:
    """(epsilon, delta) of k mechanisms together; relative error below 2^-49; basic composition may be better."""
    deviation = epsilon * math.sqrt(-2.0 * k * math.log(delta_slack))
    return deviation + k * epsilon * math.expm1(epsilon), k * delta + delta_slack


def oracle(epsilon: float, delta: float, k: int, total: float) -> Any:
    """The exact divergence at ``total`` of k-fold randomised response with a leak of delta, by binomial sums."""
    return at_two_precisions(lambda ctx: composed_response(ctx, epsilon, delta, k, total))


@lru_cache(maxsize=8)
def _needed(epsilon: float, k: int, delta: float) -> float:
    """The least epsilon at which k-fold pure randomised response has that delta, by bisection of the oracle."""
    low, high = 0.0, k * epsilon
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if oracle(epsilon, 0.0, k, middle) > delta else (low, middle)
    return high


def conclude(*, epsilon: float, delta: float, k: int, delta_slack: float) -> list[Comparison]:
    total, lost = advanced(epsilon, delta, k, delta_slack)
    leaked, ctx = oracle(epsilon, delta, k, k * epsilon + 1), context(60)
    made = [
        at_most(oracle(epsilon, delta, k, total), ctx.mpf(lost) * (1 + 2.0**-50), unit="probability", label="private"),
        at_most(
            ctx.mpf(lost) - ctx.mpf(delta_slack),
            leaked + (k * ctx.mpf(delta)) ** 2,
            slack=2.0**-49 * (leaked + delta_slack),
            unit="probability",
            label="k delta is what the leaks cost, up to its square",
        ),
    ]
    for e, count, slack, least, most in LOOSENESS:
        claimed, exact = advanced(e, 0.0, count, slack)[0], _needed(e, count, slack)
        where = f"the exact epsilon at epsilon = {e}, k = {count}, delta' = {slack}"
        made.append(at_most(claimed, most * exact, unit="nats", label=f"at most {most} times {where}"))
        made.append(at_most(least * exact, claimed, unit="nats", label=f"at least {least} times {where}"))
    return made


LEMMA = Lemma(
    module=__name__,
    statement="k equal mechanisms together cost about sqrt(k) times the epsilon of one, and a little more delta.",
    claim="(eps sqrt(2k ln(1/delta')) + k eps (e^eps - 1), k delta + delta')",
    source=Source("Dwork, Rothblum, Vadhan", "FOCS 2010", "Theorem III.3"),
    domain={
        "epsilon": Real(1e-6, 5.0, log=True),
        "delta": Real(1e-300, 1e-2, log=True),
        "k": Integer(1, 96),
        "delta_slack": Real(1e-300, 0.5, log=True),
    },
    formula=advanced,
    oracle=oracle,
    conclude=conclude,
    unproved="needs the privacy loss as a random variable and a martingale bound",
    hypotheses=(
        Hypothesis("0 < epsilon", ("epsilon",), lambda p: p["epsilon"] > 0),
        Hypothesis("0 <= delta < 1", ("delta",), lambda p: 0 <= p["delta"] < 1),
        Hypothesis("0 < delta_slack < 1", ("delta_slack",), lambda p: 0 < p["delta_slack"] < 1),
        Hypothesis("1 <= k", ("k",), lambda p: p["k"] >= 1),
    ),
)

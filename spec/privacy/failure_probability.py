"""A claim that may fail: "(epsilon, delta)-DP with probability 1 - p" is (epsilon, delta + p)-DP, and no better.

If P(E and G) <= e^epsilon Q(E) + delta for every event E, where G has P(G) >= 1 - p, then P(E) <= e^epsilon Q(E)
+ delta + p. Proof idea: P(E) <= P(E and G) + P(not G). Attained by a mechanism that leaks on its failure. Unit:
probability.

Source: derived here; a published "with probability 1 - p" claim must add p (review of arXiv 2407.14717).
"""

from __future__ import annotations

from typing import Any

from dpverify.spec.core.comparison import Comparison, equal
from dpverify.spec.core.domain import Real
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.oracle import context
from dpverify.spec.privacy._finite import best_event, randomised_response

RELATIVE_SLACK = 2.0**-50


def merge(claim: tuple[float, float], failure_probability: float) -> tuple[float, float]:
    """(epsilon, delta) and the probability that it fails -> (epsilon, delta), capped at 1; one rounding."""
    epsilon, delta = claim
    return epsilon, min(1.0, delta + failure_probability)


def oracle(epsilon: float, delta: float, failure_probability: float) -> tuple[Any, Any, Any]:
    """Best event of a mechanism that leaks when it fails; the same with G only; its largest finite loss.

    Outcomes: the four of randomised response, run with probability 1 - p, and two that betray the dataset.
    """
    ctx = context(60)
    failed = ctx.mpf(failure_probability)
    here, there = randomised_response(ctx, epsilon, ctx.mpf(delta) / (1 - failed))
    p = [(1 - failed) * x for x in here] + [failed, ctx.mpf(0)]
    q = [(1 - failed) * x for x in there] + [ctx.mpf(0), failed]
    loss = max(ctx.log(x / y) for x, y in zip(p, q, strict=True) if x > 0 and y > 0)
    # the claim is tested just above epsilon so that the working precision cannot blur the tie P = e^epsilon Q
    level = loss + ctx.mpf(10) ** -50
    return best_event(ctx, p, q, level), best_event(ctx, [*p[:4], 0, 0], q, level), loss


def conclude(*, epsilon: float, delta: float, failure_probability: float) -> list[Comparison]:
    total, on_success, loss = oracle(epsilon, delta, failure_probability)
    merged_epsilon, merged_delta = merge((epsilon, delta), failure_probability)
    return [
        equal(
            on_success,
            delta,
            slack=context(60).mpf(10) ** -40 * context(60).mpf(delta),
            unit="probability",
            label="the premise",
        ),
        equal(merged_delta, total, slack=RELATIVE_SLACK * total, unit="probability", label="delta, attained"),
        equal(merged_epsilon, loss, slack=RELATIVE_SLACK * loss, unit="nats", label="epsilon, attained"),
    ]


LEMMA = Lemma(
    module=__name__,
    statement="A claim that holds with probability 1 - p is a claim with p added to delta.",
    claim="(eps, delta) with probability 1 - p  =>  (eps, delta + p), attained",
    source=Source("derived here", "", ""),
    domain={
        "epsilon": Real(1e-6, 50.0, log=True),
        "delta": Real(1e-300, 0.5, log=True),
        "failure_probability": Real(1e-300, 0.4, log=True),
    },
    formula=merge,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(
        Hypothesis(
            "delta + failure_probability < 1",
            ("delta", "failure_probability"),
            lambda p: p["delta"] + p["failure_probability"] < 1,
        ),
    ),
    theorems=(
        "DP.dp_failure_probability",
        "FiniteDP.dp_failure_probability_finite",
        "FiniteDP.failure_probability_tight",
    ),
)

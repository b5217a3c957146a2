"""What the rounding of a table costs: total variation, paid per draw.

Replace the law of each of m draws, under both datasets, by one at total variation at most tau: the divergence at
epsilon rises by at most ``m tau (1 + e^epsilon)``. Proof idea: product laws are within m tau, and
``P'(E) - e^epsilon Q'(E) <= P(E) + m tau - e^epsilon (Q(E) - m tau)``. Attained to first order. Unit: probability.

Source: derived here; compare Canonne, Kamath, Steinke 2020, section 5.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from dpverify.spec.core.comparison import Comparison, at_most
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.oracle import context
from dpverify.spec.privacy._finite import number, random_law


def charge(draws: int, total_variation: float, epsilon: float) -> float:
    """What to add to delta; rounded up, by a relative 2^-49 at most."""
    return draws * total_variation * (1.0 + math.exp(epsilon)) * (1.0 + 2.0**-50)


def oracle(ctx: Any, p: Sequence[Any], q: Sequence[Any], draws: int, epsilon: float) -> Any:
    """The divergence of m-fold products by enumeration of all joint outcomes."""
    factor, total = ctx.exp(ctx.mpf(epsilon)), ctx.mpf(0)
    for joint in itertools.product(range(len(p)), repeat=draws):
        gain = ctx.fprod(p[j] for j in joint) - factor * ctx.fprod(q[j] for j in joint)
        total += max(ctx.mpf(0), gain)
    return total


def conclude(*, draws: int, total_variation: float, epsilon: float, seed: int) -> list[Comparison]:
    ctx, rng = context(90), np.random.default_rng(seed)
    p, q = ([number(ctx, x) for x in random_law(rng, 4)] for _ in range(2))
    near_p, near_q = (_moved(ctx, law, total_variation, rng) for law in (p, q))
    rise = oracle(ctx, near_p, near_q, draws, epsilon) - oracle(ctx, p, q, draws, epsilon)
    # the worst pair: an outcome of tiny mass that P' gains and Q' loses entirely
    tau = min(total_variation, 1e-6 / (draws * math.exp(epsilon)))
    rare = 3 * ctx.exp(ctx.mpf(epsilon)) * tau
    worst = oracle(ctx, [rare + tau, 1 - rare - tau], [ctx.mpf(0), ctx.mpf(1)], draws, epsilon)
    base = oracle(ctx, [rare, 1 - rare], [ctx.mpf(tau), 1 - ctx.mpf(tau)], draws, epsilon)
    return [
        at_most(rise, charge(draws, total_variation, epsilon), unit="probability", label="random laws"),
        at_most(worst - base, charge(draws, tau, epsilon), unit="probability", label="the worst pair"),
        at_most(charge(draws, tau, epsilon) * (1 - 1e-5), worst - base, unit="probability", label="attained"),
    ]


def _moved(ctx: Any, law: Sequence[Any], distance: float, rng: np.random.Generator) -> list[Any]:
    """A law at total variation at most ``distance``: mass moved from the likeliest outcome to another."""
    made, source = list(law), max(range(len(law)), key=lambda j: law[j])
    step = min(ctx.mpf(distance), made[source])
    made[source] -= step
    made[int(rng.integers(len(law)))] += step
    return made


LEMMA = Lemma(
    module=__name__,
    statement="Noise laws that are each wrong by tau in total variation cost m tau (1 + e^eps) in delta.",
    claim="H_eps(P'^m || Q'^m) <= H_eps(P^m || Q^m) + m tau (1 + e^eps)",
    source=Source("derived here", "", ""),
    domain={
        "draws": Integer(1, 4),
        "total_variation": Real(1e-40, 1e-2, log=True),
        "epsilon": Real(1e-6, 50.0, log=True),
        "seed": Integer(0, 2**32 - 1),
    },
    formula=charge,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(Hypothesis("0 <= total_variation", ("total_variation",), lambda p: p["total_variation"] >= 0),),
    theorems=(
        "DP.dp_perturbed",
        "FiniteDP.tv_compose_finite",
    ),
)

"""Splitting the budget of a tree over its h + 1 levels, not over log2(n) = h of them.

A leaf changed by at most c changes h + 1 nodes by at most c each. With noise for sensitivity c and (epsilon/(h +
1), delta/(h + 1)) at every node, basic composition gives (epsilon, delta), and the epsilon is spent in full;
split by h, as published, the tree would spend epsilon (h + 1)/h. A replaced row that may move changes two paths:
use noise for 2 c at every node.

Source: arXiv 2407.14717v3, DPTree, corrected.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions, context
from dpverify.spec.noise._shifted import sides
from dpverify.spec.noise._truncated_laplace import HYPOTHESES
from dpverify.spec.tree._tree import all_nodes, covered

RELATIVE_SLACK = 2.0**-50


def level_budget(epsilon: float, delta: float, height: int) -> tuple[float, float]:
    """(epsilon, delta) of every node's noise, for a tree of that height; rounded down, by a relative 2^-51 at most."""
    levels = height + 1
    return math.nextafter(epsilon / levels, 0.0), math.nextafter(delta / levels, 0.0)


def oracle(height: int, node_epsilon: float, node_delta: float) -> tuple[Any, Any]:
    """What one changed leaf spends: the largest total privacy loss over all its nodes, and the mass beyond any bound.

    The leaf's nodes are counted by enumeration; every one of them moves by the sensitivity its noise is made for.
    """
    nodes = sum(0 in covered(node) for node in all_nodes(height))

    def leaked(ctx: Any) -> Any:
        parts = sides(ctx, Fraction(1), 1.0, node_epsilon, node_delta)
        kept = [parts.reached**j for j in range(nodes)]  # 1 - reached^nodes, without the cancellation
        return parts.unreached * ctx.fsum(kept)

    loss = sides(context(45), Fraction(1), 1.0, node_epsilon, node_delta).worst_loss  # exact: a fraction
    return nodes * loss, at_two_precisions(leaked, digits=45)


def conclude(*, height: int, epsilon: float, delta: float) -> list[Comparison]:
    spent, leaked = oracle(height, *level_budget(epsilon, delta, height))
    return [
        at_most(spent, epsilon, slack=0, unit="nats", label="epsilon"),
        equal(spent, epsilon, slack=RELATIVE_SLACK * epsilon, unit="nats", label="epsilon, spent in full"),
        at_most(leaked, delta, slack=0, unit="probability", label="delta"),
        at_most(delta * (1 - delta - RELATIVE_SLACK), leaked, unit="probability", label="delta, up to its square"),
    ]


LEMMA = Lemma(
    module=__name__,
    statement="A tree's budget is split over its h + 1 levels; over log2(n) levels it would be overspent.",
    claim="(eps/(h + 1), delta/(h + 1)) at every node composes to (eps, delta) for one changed leaf",
    source=Source("arXiv 2407.14717", "v3", "DPTree, corrected"),
    domain={"height": Integer(0, 6), "epsilon": Real(1e-6, 50.0, log=True), "delta": Real(1e-290, 0.5, log=True)},
    formula=level_budget,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(Hypothesis("0 <= height", ("height",), lambda p: p["height"] >= 0), *HYPOTHESES),
    theorems=(
        "VectorTLap.tlap_dp_nodes",
        "Segtree.leaf_in_exactly_k1_nodes",
    ),
)

"""One truncated Laplace law for all nodes of a tree, from the vector form; and that splitting the levels is tighter.

All nodes together have l1 sensitivity S; noise TLap(S, epsilon, delta) at every node is (epsilon, delta)-DP with
``B = (S/epsilon) ln(1 + (e^epsilon - 1)/(2 delta))``. For one leaf changed by c in place S = c (h + 1), and the
split by levels has the same rate but ``L = ln(1 + (h + 1)(e^(epsilon/(h + 1)) - 1)/(2 delta))``, never larger,
for (h + 1)(e^(epsilon/(h + 1)) - 1) <= e^epsilon - 1: against the expectation that the vector form is sharper, it
only needs less structure. B has the unit of the data.

Source: derived here (noise.truncated_laplace_privacy_vector and tree.sensitivity_l1).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Choice, Integer, Real
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions, context
from dpverify.spec.noise._shifted import sides
from dpverify.spec.noise._truncated_laplace import HYPOTHESES, integral
from dpverify.spec.noise.truncated_laplace_normaliser import support_bound
from dpverify.spec.tree._enclosed import split_enclosure
from dpverify.spec.tree._moves import largest
from dpverify.spec.tree.privacy_composition import level_budget
from dpverify.spec.tree.sensitivity_l1 import l1

RELATIVE_SLACK = 2.0**-38  # the mass near B amplifies a relative error of B by L, up to 720


def node_bound(change: float, height: int, leaves_changed: int, epsilon: float, delta: float) -> float:
    """B of every node's noise under the vector form; relative error below 2^-48."""
    return support_bound(l1(change, height, leaves_changed), epsilon, delta)


def oracle(change: float, height: int, leaves_changed: int, epsilon: float, delta: float, bound: float) -> Any:
    """For a given B, the mass of the noise within one sensitivity of it, and what the worst move spends.

    The sensitivity is enumerated; the worst move changes the h + 1 nodes of a path by an equal share of it.
    Returns (mass, delta spent) as numbers and the epsilon spent as a fraction.
    """
    total = change * largest(height, leaves_changed, False, 1)
    share = Fraction(1, height + 1)

    def near(ctx: Any) -> Any:
        rate, edge = ctx.mpf(epsilon) / ctx.mpf(total), ctx.mpf(bound)
        inner = max(ctx.mpf(0), edge - ctx.mpf(total))  # B >= S, up to the rounding of B at delta = 1/2
        half = integral(ctx, 0, rate, ctx.mpf(0), edge)
        return integral(ctx, 0, rate, inner, edge) / (2 * half)

    def spent(ctx: Any) -> Any:
        parts = sides(ctx, share, 1.0, epsilon, delta)
        return parts.unreached * ctx.fsum(parts.reached**j for j in range(height + 1))

    loss = (height + 1) * sides(context(45), share, 1.0, epsilon, delta).worst_loss
    return at_two_precisions(near, digits=45), at_two_precisions(spent, digits=45), loss


def conclude(*, change: float, height: int, leaves_changed: int, epsilon: float, delta: float) -> list[Comparison]:
    made = node_bound(change, height, leaves_changed, epsilon, delta)
    mass, spent, loss = oracle(change, height, leaves_changed, epsilon, delta, made)
    in_place = node_bound(change, height, 1, epsilon, delta)
    split = support_bound(change, *level_budget(epsilon, delta, height))
    return [
        equal(mass, delta, slack=RELATIVE_SLACK * delta, unit="probability", label="the bound B"),
        at_most(spent, delta, slack=1e-19 * delta, unit="probability", label="delta"),
        equal(loss, epsilon, slack=0, unit="nats", label="epsilon, spent in full"),
        at_most(split, in_place, slack=2.0**-46 * in_place, unit="unit of the data", label="the split by levels"),
    ]


LEMMA = Lemma(
    module=__name__,
    statement="Truncated Laplace noise made for the whole tree's l1 sensitivity is private with an unsplit budget.",
    claim="TLap(S, eps, delta) at all nodes, S the tree's l1 sensitivity, is (eps, delta)-DP",
    source=Source("derived here", "", ""),
    domain={
        "change": Real(1e-3, 1e3, log=True),
        "height": Integer(0, 5),
        "leaves_changed": Choice((1, 2)),
        "epsilon": Real(1e-6, 50.0, log=True),
        "delta": Real(1e-290, 0.5, log=True),
    },
    formula=node_bound,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(Hypothesis("0 <= height", ("height",), lambda p: p["height"] >= 0), *HYPOTHESES),
    enclosure=split_enclosure(lambda *at: node_bound(*at)),
    theorems=(
        "VectorTLap.tlap_dp_vector",
        "Sensitivity.tree_l1_sensitivity",
        "Sensitivity.tree_l1_sensitivity_replace",
    ),
)

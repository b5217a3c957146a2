"""The tree's budget split by log2 n, where a leaf meets log2 n + 1 nodes.

Counterexample: n = 2^h leaves, noise TLap(1, epsilon/h, delta/h) at each of the h + 1 nodes of a path, one leaf
changed by 1, so all of them move by 1. The event "all of them are at most their value on the first dataset" has
P = 2^-(h+1), and Q smaller by nearly e^(epsilon (h+1)/h): more than the claim allows.
"""

from __future__ import annotations

from typing import Any

from dpverify.spec.core.comparison import Comparison
from dpverify.spec.core.exhibit import Exhibit
from dpverify.spec.core.lemma import Source
from dpverify.spec.exhibit._events import CTX, DELTA, EPSILON, claim_on_event
from dpverify.spec.noise._truncated_laplace import exact_bound

HEIGHT = 10


def node_budget() -> tuple[float, float]:
    """As published: one share for each of log2 n levels."""
    return EPSILON / HEIGHT, DELTA / HEIGHT


def counterexample() -> Comparison:
    epsilon, delta = node_budget()
    bound = exact_bound(CTX, 1.0, epsilon, delta)
    nodes = HEIGHT + 1

    def mass(low: Any, high: Any) -> Any:
        return CTX.quad(lambda z: CTX.exp(-CTX.mpf(epsilon) * abs(z)), [low, high])

    total = 2 * mass(CTX.mpf(0), bound)
    below, shifted = mass(-bound, CTX.mpf(0)) / total, mass(-bound, CTX.mpf(-1)) / total
    return claim_on_event(below**nodes, shifted**nodes, f"{nodes} nodes, budget split by {HEIGHT}")


EXHIBIT = Exhibit(
    module=__name__,
    statement="With TLap(Delta, epsilon/log n, delta/log n) at every node the tree is (epsilon, delta)-DP.",
    published=Source("arXiv 2407.14717", "v3", "DPTree"),
    counterexample=counterexample,
    corrected="tree.privacy_composition",
)

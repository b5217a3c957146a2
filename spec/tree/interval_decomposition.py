"""An interval [start, stop) is the disjoint union of at most max(1, 2 (h - 1)) nodes, and some need that many.

Proof idea: walk up from both ends; a level gives at most one node at each end, the two top levels none unless the
whole tree is asked for. Attained at [1, 2^h - 1) for h >= 2. No units.

Source: arXiv 2407.14717v3, DPTree, with the exact constant.
"""

from __future__ import annotations

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.tree._tree import Node, all_nodes, covered, multiplicity


def interval(start: int, stop: int, height: int) -> list[Node]:
    """Nodes (level, index), level 0 the leaves, whose disjoint union is [start, stop); exact."""
    if not 0 <= start <= stop <= 1 << height:
        raise ValueError(f"0 <= start <= stop <= 2^{height} is needed, but start = {start}, stop = {stop}")
    left: list[Node] = []
    right: list[Node] = []
    level = 0
    while start < stop:
        if start & 1:
            left.append((level, start))
            start += 1
        if stop & 1:
            stop -= 1
            right.append((level, stop))
        start, stop, level = start >> 1, stop >> 1, level + 1
    return left + right[::-1]


def max_nodes(height: int) -> int:
    """The most nodes that an interval needs."""
    return max(1, 2 * (height - 1))


def oracle(start: int, stop: int, height: int) -> list[int]:
    """For each leaf 1 or 0, from the definition of the interval; last, the least number of nodes that give it."""
    fewest = {start: 0}  # nodes needed for [start, k), by dynamic programming over all nodes
    for node in sorted(all_nodes(height), key=lambda node: covered(node).stop):
        first, last = covered(node).start, covered(node).stop
        if first in fewest and last <= stop:
            fewest[last] = min(fewest.get(last, stop), fewest[first] + 1)
    return [int(start <= leaf < stop) for leaf in range(2**height)] + [fewest[stop]]


def conclude(*, height: int, first_fraction: float, second_fraction: float) -> list[Comparison]:
    start, stop = sorted((round(first_fraction * 2**height), round(second_fraction * 2**height)))
    nodes = interval(start, stop, height)
    ends = range(2**height + 1)
    most = max(len(interval(a, b, height)) for a in ends for b in ends[a:])
    return [
        equal(
            [*multiplicity(nodes, 2**height), len(nodes)],
            oracle(start, stop, height),
            slack=0,
            label="exact cover",
        ),
        at_most(len(nodes), max_nodes(height), slack=0, unit="nodes", label="size"),
        equal(most, max_nodes(height), slack=0, unit="nodes", label="size, attained"),
    ]


LEMMA = Lemma(
    module=__name__,
    statement="An interval is the disjoint union of at most max(1, 2(h - 1)) nodes, and some need that many.",
    claim="[start, stop) = union of nodes, at most max(1, 2(h - 1))",
    source=Source("arXiv 2407.14717", "v3", "DPTree, with the exact constant"),
    domain={"height": Integer(0, 6), "first_fraction": Real(0.0, 1.0), "second_fraction": Real(0.0, 1.0)},
    formula=interval,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(Hypothesis("0 <= height", ("height",), lambda p: p["height"] >= 0),),
    theorems=(
        "Segtree.interval_decomposition_size",
        "Segtree.query_exact",
        "Sensitivity.query_sum_root",
    ),
)

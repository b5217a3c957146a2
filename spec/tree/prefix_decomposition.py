"""A prefix [0, stop) is the disjoint union of at most max(1, h) nodes: one per binary digit 1 of ``stop``.

Proof idea: read the digits of stop from the top; each 1 of weight 2^l takes the next node of level l. At most h
of them, unless stop = 2^h, which is the root alone. Attained at stop = 2^h - 1. No units.

Source: arXiv 2407.14717v3, DPTree; Dwork, Naor, Pitassi, Rothblum 2010.
"""

from __future__ import annotations

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.tree._tree import Node, all_nodes, covered, multiplicity


def prefix(stop: int, height: int) -> list[Node]:
    """Nodes (level, index), level 0 the leaves, whose disjoint union is [0, stop), stop <= 2^height; exact."""
    if not 0 <= stop <= 1 << height:
        raise ValueError(f"stop must be in [0, 2^{height}], but it is {stop}")
    return [(level, (stop >> level) - 1) for level in range(height, -1, -1) if stop >> level & 1]


def max_nodes(height: int) -> int:
    """The most nodes that a prefix needs."""
    return max(1, height)


def oracle(stop: int, height: int) -> list[int]:
    """For each leaf 1 or 0, from the definition of the prefix; last, the least number of nodes that give it."""
    fewest = [0] + [stop + 1] * stop  # fewest[k]: nodes needed for [0, k), by dynamic programming over all nodes
    for node in sorted(all_nodes(height), key=lambda node: covered(node).stop):
        last, first = covered(node).stop, covered(node).start
        if last <= stop:
            fewest[last] = min(fewest[last], fewest[first] + 1)
    return [int(leaf < stop) for leaf in range(2**height)] + [fewest[stop]]


def conclude(*, height: int, stop_fraction: float) -> list[Comparison]:
    stop = round(stop_fraction * 2**height)
    nodes = prefix(stop, height)
    most = max(len(prefix(k, height)) for k in range(2**height + 1))
    return [
        equal(
            [*multiplicity(nodes, 2**height), len(nodes)],
            oracle(stop, height),
            slack=0,
            label="exact cover, fewest",
        ),
        at_most(len(nodes), max_nodes(height), slack=0, unit="nodes", label="size"),
        equal(most, max_nodes(height), slack=0, unit="nodes", label="size, attained"),
    ]


LEMMA = Lemma(
    module=__name__,
    statement="A prefix is the disjoint union of at most max(1, h) nodes, and some prefix needs that many.",
    claim="[0, stop) = union of the nodes of the binary digits of stop;  at most max(1, h)",
    source=Source("arXiv 2407.14717", "v3", "DPTree"),
    domain={"height": Integer(0, 7), "stop_fraction": Real(0.0, 1.0)},
    formula=prefix,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(Hypothesis("0 <= height", ("height",), lambda p: p["height"] >= 0),),
    theorems=("Segtree.prefix_decomposition_size", "Segtree.query_exact"),
)

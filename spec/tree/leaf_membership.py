"""A leaf lies in exactly h + 1 nodes of a tree over 2^h leaves: log2(n) + 1, not log2(n).

n leaves are padded to the next power of two, 2^h. Proof idea: one node a level, from the leaf to the root. No
units.

Source: arXiv 2407.14717v3, Lemma on the DPTree's structure, with the root counted; proved here.
"""

from __future__ import annotations

from dpverify.spec.core.comparison import Comparison, equal
from dpverify.spec.core.domain import Integer
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.tree._tree import all_nodes, covered


def levels(leaves: int) -> int:
    """Number of nodes on a leaf's path, h + 1, for a tree over ``leaves`` >= 1 leaves; exact."""
    return (leaves - 1).bit_length() + 1


def oracle(leaves: int) -> list[int]:
    """For each leaf, how many nodes of the smallest tree that holds them all contain it, by enumeration."""
    height = 0
    while 2**height < leaves:
        height += 1
    nodes = [covered(node) for node in all_nodes(height)]
    return [sum(leaf in node for node in nodes) for leaf in range(leaves)]


def conclude(*, leaves: int) -> Comparison:
    return equal(levels(leaves), oracle(leaves), slack=0, unit="nodes")


LEMMA = Lemma(
    module=__name__,
    statement="Every leaf is counted in exactly h + 1 nodes, the root included.",
    claim="|{nodes that contain leaf x}| = h + 1, h = ceil(log2 n)",
    source=Source("arXiv 2407.14717", "v3", "DPTree, with the root counted"),
    domain={"leaves": Integer(1, 130)},
    formula=levels,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(Hypothesis("1 <= leaves", ("leaves",), lambda p: p["leaves"] >= 1),),
    theorems=("Segtree.leaf_in_exactly_k1_nodes",),
)

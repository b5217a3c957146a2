"""A node is the sum of its two children, hence of its leaves.

Integers, so the sums are exact as long as they stay below 2^63 in size. Proof idea: induction on the level. This
is what an implementation's build is held to, level by level. Unit: grid steps.

Source: arXiv 2407.14717v3, DPTree (definition of the tree).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.spec.core.comparison import Comparison, equal
from dpverify.spec.core.domain import Integer
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.tree._tree import covered


def parent_level(children: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Sums of neighbouring pairs: integers of shape (..., 2 k) -> (..., k)."""
    sums: npt.NDArray[Any] = children[..., 0::2] + children[..., 1::2]
    return sums


def oracle(leaves: npt.NDArray[Any], level: int) -> list[int]:
    """Every node of a level as the sum of the leaves that it covers, in Python integers."""
    count = len(leaves) >> level
    return [sum(int(leaves[leaf]) for leaf in covered((level, index))) for index in range(count)]


def conclude(*, height: int, bits: int, seed: int) -> list[Comparison]:
    leaves = np.random.default_rng(seed).integers(-(2**bits), 2**bits, 2**height, endpoint=True)
    made, level = [equal(leaves, oracle(leaves, 0), slack=0, unit="steps", label="level 0")], leaves
    for above in range(1, height + 1):
        level = parent_level(level)
        made.append(equal(level, oracle(leaves, above), slack=0, unit="steps", label=f"level {above}"))
    return made


def guard(parents: npt.NDArray[Any], children: npt.NDArray[Any]) -> Comparison:
    """The nodes of one level against those below, shapes (..., k) and (..., 2 k); shows the first wrong node."""
    if parents.shape != (*children.shape[:-1], children.shape[-1] // 2):
        raise ValueError(f"parents have shape {parents.shape}, children {children.shape}: twice as many are needed")
    if children.dtype != object and int(np.abs(children).max()) >= 2**62:
        raise OverflowError("children of 2^62 or more: their sums may not fit int64; use a coarser grid")
    wrong = parents != children[..., 0::2] + children[..., 1::2]
    worst = tuple(int(i) for i in np.unravel_index(int(np.argmax(wrong)), wrong.shape))
    first = (*worst[:-1], 2 * worst[-1])
    exact = int(children[first]) + int(children[(*worst[:-1], 2 * worst[-1] + 1)])
    return equal(int(parents[worst]), exact, slack=0, unit="steps", label=f"node {worst} of its level")


LEMMA = Lemma(
    module=__name__,
    statement="A node holds the sum of its two children, hence of the leaves below it.",
    claim="node(l + 1, i) = node(l, 2i) + node(l, 2i + 1) = sum of its 2^(l+1) leaves",
    source=Source("arXiv 2407.14717", "v3", "DPTree"),
    domain={"height": Integer(1, 7), "bits": Integer(0, 50), "seed": Integer(0, 2**32 - 1)},
    formula=parent_level,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(Hypothesis("height + bits < 63", ("height", "bits"), lambda p: p["height"] + p["bits"] < 63),),
    guard=guard,
    theorems=("Sensitivity.node_sum_split",),
    trusts=("no partial sum reaches 2^63 (the caller checks it for the worst case)",),
)

"""Every way in which one row can change the leaves, by enumeration, and what it does to the nodes."""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import Literal

import numpy as np

from dpverify.spec.core.domain import Choice, Integer, Parameter, Real
from dpverify.spec.core.lemma import Hypothesis
from dpverify.spec.tree._tree import node_vector

DOMAIN: dict[str, Parameter] = {
    "change": Real(1e-3, 1e3, log=True),
    "height": Integer(0, 5),
    "leaves_changed": Choice((1, 2)),
    "non_negative": Choice((False, True)),
}
HYPOTHESES = (
    Hypothesis("0 <= change", ("change",), lambda p: p["change"] >= 0),
    Hypothesis("0 <= height", ("height",), lambda p: p["height"] >= 0),
    Hypothesis("leaves_changed is 1 or 2", ("leaves_changed",), lambda p: p["leaves_changed"] in (1, 2)),
)


@lru_cache(maxsize=64)
def largest(
    height: int, leaves_changed: int, non_negative: bool, power: Literal[1, 2], *, distinct: bool = False
) -> float:
    """Largest l1 (power 1) or l2 (power 2) norm of the nodes' change over all moves of one row's contribution.

    One leaf: its value changes by at most 1. Two: the old contribution leaves x, the new one enters y, each at
    most 1 in size (in [0, 1] if non-negative); x = y is a move too, unless ``distinct``. The norm is convex and
    the change linear in the two contributions, so their extremes -1, 0, 1 decide.
    """
    size = 2**height
    values = (0, 1) if non_negative else (-1, 0, 1)
    moves = []
    for x, y in itertools.product(range(size), repeat=2):
        for old, new in itertools.product(values, repeat=2):
            leaves = np.zeros(size)
            if leaves_changed == 2:
                leaves[x] -= old
                leaves[y] += new
            else:
                leaves[x] += new
            if not (distinct and x == y):
                moves.append(leaves)
    if not moves:
        return 0.0
    return float((np.abs(node_vector(np.array(moves))) ** power).sum(axis=-1).max() ** (1 / power))

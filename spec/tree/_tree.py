"""The tree from its definition: a node (level, index) is the set of leaves that it covers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Node = tuple[int, int]


def all_nodes(height: int) -> Iterator[Node]:
    """Level 0 holds the 2^height leaves, level ``height`` the root."""
    for level in range(height + 1):
        for index in range(2 ** (height - level)):
            yield level, index


def covered(node: Node) -> range:
    """The leaves below a node."""
    level, index = node
    return range(index * 2**level, (index + 1) * 2**level)


def node_vector(leaves: Any) -> npt.NDArray[np.float64]:
    """Sums over every node's leaves, shape (..., 2 N - 1), of leaf values of shape (..., N)."""
    values = np.asarray(leaves)
    height = values.shape[-1].bit_length() - 1
    return np.stack([values[..., covered(node)].sum(axis=-1) for node in all_nodes(height)], axis=-1)


def multiplicity(nodes: list[Node], leaves: int) -> list[int]:
    """How many of the nodes cover each leaf."""
    return [sum(leaf in covered(node) for node in nodes) for leaf in range(leaves)]

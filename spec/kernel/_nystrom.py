"""What the lemmas on landmark features share: kernels, factors and features at high precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dpverify.spec.core.oracle import context

CTX = context(60)
Point = Sequence[Any]


def points_in_cube(count: int, dimension: int, rng: np.random.Generator) -> list[Point]:
    """Random points of [-1, 1]^d."""
    return [[CTX.mpf(x) for x in row] for row in rng.uniform(-1.0, 1.0, (count, dimension)).tolist()]


def kernel(scale: Any, x: Point, y: Point) -> Any:
    """exp(scale <x, y>)."""
    return CTX.exp(CTX.mpf(scale) * CTX.fdot(x, y))


def gram(scale: Any, points: Sequence[Point]) -> Any:
    """The kernel matrix of the points."""
    return CTX.matrix([[kernel(scale, x, y) for y in points] for x in points])


def whitened(scale: Any, landmarks: Sequence[Point], x: Point) -> Any:
    """L^-1 k(Z, x), K_ZZ = L L^T: coordinates of the projection of k_x in an orthonormal basis of the span of k_z."""
    lower = CTX.cholesky(gram(scale, landmarks))
    out: list[Any] = []
    for i, z in enumerate(landmarks):
        rest = kernel(scale, z, x) - CTX.fsum(lower[i, j] * out[j] for j in range(i))
        out.append(rest / lower[i, i])
    return CTX.matrix(out)


def contraction(rows: int, columns: int, norm_squared: Any, rng: np.random.Generator) -> Any:
    """A random matrix B with ``|B|_2^2 <= norm_squared``; A = B L^-1 then has |A K_ZZ A^T| <= norm_squared."""
    made = CTX.matrix(rng.normal(size=(rows, columns)).tolist())
    size = CTX.sqrt(CTX.fsum(made[i, j] ** 2 for i in range(rows) for j in range(columns)))
    return made * (CTX.sqrt(norm_squared) / size)


def norm(entries: Any) -> Any:
    """l2 norm of all entries."""
    return CTX.sqrt(CTX.fsum(x * x for x in entries))

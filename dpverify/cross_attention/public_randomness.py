"""Random choices that are public by design: where landmarks lie, which directions random features take.

They hide nothing, so an ordinary seeded generator draws them; noise comes from ``dpverify.noise`` alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dpverify.cross_attention.parameters import Parameters

Array = npt.NDArray[np.float64]


def random_points(parameters: Parameters, number: int, seed: int) -> Array:
    """Public points, uniform in the keys' domain, shape (number, d)."""
    rng = np.random.default_rng(seed)
    bounds, dimension = parameters.bounds, parameters.dimension
    if bounds.shape == "ball":
        directions = rng.standard_normal((number, dimension))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        return np.asarray(directions * bounds.key * rng.random((number, 1)) ** (1.0 / dimension))
    low = -bounds.key if bounds.signed else 0.0
    return rng.uniform(low, bounds.key, (number, dimension))


def directions(number: int, dimension: int, orthogonal: bool, seed: int) -> Array:
    """Rows w_j, each standard normal in d dimensions; orthogonal within blocks of d if asked."""
    rng = np.random.default_rng(seed)
    if not orthogonal:
        return rng.standard_normal((number, dimension))
    blocks = -(-number // dimension)
    rotations, triangles = np.linalg.qr(rng.standard_normal((blocks, dimension, dimension)))
    # the signs of the diagonal make the rotations uniform (Mezzadri 2007)
    signs = np.sign(np.diagonal(triangles, axis1=1, axis2=2))
    rows = (rotations * signs[:, None, :]).transpose(0, 2, 1).reshape(-1, dimension)[:number]
    lengths = np.linalg.norm(rng.standard_normal((number, dimension)), axis=1)
    return np.asarray(rows * lengths[:, None])

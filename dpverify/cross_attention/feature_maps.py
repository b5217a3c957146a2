"""What a feature map has to promise. Its norm bound is the contract: privacy never depends on how well it fits.

A choice of features (``dv.Polynomial``, ``dv.Nystrom``, ``dv.PositiveRandomFeatures``) is made by the caller from
public numbers alone; ``build`` turns it into the map for one release.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dpverify.cross_attention.bounds import Bounds
from dpverify.cross_attention.exact import check_queries, check_scale
from dpverify.cross_attention.parameters import Parameters
from dpverify.errors import InvalidArgument

Array = npt.NDArray[np.float64]


class FeatureMap(Protocol):
    """phi with ``<phi(q), phi(k)>`` near ``exp(scale <q, k>)``, for one set of public parameters.

    Attributes:
        kind: the name under which release files know it.
        size: r, number of features.
    """

    kind: str
    parameters: Parameters
    size: int

    def __call__(self, rows: Array) -> Array:
        """Features of rows of shape (n, d) inside the bounds, transposed: shape (r, n)."""
        ...

    def norm(self, bound: float) -> float:
        """Largest |phi(x)|_2, as computed in floats, over rows x with that bound (key or query); rounded up."""
        ...

    def sensitivity(self, kernel_max: float, step: float, value_norm: float, normaliser_weight: float) -> float:
        """l2 sensitivity of ``sum_i phi(k_i) [v_i, c]^T`` under REPLACE_ONE, rounded up.

        Each entry of phi was truncated to a grid of spacing ``step``, after which its squared norm is at most
        ``kernel_max``; value rows have norm at most ``value_norm``.
        """
        ...

    @property
    def kernel_factors(self) -> tuple[float, float]:
        """(low, high), proven: ``<phi(q), phi(k)>`` lies in [low, high] times the exponential kernel for every
        query and key of the domain. low <= 0 where nothing useful is known; then bounds rest on ``query_error``."""
        ...

    def query_error(self, queries: Array) -> Array:
        """Proven bound on ``|<phi(q), phi(k)> - exp(scale <q, k>)|`` over all keys, for each query; inf if unknown."""
        ...

    def details(self) -> dict[str, Any]:
        """Public numbers for the certificate."""
        ...

    def to_dict(self) -> dict[str, Any]: ...
    def arrays(self) -> dict[str, Array]:
        """Public arrays that a release file keeps with it."""
        ...


class Features(Protocol):
    """A choice of features, made without looking at the data."""

    def build(self, parameters: Parameters) -> FeatureMap: ...


@dataclass(frozen=True)
class KernelError:
    """Measured on public points: ``<phi(q), phi(k)> / exp(scale <q, k>) - 1``.

    Attributes:
        worst, mean: of its magnitude, over all pairs.
    """

    worst: float
    mean: float


def kernel_error(
    features: Features,
    queries: npt.ArrayLike,
    keys: npt.ArrayLike,
    *,
    bounds: Bounds,
    scale: float | None = None,
) -> KernelError:
    """Measure the relative error of a feature map against the exponential kernel.

    Args:
        features: for example ``dv.Nystrom(number=100)``.
        queries, keys: *public* points of shapes (m, d) and (n, d), moved into the bounds. Never measure on private
            keys: the result would have to be kept secret.
        bounds, scale: as for :func:`dpverify.release_attention`.

    >>> import dpverify as dv
    >>> points = np.random.default_rng(0).uniform(0, 1, (50, 2))
    >>> bounds = dv.Bounds(shape="positive_box")
    >>> dv.kernel_error(dv.Polynomial(degree=6), points, points, bounds=bounds).worst < 1e-4
    True
    """
    q, k = check_queries(queries), check_queries(keys)
    if q.shape[1] != k.shape[1]:
        raise InvalidArgument("queries", f"of shape {q.shape}", f"of shape (m, {k.shape[1]}), as wide as the keys")
    parameters = Parameters(len(k), k.shape[1], 1, check_scale(scale, k.shape[1]), bounds)
    q, k = bounds.clip_queries(q)[0], bounds.clip_keys(k)[0]
    phi = features.build(parameters)
    error = np.abs((phi(q).T @ phi(k)) * np.exp(-parameters.scale * (q @ k.T)) - 1.0)
    return KernelError(float(error.max()), float(error.mean()))

"""Positive random features: ``phi(x)_j = exp(<w_j, u> - |u|^2 / 2) / sqrt(m)``, ``u = sqrt(scale) x``.

They are unbiased for the exponential kernel and never negative, so a row's features and a neighbour's are never
opposed: the sharper sensitivity holds. Their norm has a heavy tail and is cut. Source: Choromanski et al.,
Rethinking attention with Performers, ICLR 2021, Lemma 1 (unbiased) and Section 2.4 (orthogonal directions).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.checks import positive_integer
from dpverify.cross_attention.parameters import Parameters
from dpverify.cross_attention.public_randomness import directions
from dpverify.spec import contract
from dpverify.spec.attention import functional_sensitivity
from dpverify.spec.kernel import positive_features

Array = npt.NDArray[np.float64]
TINY = 1e-300


@dataclass(frozen=True)
class PositiveRandomFeatures:
    """Random features of the exponential kernel. No error bound is proven for them: measure with ``kernel_error``.

    Args:
        number: m >= 1 features. The error shrinks like m^-1/2 and grows exponentially with the logits.
        orthogonal: draw directions in orthogonal blocks of d (each still uniformly distributed).
        seed: of the directions, which are public.
    """

    number: int
    orthogonal: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "number", positive_integer("number", self.number))
        object.__setattr__(self, "seed", positive_integer("seed", self.seed, least=0))

    def build(self, parameters: Parameters) -> PositiveRandomMap:
        """The map for one release."""
        return PositiveRandomMap(parameters, directions(self.number, parameters.dimension, self.orthogonal, self.seed))


@contract(relies_on=[positive_features.LEMMA, functional_sensitivity.LEMMA])
class PositiveRandomMap:
    """The map of :class:`PositiveRandomFeatures`, cut at the norm of the exact kernel's features.

    Attributes:
        directions: w, shape (m, d); size: m.
    """

    kind = "positive random"

    def __init__(self, parameters: Parameters, directions: Array) -> None:
        self.parameters = parameters
        self.directions = directions
        self.size = len(directions)

    def __call__(self, rows: Array) -> Array:
        """Features of rows of shape (n, d), transposed: shape (m, n); none negative, no norm above ``norm``."""
        u = math.sqrt(self.parameters.scale) * rows.T
        phi = np.exp(self.directions @ u - 0.5 * (u * u).sum(axis=0) - 0.5 * math.log(self.size))
        limit = self.norm(max(self.parameters.bounds.key, self.parameters.bounds.query))
        return np.asarray(phi * np.minimum(1.0, limit / np.maximum(np.linalg.norm(phi, axis=0), TINY)))

    def norm(self, bound: float) -> float:
        """exp(scale R^2 / 2), R the largest norm of a row; keys and queries are cut at the same norm."""
        radius = max(self.parameters.key_radius, self.parameters.query_radius)
        return math.exp(self.parameters.scale * radius**2 / 2) * (1 + 2.0**-45)

    def sensitivity(self, kernel_max: float, step: float, value_norm: float, normaliser_weight: float) -> float:
        """Truncated entries are not negative, so neither is any inner product of two rows."""
        return functional_sensitivity.l2(
            kernel_max,
            0.0,
            value_norm,
            normaliser_weight,
            values_nonnegative=self.parameters.bounds.values_nonnegative,
        )

    @property
    def kernel_factors(self) -> tuple[float, float]:
        """Nothing is proven."""
        return 0.0, math.inf

    def query_error(self, queries: Array) -> Array:
        """Nothing is proven."""
        return np.full(len(queries), math.inf)

    def details(self) -> dict[str, Any]:
        return {"features": self.size}

    def to_dict(self) -> dict[str, Any]:
        return {}

    def arrays(self) -> dict[str, Array]:
        return {"directions": self.directions}

    @classmethod
    def from_parts(cls, parameters: Parameters, data: dict[str, Any], arrays: dict[str, Array]) -> PositiveRandomMap:
        return cls(parameters, arrays["directions"])

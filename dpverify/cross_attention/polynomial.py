"""Polynomial features: ``P(x)_a = x^a sqrt(scale^|a| / a!)``, the published map."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.checks import positive_integer
from dpverify.cross_attention.parameters import Parameters
from dpverify.spec import contract
from dpverify.spec.attention import functional_sensitivity
from dpverify.spec.kernel import (
    feature_dimension,
    feature_identity,
    feature_norm,
    polynomial_minimum,
    relative_error,
    relative_error_signed,
    smallest_degree,
)

Array = npt.NDArray[np.float64]
TARGET_KERNEL_ERROR = 1e-3


@dataclass(frozen=True)
class Polynomial:
    """All monomials up to a degree: C(d + degree, degree) features, with a proven kernel error.

    Args:
        degree: None takes the least with relative kernel error at most 1e-3 over the whole domain.
    """

    degree: int | None = None

    def __post_init__(self) -> None:
        if self.degree is not None:
            object.__setattr__(self, "degree", positive_integer("degree", self.degree, least=0))

    @contract(relies_on=[smallest_degree.LEMMA])
    def build(self, parameters: Parameters) -> PolynomialMap:
        """The map for one release."""
        if self.degree is not None:
            return PolynomialMap(parameters, self.degree)
        least = smallest_degree.smallest_degree(TARGET_KERNEL_ERROR, parameters.logit_max, parameters.bounds.signed)
        return PolynomialMap(parameters, least)


@contract(
    relies_on=[
        feature_identity.LEMMA,
        feature_dimension.LEMMA,
        feature_norm.LEMMA,
        polynomial_minimum.LEMMA,
        relative_error.LEMMA,
        relative_error_signed.LEMMA,
    ]
)
class PolynomialMap:
    """``P(x)_a = x^a sqrt(scale^|a| / a!)`` for all multi-indices a with |a| <= degree.

    Each feature is its parent (the multi-index without its last factor) times one coordinate, so a row costs one
    multiplication a feature; the children of a parent lie side by side and are made together.

    Attributes:
        size: r = C(d + s, s). The order is that of ``dpverify.spec.kernel.feature_identity.multi_indices``.
    """

    kind = "polynomial"

    def __init__(self, parameters: Parameters, degree: int) -> None:
        self.parameters = parameters
        self.degree = degree
        self.size = feature_dimension.dimension(parameters.dimension, degree)
        self._plan: list[tuple[int, int, int, int]] | None = None  # made when first needed: the size may be refused

    def __call__(self, rows: Array) -> Array:
        """Features of rows of shape (n, d), transposed: shape (r, n).

        Relative error of each entry below (3 s + d) 2^-53.
        """
        return self.fill(rows, 1.0, np.empty((self.size, len(rows))))

    def fill(self, rows: Array, step: float, out: Array) -> Array:
        """The same divided by ``step``, a power of two, into ``out`` of shape (r, n): not a bit is lost."""
        if self._plan is None:
            self._plan = _plan(self.parameters.dimension, self.degree)
        scaled = np.multiply(rows.T, math.sqrt(self.parameters.scale), order="C")
        roots = [scaled, *(scaled / math.sqrt(power) for power in range(2, self.degree + 1))]
        out[0] = 1.0 / step
        for parent, child, last, power in self._plan:
            np.multiply(out[parent], roots[power][last], out=out[child])
            if last + 1 < len(scaled):
                np.multiply(out[parent], scaled[last + 1 :], out=out[child + 1 : child + len(scaled) - last])
        return out

    def norm(self, bound: float) -> float:
        """Largest |P(x)|_2 for rows with that bound, rounded up."""
        p = self.parameters
        radius = p.bounds.radius(bound, p.dimension) * (1 + 2.0**-50)
        square = feature_norm.norm_squared_bound(self.degree, p.scale, radius)
        return math.nextafter(math.sqrt(square), math.inf)

    @property
    def key_kernel_min(self) -> float:
        """Lower bound on the polynomial kernel between two keys, before rounding of the features."""
        p = self.parameters
        if not p.bounds.signed:
            return 1.0
        return polynomial_minimum.minimum(self.degree, p.scale * p.key_radius * p.key_radius * (1 + 2.0**-49))

    def sensitivity(self, kernel_max: float, step: float, value_norm: float, normaliser_weight: float) -> float:
        """As the protocol says.

        Truncation moves a kernel value between two keys by at most 2 b sqrt(r) steps; a share 1e-9 of b^2 more
        covers the float evaluation of clipping and of the features.
        """
        p = self.parameters
        b = self.norm(p.bounds.key)
        moved = 2.0 * b * math.sqrt(self.size) * step + 1e-9 * b * b
        return functional_sensitivity.l2(
            kernel_max,
            self.key_kernel_min - moved,
            value_norm,
            normaliser_weight,
            values_nonnegative=p.bounds.values_nonnegative,
        )

    @property
    def kernel_factors(self) -> tuple[float, float]:
        """The polynomial kernel lies in [low, high] times the exponential one."""
        p = self.parameters
        if p.bounds.signed:
            return relative_error_signed.factors(self.degree, p.logit_max)
        return 1.0 - relative_error.relative_error(self.degree, p.logit_max), 1.0

    def query_error(self, queries: Array) -> Array:
        """From ``kernel_factors``, at the largest weight that the query can give a key."""
        low, high = self.kernel_factors
        p = self.parameters
        largest = np.exp(p.scale * np.linalg.norm(queries, axis=1) * p.key_radius)
        return np.asarray(max(1.0 - low, high - 1.0) * largest)

    def details(self) -> dict[str, Any]:
        return {"degree": self.degree, "features": self.size}

    def to_dict(self) -> dict[str, Any]:
        return {"degree": self.degree}

    def arrays(self) -> dict[str, Array]:
        return {}

    @classmethod
    def from_parts(cls, parameters: Parameters, data: dict[str, Any], arrays: dict[str, Array]) -> PolynomialMap:
        return cls(parameters, data["degree"])


def _plan(dimension: int, degree: int) -> list[tuple[int, int, int, int]]:
    """For every feature with children: its position, its first child, its last coordinate and that one's power.

    Its children multiply it by that coordinate again, then by each later one.
    """
    plan: list[tuple[int, int, int, int]] = []
    level = [(0, 0, 0)]  # (position, last coordinate, its power)
    child = 1
    for _ in range(degree):
        following = []
        for position, last, power in level:
            plan.append((position, child, last, power))
            following.append((child, last, power + 1))
            following += [(child + v - last, v, 1) for v in range(last + 1, dimension)]
            child += dimension - last
        level = following
    return plan

"""The public parameters of a release, and everything that follows from them without looking at the data."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from dpverify.cross_attention.bounds import Bounds
from dpverify.cross_attention.polynomial import PolynomialFeatures
from dpverify.spec import contract
from dpverify.spec.kernel import feature_norm, polynomial_minimum, relative_error, relative_error_signed


@contract(
    relies_on=[
        feature_norm.LEMMA,
        polynomial_minimum.LEMMA,
        relative_error.LEMMA,
        relative_error_signed.LEMMA,
    ]
)
@dataclass(frozen=True)
class Parameters:
    """Public: shapes, bounds, logit scale, degree.

    Attributes:
        rows: n, number of keys.
        dimension: d of keys and queries.
        columns: d_v of values.
        scale: of the logits.
        degree: of the polynomial kernel.
    """

    rows: int
    dimension: int
    columns: int
    scale: float
    degree: int
    bounds: Bounds

    @cached_property
    def features(self) -> PolynomialFeatures:
        return PolynomialFeatures(self.dimension, self.degree, self.scale)

    @property
    def logit_max(self) -> float:
        """Largest |scale <q, k>| of the domain."""
        product = self.bounds.key * self.bounds.query
        return self.scale * product * (1 if self.bounds.shape == "ball" else self.dimension) * (1 + 2.0**-50)

    @property
    def weight_min(self) -> float:
        """Smallest attention weight exp(scale <q, k>) of the domain."""
        return math.exp(-self.logit_max) if self.bounds.signed else 1.0

    @property
    def kernel_factors(self) -> tuple[float, float]:
        """(low, high): the polynomial kernel lies in [low, high] times the exponential one."""
        if self.bounds.signed:
            return relative_error_signed.factors(self.degree, self.logit_max)
        return 1.0 - relative_error.relative_error(self.degree, self.logit_max), 1.0

    def feature_norm(self, bound: float) -> float:
        """Largest |P(x)|_2 for rows with that bound, rounded up."""
        radius = self.bounds.radius(bound, self.dimension) * (1 + 2.0**-50)
        square = feature_norm.norm_squared_bound(self.degree, self.scale, radius)
        return math.nextafter(math.sqrt(square), math.inf)

    @property
    def key_kernel_min(self) -> float:
        """Lower bound on the polynomial kernel between two keys, before rounding of the features."""
        if not self.bounds.signed:
            return 1.0
        radius = self.bounds.radius(self.bounds.key, self.dimension)
        return polynomial_minimum.minimum(self.degree, self.scale * radius * radius * (1 + 2.0**-49))

    @property
    def value_norm(self) -> float:
        """Largest l2 norm of a value row."""
        return self.bounds.radius(self.bounds.value, self.columns) * (1 + 2.0**-50)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Parameters:
        return cls(**{**data, "bounds": Bounds(**data["bounds"])})

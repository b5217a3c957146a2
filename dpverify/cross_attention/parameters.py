"""The public parameters of a release, and everything that follows from them without looking at the data."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from dpverify.cross_attention.bounds import Bounds


@dataclass(frozen=True)
class Parameters:
    """Public: shapes, bounds, logit scale.

    Attributes:
        rows: n, number of keys.
        dimension: d of keys and queries.
        columns: d_v of values.
        scale: of the logits.
    """

    rows: int
    dimension: int
    columns: int
    scale: float
    bounds: Bounds

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
    def key_radius(self) -> float:
        """Largest l2 norm of a key, rounded up."""
        return self.bounds.radius(self.bounds.key, self.dimension) * (1 + 2.0**-50)

    @property
    def query_radius(self) -> float:
        """Largest l2 norm of a query, rounded up."""
        return self.bounds.radius(self.bounds.query, self.dimension) * (1 + 2.0**-50)

    @property
    def value_norm(self) -> float:
        """Largest l2 norm of a value row."""
        return self.bounds.radius(self.bounds.value, self.columns) * (1 + 2.0**-50)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Parameters:
        return cls(**{**data, "bounds": Bounds(**data["bounds"])})

"""The functional release: one noisy matrix ``sum_i phi(k_i) [v_i, c]^T`` answers every query.

Numerator and normaliser of attention are linear in the features, so Gaussian noise on that matrix is the
functional mechanism of Hall, Rinaldo and Wasserman (JMLR 2013). The noise at a query has standard deviation
sigma |phi(q)|, whatever the number of features and of queries.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.certificate import Certificate, noise_summary
from dpverify.cross_attention.integer_sums import Array, Grids, choose_grids, outer_product_sums
from dpverify.cross_attention.parameters import Parameters
from dpverify.guarantees import Adjacency, ApproxDP
from dpverify.noise import Gaussian
from dpverify.noise.bits import BitSource
from dpverify.noise.grid import coarsen
from dpverify.spec import contract
from dpverify.spec.attention import functional_error, functional_sensitivity, ratio_error_interval

QUERY_CHUNK_BYTES = 1 << 26


@dataclass(frozen=True, eq=False)
class FunctionalState:
    """What is released: public from here on.

    Attributes:
        sums: noisy integers of shape (r, d_v + 1) in steps of ``unit``; the last column is the normaliser's.
        sigma: standard deviation of the noise before rounding.
        coupling: probability that the sampled noise differs from the ideal law anywhere.
    """

    parameters: Parameters
    grids: Grids
    sums: npt.NDArray[np.int64]
    unit: float
    sigma: float
    coupling: float

    def weighted_sums(self, queries: Array) -> tuple[Array, Array]:
        """Noisy ``sum_i a_i(q) v_i``, shape (m, d_v), and ``sum_i a_i(q)``, shape (m,)."""
        features = self.parameters.features
        scale = np.full(self.sums.shape[1], self.unit)
        scale[-1] /= self.grids.normaliser_weight
        matrix = self.sums * scale
        out = np.empty((len(queries), self.sums.shape[1]))
        step = max(1, QUERY_CHUNK_BYTES // (8 * features.size))
        for start in range(0, len(queries), step):
            out[start : start + step] = features(queries[start : start + step]).T @ matrix
        return out[:, :-1], out[:, -1]

    @property
    def denominator_min(self) -> float:
        """Public lower bound on the normaliser of any query of the domain; 0 if the degree is too low for one."""
        return self.parameters.rows * self.parameters.weight_min * max(0.0, self._kernel_factors()[0])

    def error_bound(self, failure_probability: float) -> float:
        """Bound on the largest entry of |answer - exact attention| for one query, over the whole domain."""
        p = self.parameters
        low, high = self._kernel_factors()
        remaining = failure_probability - self.coupling
        if low <= 0 or remaining <= 0:
            return 2.0 * p.bounds.value
        noise = functional_error.deviation(
            self.sigma,
            p.feature_norm(p.bounds.query),
            p.bounds.value,
            self.grids.normaliser_weight,
            p.columns,
            remaining,
            self.denominator_min,
        )
        # the sums and the noise were rounded to the noise's grid: half a step each, in every entry
        rounding = self.unit * math.sqrt(p.features.size) * p.feature_norm(p.bounds.query)
        rounding *= (1.0 + p.bounds.value / self.grids.normaliser_weight) / self.denominator_min
        approximation = ratio_error_interval.absolute_error(low, high, p.bounds.value)
        return min(2.0 * p.bounds.value, approximation + self.grids.value + noise + rounding)

    def _kernel_factors(self) -> tuple[float, float]:
        """The kernel's factors, widened by the rounding of the keys' features to their grid."""
        p = self.parameters
        low, high = p.kernel_factors
        step = self.grids.feature * math.sqrt(p.features.size) * p.feature_norm(p.bounds.query) / p.weight_min
        return low - step, high + step

    def to_dict(self) -> dict[str, Any]:
        return {
            "parameters": self.parameters.to_dict(),
            "grids": asdict(self.grids),
            "unit": self.unit,
            "sigma": self.sigma,
            "coupling": self.coupling,
        }

    def arrays(self) -> dict[str, npt.NDArray[np.int64]]:
        return {"sums": self.sums}

    @classmethod
    def from_parts(cls, data: dict[str, Any], arrays: dict[str, npt.NDArray[np.int64]]) -> FunctionalState:
        parameters = Parameters.from_dict(data["parameters"])
        sums = arrays["sums"]
        if sums.shape != (parameters.features.size, parameters.columns + 1):
            raise ValueError(f"sums have shape {sums.shape}")
        return cls(parameters, Grids(**data["grids"]), sums, data["unit"], data["sigma"], data["coupling"])


@contract(relies_on=[functional_sensitivity.LEMMA, functional_error.LEMMA, ratio_error_interval.LEMMA])
def release_functional(
    keys: Array,
    values: Array,
    parameters: Parameters,
    claim: ApproxDP,
    normaliser_weight: float | None,
    bits: BitSource,
) -> tuple[FunctionalState, Certificate]:
    """Build the noisy matrix and its certificate from rows that lie inside the bounds."""
    weight = best_normaliser_weight(parameters) if normaliser_weight is None else normaliser_weight
    grids = choose_grids(parameters, weight)
    sensitivity = sensitivity_on_grid(parameters, grids)
    entries = parameters.features.size * (parameters.columns + 1)
    noise = Gaussian(sensitivity, claim, draws=entries)
    if noise.grid < grids.unit:  # the sums are no finer than this, so rounding them again would cost nothing
        noise = Gaussian(sensitivity, claim, draws=entries, grid=grids.unit, on_grid=True)
    exact = outer_product_sums(keys, values, parameters, grids)
    coarser = round(math.log2(noise.grid / grids.unit))
    sums = coarsen(exact, coarser) + noise.sample_steps(exact.shape, bits)
    coupling = entries * noise.law.total_variation
    state = FunctionalState(parameters, grids, sums, noise.grid, noise.sigma, coupling)
    certificate = Certificate(
        mechanism="attention, functional release of polynomial features",
        claim=claim,
        adjacency=Adjacency.REPLACE_ONE,
        delta_upper=noise.delta(claim.epsilon),
        noise=noise_summary(noise),
        charges={
            "rounding share of sensitivity": noise.rounding_charge,
            "table's share of delta": noise.table_charge,
        },
        private=bits.private,
        details={
            "rows": parameters.rows,
            "l2 sensitivity": sensitivity,
            "normaliser weight": grids.normaliser_weight,
            "degree": parameters.degree,
            "features": parameters.features.size,
            "logit scale": parameters.scale,
        },
    )
    return state, certificate


def sensitivity_on_grid(parameters: Parameters, grids: Grids) -> float:
    """l2 sensitivity of the rounded sums, in their own unit of measure, rounded up.

    The integer norms are exact. Rounding moves a kernel value between two keys by at most 2 b sqrt(r) steps of
    the feature grid; a share 1e-9 of b^2 more covers the float evaluation of clipping and of the features.
    """
    kernel_max = grids.feature_norm2 * grids.feature**2
    b = parameters.feature_norm(parameters.bounds.key)
    moved = 2.0 * b * math.sqrt(parameters.features.size) * grids.feature + 1e-9 * b * b
    value_norm = math.nextafter(math.sqrt(grids.value_norm2), math.inf) * grids.value
    return functional_sensitivity.l2(kernel_max, parameters.key_kernel_min - moved, value_norm, grids.normaliser_weight)


def best_normaliser_weight(parameters: Parameters) -> float:
    """The weight c with the least noise in an answer, sensitivity(c) sqrt(1 + (V/c)^2); from public numbers."""
    from scipy.optimize import minimize_scalar  # slow to import, and needed here only

    b2 = parameters.feature_norm(parameters.bounds.key) ** 2
    kernel_min, norm, bound = parameters.key_kernel_min, parameters.value_norm, parameters.bounds.value

    def noise(log_weight: float) -> float:
        c = math.exp(log_weight)
        return functional_sensitivity.l2(b2, kernel_min, norm, c) * math.hypot(1.0, bound / c)

    centre = math.log(norm)
    grid = np.linspace(centre - 5.0, centre + 3.0, 81)
    start = float(grid[int(np.argmin([noise(float(x)) for x in grid]))])
    found = minimize_scalar(noise, bounds=(start - 0.1, start + 0.1), method="bounded")
    return math.exp(float(found.x) if found.fun < noise(start) else start)

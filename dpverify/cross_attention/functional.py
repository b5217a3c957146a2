"""The functional release: one noisy matrix ``sum_i phi(k_i) [v_i, c]^T`` answers every query.

Numerator and normaliser of attention are linear in the features, so Gaussian noise on that matrix is the
functional mechanism of Hall, Rinaldo and Wasserman (JMLR 2013). The noise at a query has standard deviation
sigma |phi(q)|, whatever the number of features and of queries.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.certificate import Certificate, noise_summary
from dpverify.cross_attention import accuracy, domain_bound
from dpverify.cross_attention.answers import Margins, NoisySums
from dpverify.cross_attention.feature_maps import FeatureMap
from dpverify.cross_attention.integer_sums import Array, Grids, choose_grids, outer_product_sums
from dpverify.cross_attention.nystrom import NystromMap
from dpverify.cross_attention.parameters import Parameters
from dpverify.cross_attention.polynomial import PolynomialMap
from dpverify.cross_attention.random_features import PositiveRandomMap
from dpverify.guarantees import Adjacency, ApproxDP
from dpverify.noise import Gaussian
from dpverify.noise.bits import BitSource
from dpverify.noise.grid import ROUNDING_CHARGE, coarsen, power_of_two_below
from dpverify.spec import contract
from dpverify.spec.attention import functional_sensitivity
from dpverify.spec.noise import grid_rounding

MAPS: tuple[type[PolynomialMap] | type[NystromMap] | type[PositiveRandomMap], ...] = (
    PolynomialMap,
    NystromMap,
    PositiveRandomMap,
)


@dataclass(frozen=True, eq=False)
class FunctionalState:
    """What is released: public from here on.

    Attributes:
        sums: noisy integers of shape (r, d_v + 1) in steps of ``unit``; the last column is the normaliser's.
        sigma: standard deviation of the noise before rounding.
        coupling: probability that the sampled noise differs from the ideal law anywhere.
    """

    features: FeatureMap
    grids: Grids
    sums: npt.NDArray[np.int64]
    unit: float
    sigma: float
    coupling: float

    @property
    def parameters(self) -> Parameters:
        return self.features.parameters

    def weighted_sums(self, queries: Array) -> tuple[Array, Array]:
        """Noisy ``sum_i a_i(q) v_i``, shape (m, d_v), and ``sum_i a_i(q)``, shape (m,)."""
        sums = self.noisy_sums(queries)
        return sums.numerators, sums.normalisers

    def noisy_sums(self, queries: Array) -> NoisySums:
        """What the release says of queries of shape (m, d)."""
        scale = np.full(self.sums.shape[1], self.unit)
        scale[-1] /= self.grids.normaliser_weight
        matrix = self.sums * scale
        out, norms = np.empty((len(queries), self.sums.shape[1])), np.empty(len(queries))
        for part in accuracy.chunks(queries, self.features.size):
            phi = self.features(queries[part])
            out[part] = phi.T @ matrix
            norms[part] = np.sqrt(np.einsum("ij,ij->j", phi, phi))
        least = accuracy.normaliser_min(self.features, queries, self._moved(norms))
        std = self.sigma * norms
        return NoisySums(out[:, :-1], out[:, -1], std, std / self.grids.normaliser_weight, least)

    def margins(self, queries: Array, failure_probability: float, *, adaptive: bool) -> Margins:
        """See :class:`dpverify.cross_attention.accuracy.Answering`."""
        p, weight = self.parameters, self.grids.normaliser_weight
        norms, sums = np.empty(len(queries)), np.empty(len(queries))
        for part in accuracy.chunks(queries, self.features.size):
            phi = self.features(queries[part])
            norms[part], sums[part] = np.sqrt(np.einsum("ij,ij->j", phi, phi)), np.abs(phi).sum(axis=0)
        noise = accuracy.gaussian_margins(
            p,
            self.sigma * norms,
            weight,
            failure_probability,
            adaptive=adaptive,
            smooth_std=self._smooth_std(queries, norms),
            features=self.features.size,
        )
        bias, beyond = accuracy.kernel_margins(self.features, queries, self._moved(norms))
        # the sums and the noise were rounded to the noise's grid: half a step each, in every entry
        rounding = self.unit * sums * (1.0 + p.bounds.value / weight)
        return replace(noise, constant=noise.constant + rounding, bias=bias, beyond=beyond + self.grids.value)

    def _moved(self, norms: Array) -> Array:
        """How far rounding of the keys' features can move a weight, for queries with those feature norms."""
        return self.grids.feature * math.sqrt(self.features.size) * norms

    def _smooth_std(self, queries: Array, norms: Array) -> Array | None:
        if isinstance(self.features, PolynomialMap):
            return self.sigma * norms
        if isinstance(self.features, NystromMap):
            own = np.exp(self.parameters.scale * (queries * queries).sum(axis=1))
            return np.asarray(self.sigma * np.sqrt((1.0 + self.features.excess) * own))
        return None

    @property
    def denominator_min(self) -> float:
        """Public lower bound on the normaliser of any query of the domain; it keeps answers finite."""
        return domain_bound.denominator_min(self)

    def error_bound(self, failure_probability: float) -> float:
        """Bound on the largest entry of |answer - exact attention| for one query, over the whole domain."""
        return domain_bound.domain_bound(self, failure_probability, simultaneous=False)

    def simultaneous_error_bound(self, failure_probability: float) -> float:
        """The same for all queries of the domain at once."""
        return domain_bound.domain_bound(self, failure_probability, simultaneous=True)

    def to_dict(self) -> dict[str, Any]:
        return {
            "parameters": self.parameters.to_dict(),
            "map": self.features.kind,
            "features": self.features.to_dict(),
            "grids": asdict(self.grids),
            "unit": self.unit,
            "sigma": self.sigma,
            "coupling": self.coupling,
        }

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {"sums": self.sums, **self.features.arrays()}

    @classmethod
    def from_parts(cls, data: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> FunctionalState:
        parameters = Parameters.from_dict(data["parameters"])
        kinds = {known.kind: known for known in MAPS}
        features = kinds[data["map"]].from_parts(parameters, data["features"], arrays)
        sums = arrays["sums"]
        if sums.shape != (features.size, parameters.columns + 1) or sums.dtype != np.int64:
            raise ValueError(f"sums have shape {sums.shape} and dtype {sums.dtype}")
        return cls(features, Grids(**data["grids"]), sums, data["unit"], data["sigma"], data["coupling"])


@contract(relies_on=[functional_sensitivity.LEMMA])
def release_functional(
    blocks: Iterable[tuple[Array, Array]],
    features: FeatureMap,
    claim: ApproxDP,
    normaliser_weight: float | None,
    bits: BitSource,
) -> tuple[FunctionalState, Certificate]:
    """Build the noisy matrix and its certificate from blocks of rows that lie inside the bounds."""
    prepared = prepare(features, normaliser_weight)
    noise = Gaussian(prepared.covered, claim, draws=prepared.entries, grid=prepared.noise_grid, on_grid=True)
    return release_prepared(blocks, prepared, claim, noise, bits)


@dataclass(frozen=True)
class Prepared:
    """A release before its rows are read and its noise is scaled, from public numbers alone.

    Attributes:
        sensitivity: l2, of the sums on their grids.
        noise_grid: the sums are rounded to it before they get noise.
        covered: l2 sensitivity after that: what the noise has to cover.
        entries: numbers that get noise.
    """

    features: FeatureMap
    grids: Grids
    sensitivity: float
    noise_grid: float
    covered: float
    entries: int


@contract(relies_on=[grid_rounding.LEMMA])
def prepare(features: FeatureMap, normaliser_weight: float | None) -> Prepared:
    """Choose the weight c, the grids and the noise's grid; the last costs at most 0.1 % of the sensitivity."""
    weight = best_normaliser_weight(features) if normaliser_weight is None else normaliser_weight
    grids = choose_grids(features, weight)
    sensitivity = sensitivity_on_grid(features, grids)
    entries = features.size * (features.parameters.columns + 1)
    wanted = power_of_two_below(sensitivity * ROUNDING_CHARGE / math.sqrt(entries))
    if wanted <= grids.unit:  # the sums lie on this grid already, and a finer one would gain nothing
        return Prepared(features, grids, sensitivity, grids.unit, sensitivity, entries)
    covered = grid_rounding.l2(sensitivity, wanted, entries)
    return Prepared(features, grids, sensitivity, wanted, covered, entries)


def release_prepared(
    blocks: Iterable[tuple[Array, Array]], prepared: Prepared, claim: ApproxDP, noise: Gaussian, bits: BitSource
) -> tuple[FunctionalState, Certificate]:
    """Sum the rows exactly and add the noise, which lives on ``prepared.noise_grid``."""
    features, grids, entries = prepared.features, prepared.grids, prepared.entries
    exact = outer_product_sums(blocks, features, grids)
    coarser = round(math.log2(noise.grid / grids.unit))
    sums = coarsen(exact, coarser) + noise.sample_steps(exact.shape, bits)
    coupling = entries * noise.law.total_variation
    state = FunctionalState(features, grids, sums, noise.grid, noise.sigma, coupling)
    certificate = Certificate(
        mechanism=f"attention, functional release of {features.kind} features",
        claim=claim,
        adjacency=Adjacency.REPLACE_ONE,
        delta_upper=noise.delta(claim.epsilon),
        noise=noise_summary(noise),
        charges={
            "rounding share of sensitivity": prepared.covered / prepared.sensitivity - 1.0,
            "table's share of delta": noise.table_charge,
        },
        private=bits.private,
        details={
            "rows": features.parameters.rows,
            "l2 sensitivity": prepared.sensitivity,
            "normaliser weight": grids.normaliser_weight,
            **features.details(),
            "logit scale": features.parameters.scale,
        },
    )
    return state, certificate


def sensitivity_on_grid(features: FeatureMap, grids: Grids) -> float:
    """l2 sensitivity of the rounded sums, in their own unit of measure, rounded up; the integer norms are exact."""
    kernel_max = grids.feature_norm2 * grids.feature**2
    value_norm = math.nextafter(math.sqrt(grids.value_norm2), math.inf) * grids.value
    return features.sensitivity(kernel_max, grids.feature, value_norm, grids.normaliser_weight)


def best_normaliser_weight(features: FeatureMap) -> float:
    """The weight c with the least noise in an answer; from public numbers."""
    b2 = features.norm(features.parameters.bounds.key) ** 2
    return least_noise_weight(features.parameters, lambda norm, c: features.sensitivity(b2, 0.0, norm, c))


def least_noise_weight(parameters: Parameters, sensitivity: Callable[[float, float], float]) -> float:
    """The c that minimises sensitivity(V, c) sqrt(1 + (V/c)^2), with V the bound on value rows and on their entries."""
    from scipy.optimize import minimize_scalar  # slow to import, and needed here only

    norm, bound = parameters.value_norm, parameters.bounds.value

    def noise(log_weight: float) -> float:
        c = math.exp(log_weight)
        return sensitivity(norm, c) * math.hypot(1.0, bound / c)

    centre = math.log(norm)
    grid = np.linspace(centre - 5.0, centre + 3.0, 81)
    start = float(grid[int(np.argmin([noise(float(x)) for x in grid]))])
    found = minimize_scalar(noise, bounds=(start - 0.1, start + 0.1), method="bounded")
    return math.exp(float(found.x) if found.fun < noise(start) else start)

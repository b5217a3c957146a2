"""Error bounds of a functional release for any query of the domain: how small can a normaliser be?

Publicly each weight is at least ``exp(-scale R_q R_k)``, as if all keys lay opposite to the query. The matrix that was
released tells more: features of degree one add up to the keys' sum, with noise of known law, and no normaliser is below
the one it would have if every key were the mean key (lemma ``attention.normaliser_from_mean``).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from dpverify.cross_attention.polynomial import PolynomialMap
from dpverify.spec import contract
from dpverify.spec.adaptive import gaussian_supremum
from dpverify.spec.attention import (
    functional_error,
    functional_error_simultaneous,
    noisy_ratio_clamped,
    normaliser_from_mean,
    ratio_error_interval,
)

if TYPE_CHECKING:
    from dpverify.cross_attention.functional import FunctionalState

LOOKING = 0.1  # share of the failure probability that goes to a lower bound on the normaliser
EVALUATED = 1.0 + 1e-12  # for a few float operations


@contract(
    relies_on=[
        functional_error.LEMMA,
        functional_error_simultaneous.LEMMA,
        noisy_ratio_clamped.LEMMA,
        ratio_error_interval.LEMMA,
    ]
)
def domain_bound(state: FunctionalState, failure_probability: float, *, simultaneous: bool) -> float:
    """Bound on the largest entry of |answer - exact attention|: for any one query, or for all of them at once.

    The span of the values where the features' kernel has no proven factor above 0.
    """
    p, weight = state.parameters, state.grids.normaliser_weight
    low, high = kernel_factors(state)
    remaining = failure_probability - state.coupling
    if low <= 0 or remaining <= 0:
        return p.bounds.value_span
    least = denominator_min(state)
    if tells_mean(state):
        share = LOOKING * remaining
        remaining -= share
        least = max(least, divisor_min(state, share, simultaneous=simultaneous))
    noise = _deviation(state, p.bounds.value, p.columns, remaining, simultaneous=simultaneous)
    approximation = ratio_error_interval.absolute_error(low, high, p.bounds.value)
    error = approximation + state.grids.value + (noise + _rounding(state, p.bounds.value / weight)) / least
    return min(p.bounds.value_span, error)


def denominator_min(state: FunctionalState) -> float:
    """Public lower bound on the normaliser of any query of the domain.

    Where the features' kernel has no proven one, that of exact attention: it keeps answers finite.
    """
    p, (low, _) = state.parameters, kernel_factors(state)
    return p.rows * p.weight_min * (low if low > 0 else 1.0)


def kernel_factors(state: FunctionalState) -> tuple[float, float]:
    """The kernel's factors, widened by the rounding of the keys' features to their grid."""
    p, features = state.parameters, state.features
    low, high = features.kernel_factors
    step = state.grids.feature * math.sqrt(features.size) * features.norm(p.bounds.query) / p.weight_min
    return low - step, high + step


@contract(relies_on=[normaliser_from_mean.LEMMA])
def divisor_min(state: FunctionalState, failure_probability: float, *, simultaneous: bool) -> float:
    """Lower bound on the noisy normaliser, and on the noise-free one, of any one query or of all at once.

    Half of the probability goes to the mean key, half to the noise of the normaliser.
    """
    p, weight, share = state.parameters, state.grids.normaliser_weight, failure_probability / 2.0
    low, _ = kernel_factors(state)
    normaliser = low * normaliser_from_mean.least(p.rows, p.scale, p.bounds.query, mean_size(state, share))
    return normaliser - (_deviation(state, 0.0, 1, share, simultaneous=simultaneous) + _rounding(state, 0.0)) / weight


def tells_mean(state: FunctionalState) -> bool:
    """Whether the release holds a sum of the keys that says more of normalisers than their public minimum does."""
    return state.parameters.bounds.signed and isinstance(state.features, PolynomialMap) and state.features.degree > 0


@contract(relies_on=[gaussian_supremum.LEMMA])
def mean_size(state: FunctionalState, failure_probability: float) -> float:
    """Upper bound on the dual size of the mean key (``normaliser_from_mean.dual_size``), but for that probability.

    The released sums are off by the noise, whose length has a chi law, by the rounding of every key's feature, and by a
    step of the noise's grid.
    """
    p, weight = state.parameters, state.grids.normaliser_weight
    shape, ones = p.bounds.shape, np.ones(p.dimension)
    seen = state.sums[1 : p.dimension + 1, -1].astype(np.float64) * (state.unit / weight)  # sum of sqrt(scale) keys
    rounded = (p.rows * state.grids.feature + state.unit / weight) * normaliser_from_mean.dual_size(ones, shape)
    length = gaussian_supremum.supremum(math.inf, shape, p.bounds.query, p.dimension, p.dimension, failure_probability)
    widest = 1.0 if shape == "ball" else math.sqrt(p.dimension)  # of the dual size over the length
    noise = widest * length * state.sigma / weight
    size = (normaliser_from_mean.dual_size(seen, shape) + rounded + noise) * EVALUATED
    return size / (p.rows * math.sqrt(p.scale))


def _deviation(
    state: FunctionalState, value_bound: float, columns: int, failure_probability: float, *, simultaneous: bool
) -> float:
    """How far noise moves ``numerator - answer * normaliser``, for so many columns and answers up to the bound."""
    p = state.parameters
    largest = state.features.norm(p.bounds.query)
    sizes = (state.sigma, largest, value_bound, state.grids.normaliser_weight, columns, failure_probability, 1.0)
    if not simultaneous:
        return functional_error.deviation(*sizes)
    return functional_error_simultaneous.simultaneous_deviation(
        *sizes,
        scale=p.scale if isinstance(state.features, PolynomialMap) else None,
        shape=p.bounds.shape,
        radius=p.bounds.query,
        dimension=p.dimension,
        features=state.features.size,
    )


def _rounding(state: FunctionalState, ratio: float) -> float:
    """Of the sums and of the noise, half a step of the noise's grid each, in every entry; ratio: |answer| / c."""
    largest = state.features.norm(state.parameters.bounds.query)
    return state.unit * math.sqrt(state.features.size) * largest * (1.0 + ratio)

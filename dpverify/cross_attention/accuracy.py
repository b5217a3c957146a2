"""Error bounds for given queries, from public numbers: their own features, and the noisy sums that were released."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from dpverify.cross_attention.answers import Margins, NoisySums
from dpverify.cross_attention.feature_maps import FeatureMap
from dpverify.cross_attention.parameters import Parameters
from dpverify.cross_attention.polynomial import PolynomialMap
from dpverify.spec import contract
from dpverify.spec.adaptive import gaussian_supremum, simultaneous_accuracy
from dpverify.spec.attention import answer_confidence, functional_error, ratio_error_interval
from dpverify.spec.kernel import feature_lipschitz, relative_error, relative_error_signed

Array = npt.NDArray[np.float64]
Simultaneous = bool | Literal["adaptive"]
CHUNK_BYTES = 1 << 23  # of features at a time, so that they stay in cache
LEVELS = 64  # at which a polynomial kernel's error is computed; a query's logit is rounded up to one
INWARD = 1.0 - 1e-12  # for what a few float operations may have moved


class Answering(Protocol):
    """What the bounds need of a mechanism's state."""

    @property
    def parameters(self) -> Parameters: ...
    @property
    def coupling(self) -> float:
        """Probability that the sampled noise differs from its ideal law anywhere."""
        ...

    def noisy_sums(self, queries: Array) -> NoisySums: ...
    def margins(self, queries: Array, failure_probability: float, *, adaptive: bool) -> Margins:
        """Margins that hold at each query for all columns, but for that probability; adaptive: at all at once."""
        ...


@contract(relies_on=[answer_confidence.LEMMA, simultaneous_accuracy.LEMMA])
def query_bounds(state: Answering, queries: Array, failure_probability: float, simultaneous: Simultaneous) -> Array:
    """Bounds on the largest entry of |answer - exact attention| at each query, shape (m,).

    Args:
        queries: shape (m, d), inside the bounds.
        failure_probability: of each bound; of any of them if ``simultaneous``. True: a union bound, for queries
            fixed before any answer was seen; "adaptive": whatever they were chosen from.
    """
    bounds = state.parameters.bounds
    remaining = failure_probability - state.coupling
    if remaining <= 0.0:
        return np.full(len(queries), bounds.value_span)
    if simultaneous is True and len(queries):
        remaining = simultaneous_accuracy.per_point(remaining, len(queries))
    sums = state.noisy_sums(queries)
    margins = state.margins(queries, remaining, adaptive=simultaneous == "adaptive")
    per_query = (
        sums.normalisers,
        sums.normaliser_min,
        margins.numerator,
        margins.normaliser,
        margins.constant,
        margins.bias,
    )
    columns = (column[:, None] for column in per_query)
    far = answer_confidence.farthest(sums.numerators, *columns, low=bounds.value_low, high=bounds.value)
    return np.asarray(np.minimum(far.max(axis=1) + margins.beyond, bounds.value_span))


def logit_reach(parameters: Parameters, queries: Array) -> Array:
    """Largest |scale <q, k>| over all keys, shape (m,), rounded up."""
    p = parameters
    if p.bounds.shape == "ball":
        reach = p.scale * p.key_radius * np.linalg.norm(queries, axis=1)
    else:
        reach = p.scale * p.bounds.key * np.abs(queries).sum(axis=1)
    return np.asarray(reach / INWARD)


def weight_min(parameters: Parameters, queries: Array) -> Array:
    """Least exp(scale <q, k>) over all keys, shape (m,), rounded down."""
    if not parameters.bounds.signed:
        return np.ones(len(queries))
    return np.asarray(np.exp(-logit_reach(parameters, queries)) * INWARD)


@contract(relies_on=[relative_error.LEMMA, relative_error_signed.LEMMA])
def kernel_factors(features: FeatureMap, queries: Array, moved: Array) -> tuple[Array, Array]:
    """(low, high), each of shape (m,): ``<phi(q), phi(k)>`` is within these factors of the kernel, for every key.

    Args:
        moved: how far rounding of the keys' features to their grid moves a weight, shape (m,).
    """
    p = features.parameters
    if isinstance(features, PolynomialMap):
        table = polynomial_factors(features.degree, p.logit_max, p.bounds.signed)
        level = np.ceil(logit_reach(p, queries) / p.logit_max * LEVELS).astype(np.int64)
        low, high = table[np.minimum(level, LEVELS)].T
    else:
        low, high = (np.full(len(queries), factor) for factor in features.kernel_factors)
    step = moved / weight_min(p, queries)
    return low - step, high + step


def normaliser_min(features: FeatureMap, queries: Array, moved: Array) -> Array:
    """Public lower bound on the noise-free normaliser of each query, shape (m,); that of exact attention where the
    features have no proven factor > 0 (lemma ``attention.answer_confidence`` then counts what they add as a bias)."""
    low, _ = kernel_factors(features, queries, moved)
    return features.parameters.rows * weight_min(features.parameters, queries) * np.where(low > 0.0, low, 1.0)


@contract(relies_on=[ratio_error_interval.LEMMA])
def kernel_margins(features: FeatureMap, queries: Array, moved: Array) -> tuple[Array, Array]:
    """What the features' kernel adds at each query: (bias, beyond), each of shape (m,).

    Where proven factors are positive, the answer under the features' kernel is at most ``beyond`` from exact
    attention. Elsewhere every weight is off by at most ``query_error``: a bias of the sums themselves. Which of the
    two is used follows from public numbers alone, so no probability is split between them.
    """
    p = features.parameters
    low, high = kernel_factors(features, queries, moved)
    proven = low > 0.0
    errors = [
        ratio_error_interval.absolute_error(*pair, p.bounds.value)
        for pair in zip(low[proven].tolist(), high[proven].tolist(), strict=True)
    ]
    bias, beyond = np.zeros(len(queries)), np.zeros(len(queries))
    beyond[proven] = errors
    if not proven.all():
        bias[~proven] = p.rows * (features.query_error(queries[~proven]) + moved[~proven])
    return bias, beyond


@lru_cache(maxsize=64)
def polynomial_factors(degree: int, logit_max: float, signed: bool) -> Array:
    """Factors at logits 0, 1/LEVELS, ..., 1 of the largest, shape (LEVELS + 1, 2)."""
    made = [(1.0, 1.0)]
    for x in (logit_max * np.arange(1, LEVELS + 1) / LEVELS).tolist():
        if signed:
            made.append(relative_error_signed.factors(degree, x))
        else:
            made.append((1.0 - relative_error.relative_error(degree, x), 1.0))
    return np.array(made)


@contract(relies_on=[functional_error.LEMMA, gaussian_supremum.LEMMA, feature_lipschitz.LEMMA])
def gaussian_margins(
    parameters: Parameters,
    numerator_std: Array,
    normaliser_weight: float,
    failure_probability: float,
    *,
    adaptive: bool,
    smooth_std: Array | None = None,
    features: int | None = None,
) -> Margins:
    """Margins of Gaussian noise ``<phi(q), N>`` on numerators and ``<phi(q), N'> / c`` on the normaliser.

    Args:
        numerator_std: sigma |phi(q)|, shape (m,).
        adaptive: for all queries of the domain at once, whatever they were chosen from.
        smooth_std: sigma times the norm divided by which phi(q) changes at most sqrt(scale) times as fast as q; None
            if nothing is known of it.
        features: their number; None if there is no end to them.
    """
    p, zero = parameters, np.zeros(len(numerator_std))
    if not adaptive:
        quantile = functional_error.deviation(1.0, 1.0, 0.0, 1.0, p.columns, failure_probability, 1.0)
        return Margins(zero, quantile * numerator_std, quantile * numerator_std / normaliser_weight, zero, zero)
    domain = (p.bounds.shape, p.bounds.query, p.dimension)
    share = failure_probability / (2.0 * p.columns)  # both ends of the range of answers, in every column
    chained = chi = math.inf
    if smooth_std is not None:
        chained = gaussian_supremum.supremum(feature_lipschitz.lipschitz(p.scale), *domain, None, share)
    if features is not None:
        chi = gaussian_supremum.supremum(math.inf, *domain, features, share)
    # one of the two for all queries: either event has the whole probability
    constant = chi * numerator_std if smooth_std is None or chi <= chained else chained * smooth_std
    return Margins(constant * math.hypot(1.0, p.bounds.value / normaliser_weight), zero, zero, zero, zero)


def chunks(queries: Array, size: int) -> Iterator[slice]:
    """Parts of the queries whose ``size`` features each fit the working memory."""
    step = max(1, CHUNK_BYTES // (8 * size))
    for start in range(0, len(queries), step):
        yield slice(start, start + step)

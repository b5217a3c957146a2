"""How far off the lazy release's answers may be: its noise is a Gaussian process with the kernel's covariance."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from dpverify.cross_attention import accuracy
from dpverify.cross_attention.answers import Margins
from dpverify.cross_attention.integer_sums import Grids
from dpverify.cross_attention.lazy_kernel import LazyKernel
from dpverify.noise import Gaussian
from dpverify.spec import contract
from dpverify.spec.attention import functional_error, functional_error_simultaneous

Array = npt.NDArray[np.float64]


@contract(relies_on=[functional_error.LEMMA, functional_error_simultaneous.LEMMA])
@dataclass(frozen=True)
class LazyAccuracy:
    """Bounds from public numbers alone: what is asked, and answered, changes nothing here."""

    kernel: LazyKernel
    grids: Grids
    noise: Gaussian

    @property
    def coupling(self) -> float:
        """Probability that the sampled noise differs from its ideal law anywhere."""
        return self.noise.draws * self.noise.law.total_variation

    @property
    def denominator_min(self) -> float:
        """Public lower bound on the normaliser of any query of the domain."""
        return self.kernel.parameters.rows * self.kernel.parameters.weight_min

    @property
    def std(self) -> float:
        """Of an answer's noise at a query of norm 1; rounding of the factor adds no more than the covering jitter."""
        kernel = self.kernel
        return self.noise.sigma * math.sqrt(1.0 + kernel.jitter + kernel.covering_jitter)

    @property
    def _rounding(self) -> float:
        """At a query of norm 1: rounding of coefficients and noise, a step in each, times the factor's row."""
        ratio = self.kernel.parameters.bounds.value / self.grids.normaliser_weight
        return self.noise.grid * math.sqrt(2.0 * self.kernel.max_queries) * (1.0 + ratio)

    def error_bound(self, failure_probability: float) -> float:
        """Bound on the largest entry of |answer - exact attention| for one query, over the whole domain."""
        remaining = failure_probability - self.coupling
        if remaining <= 0.0:
            return self.kernel.parameters.bounds.value_span
        return self._bound(functional_error.deviation(*self._sizes(self.std), remaining, self.denominator_min))

    def simultaneous_error_bound(self, failure_probability: float) -> float:
        """The same for all queries that are asked at once: for the process by its supremum over the domain, for each
        query's own jitter by a union bound over ``max_queries``."""
        p, half = self.kernel.parameters, (failure_probability - self.coupling) / 2.0
        if half <= 0.0:
            return p.bounds.value_span
        process = functional_error_simultaneous.simultaneous_deviation(
            *self._sizes(self.noise.sigma),
            half,
            self.denominator_min,
            scale=self.kernel.query_scale,
            shape=p.bounds.shape,
            radius=p.bounds.query,
            dimension=p.dimension,
            features=None,
        )
        own = functional_error.deviation(
            *self._sizes(self._jitter_std), half / self.kernel.max_queries, self.denominator_min
        )
        return self._bound(process + own)

    @property
    def _jitter_std(self) -> float:
        return self.noise.sigma * math.sqrt(self.kernel.jitter + self.kernel.covering_jitter)

    def _sizes(self, std: float) -> tuple[float, float, float, float, int]:
        p, largest = self.kernel.parameters, math.exp(self.kernel.logit / 2.0)
        return std, largest, p.bounds.value, self.grids.normaliser_weight, p.columns

    def _bound(self, noise: float) -> float:
        p, largest = self.kernel.parameters, math.exp(self.kernel.logit / 2.0)
        weights = 2.0 * p.bounds.value * p.rows * self.kernel.step
        rest = (self._rounding + weights) * largest / self.denominator_min
        return min(p.bounds.value_span, noise + rest + self.grids.value)

    def margins(self, queries: Array, failure_probability: float, *, adaptive: bool) -> Margins:
        """See :class:`dpverify.cross_attention.accuracy.Answering`."""
        p, kernel, weight = self.kernel.parameters, self.kernel, self.grids.normaliser_weight
        norms = kernel.query_norms(queries)
        if adaptive:
            half = failure_probability / 2.0
            std = self.noise.sigma * norms
            found = accuracy.gaussian_margins(
                replace(p, scale=kernel.query_scale), std, weight, half, adaptive=True, smooth_std=std
            )
            own = functional_error.deviation(*self._sizes(self._jitter_std), half / self.kernel.max_queries, 1.0)
            found = replace(found, constant=found.constant + own / math.exp(kernel.logit / 2.0) * norms)
        else:
            found = accuracy.gaussian_margins(p, self.std * norms, weight, failure_probability, adaptive=False)
        return replace(
            found,
            constant=found.constant + self._rounding * norms,
            bias=p.rows * kernel.step * norms,
            beyond=np.full(len(norms), self.grids.value),
        )

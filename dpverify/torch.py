"""A release as a PyTorch layer: differentiable in the queries, private in keys and values.

Everything here is post-processing of numbers that are public already, so training through the layer costs no privacy.
It needs PyTorch (``pip install dpverify[torch]``), and nothing else in the library imports it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

try:
    import torch
    from torch import Tensor
except ModuleNotFoundError as error:
    raise ModuleNotFoundError("dpverify.torch needs PyTorch: pip install 'dpverify[torch]'", name="torch") from error

from dpverify.cross_attention import HeadsRelease, Release, accuracy
from dpverify.cross_attention.bounds import Bounds
from dpverify.cross_attention.feature_maps import FeatureMap
from dpverify.cross_attention.functional import FunctionalState
from dpverify.cross_attention.nystrom import NystromMap
from dpverify.cross_attention.polynomial import PolynomialMap
from dpverify.cross_attention.random_features import PositiveRandomMap
from dpverify.errors import InvalidArgument


class PrivateCrossAttention(torch.nn.Module):
    """Cross-attention to private keys and values through their release: ``layer(query)``.

    The noisy sums and all arrays of the features are buffers, so ``state_dict`` and ``to`` work as usual. They are
    public, and there is nothing to train in the layer itself.

    Answers are those of ``release.query`` up to rounding in ``dtype``: normalisers are never taken below their public
    minimum, and answers are moved into the range of the values. Queries outside the public domain are moved to its
    nearest point, whatever ``out_of_bounds`` says; there the gradient is that of the projection. No warning is given.

    Args:
        release: of ``release_attention`` (with method "functional") or ``release_heads``.
        dtype: of the layer and its queries; None means PyTorch's default.

    Raises:
        InvalidArgument: another method, or a dtype in which the released numbers overflow.
    """

    order: Tensor

    def __init__(self, release: Release | HeadsRelease, *, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        heads, self.leading = (
            (release.heads, release.leading) if isinstance(release, HeadsRelease) else ((release,), ())
        )
        states = [_functional(head) for head in heads]
        self.dimension = states[0].parameters.dimension
        groups: dict[Any, list[int]] = {}  # heads with the same features are computed together
        for j, state in enumerate(states):
            groups.setdefault(_key(state.features), []).append(j)
        self.members = list(groups.values())
        precision = torch.get_default_dtype() if dtype is None else dtype
        self.groups = torch.nn.ModuleList(_Heads([states[j] for j in group], precision) for group in self.members)
        self.register_buffer("order", torch.from_numpy(np.argsort(np.concatenate(self.members))), persistent=False)

    def forward(self, query: Tensor) -> Tensor:
        """Private attention.

        Args:
            query: shape (..., m, d) for a release of one head; (..., *leading, m, d) for several, such as (batch, h,
                m, d), or (m, d): the same for all heads.

        Returns:
            The same shape with d_v in place of d.
        """
        shape = tuple(query.shape)
        if query.ndim < 2 or shape[-1] != self.dimension:
            raise InvalidArgument("query", f"of shape {shape}", f"of shape (..., m, {self.dimension})")
        if query.ndim == 2:
            query = query.expand(*self.leading, *shape)
        batch, leading = query.shape[: query.ndim - 2 - len(self.leading)], query.shape[:-2]
        if tuple(leading[len(batch) :]) != self.leading:
            raise InvalidArgument("query", f"of shape {shape}", f"of shape (..., *{self.leading}, m, {self.dimension})")
        rows = query.reshape(*batch, len(self.order), *query.shape[-2:])
        parts = [heads(rows[..., members, :, :]) for heads, members in zip(self.groups, self.members, strict=True)]
        answers = torch.cat(parts, dim=-3).index_select(-3, self.order)
        return answers.reshape(*leading, *answers.shape[-2:])


class _Heads(torch.nn.Module):
    """Heads with the same features: queries of shape (..., k, m, d) to answers of shape (..., k, m, d_v).

    What ``FunctionalState.noisy_sums`` and ``answers.ratio`` do (lemma ``attention.noisy_ratio_clamped``). It declares
    no contract: the ledger must be the same whether or not PyTorch is there.
    """

    sums: Tensor
    kernel_low: Tensor
    feature_step: Tensor

    def __init__(self, states: Sequence[FunctionalState], dtype: torch.dtype) -> None:
        super().__init__()
        features = states[0].features
        p = features.parameters
        self.parameters_of_release, self.bounds = p, p.bounds
        self.public = {"map": features.kind, "parameters": p.to_dict(), **features.to_dict()}
        self.features = _features(features, dtype)
        self.register_buffer("sums", _tensor(np.stack([_matrix(state) for state in states]), dtype))
        low = np.zeros(accuracy.LEVELS + 1)  # nothing is proven
        if isinstance(features, PolynomialMap):
            low = accuracy.polynomial_factors(features.degree, p.logit_max, p.bounds.signed)[:, 0]
        self.register_buffer("kernel_low", _tensor(low, dtype))
        steps = np.array([state.grids.feature * math.sqrt(features.size) for state in states])
        self.register_buffer("feature_step", _tensor(steps[:, None, None], dtype))
        limits = torch.finfo(dtype)
        largest = features.norm(p.bounds.query) * float(self.sums.abs().max())
        if not (largest < limits.max and p.weight_min > limits.tiny):
            raise InvalidArgument("dtype", dtype, "wide enough for the released sums", "pass torch.float64")

    def forward(self, query: Tensor) -> Tensor:
        rows = _project(query, self.bounds)
        phi = self.features(rows)
        sums = phi @ self.sums
        answers = sums[..., :-1] / torch.maximum(sums[..., -1:], self._normaliser_min(rows, phi))
        return torch.clamp(answers, self.bounds.value_low, self.bounds.value)

    def _normaliser_min(self, rows: Tensor, phi: Tensor) -> Tensor:
        """What ``accuracy.normaliser_min`` computes, shape (..., k, m, 1)."""
        p = self.parameters_of_release
        if p.bounds.shape == "ball":
            reach = p.scale * p.key_radius / accuracy.INWARD * torch.linalg.vector_norm(rows, dim=-1, keepdim=True)
        else:
            reach = p.scale * p.bounds.key / accuracy.INWARD * rows.abs().sum(-1, keepdim=True)
        weight = torch.exp(-reach) * accuracy.INWARD if p.bounds.signed else torch.ones_like(reach)
        level = torch.ceil(reach / p.logit_max * accuracy.LEVELS).clamp(max=accuracy.LEVELS).long()
        moved = self.feature_step * torch.linalg.vector_norm(phi, dim=-1, keepdim=True)
        low = self.kernel_low[level] - moved / weight
        return p.rows * weight * torch.where(low > 0.0, low, 1.0)

    def get_extra_state(self) -> dict[str, Any]:
        """The public parameters, so that buffers are never read under other ones."""
        return self.public

    def set_extra_state(self, state: dict[str, Any]) -> None:
        if state != self.public:
            raise InvalidArgument("state_dict", f"of a release with {state}", f"of one with {self.public}")


class _Polynomial(torch.nn.Module):
    """Each feature is one of the degree before times a coordinate over the root of its power."""

    def __init__(self, features: PolynomialMap, dtype: torch.dtype) -> None:
        super().__init__()
        self.scale, self.degree = math.sqrt(features.parameters.scale), features.degree
        ends = [(0, 0)]  # the last coordinate of each feature of the degree before, and its power
        for level in range(1, self.degree + 1):
            grown = [
                (parent, variable, power + 1 if variable == last else 1)
                for parent, (last, power) in enumerate(ends)
                for variable in range(last, features.parameters.dimension)
            ]
            ends = [(variable, power) for _, variable, power in grown]
            parents = torch.tensor([parent for parent, _, _ in grown])
            factors = torch.tensor([variable * self.degree + power - 1 for variable, power in ends])
            self.register_buffer(f"parent_{level}", parents, persistent=False)
            self.register_buffer(f"factor_{level}", factors, persistent=False)
        roots = np.sqrt(np.arange(1, self.degree + 1))
        self.register_buffer("roots", _tensor(roots, dtype), persistent=False)

    def forward(self, rows: Tensor) -> Tensor:
        factors = ((self.scale * rows)[..., None] / self.get_buffer("roots")).flatten(-2)
        levels = [torch.ones_like(rows[..., :1])]
        for level in range(1, self.degree + 1):
            parent, factor = self.get_buffer(f"parent_{level}"), self.get_buffer(f"factor_{level}")
            levels.append(levels[-1][..., parent] * factors[..., factor])
        return torch.cat(levels, dim=-1)


class _Nystrom(torch.nn.Module):
    landmarks: Tensor
    matrix: Tensor

    def __init__(self, features: NystromMap, dtype: torch.dtype) -> None:
        super().__init__()
        self.scale = features.parameters.scale
        self.register_buffer("landmarks", _tensor(features.landmarks, dtype))
        self.register_buffer("matrix", _tensor(features.matrix, dtype))

    def forward(self, rows: Tensor) -> Tensor:
        return torch.exp(self.scale * (rows @ self.landmarks.T)) @ self.matrix.T


class _PositiveRandom(torch.nn.Module):
    directions: Tensor

    def __init__(self, features: PositiveRandomMap, dtype: torch.dtype) -> None:
        super().__init__()
        bounds = features.parameters.bounds
        self.scale, self.shift = math.sqrt(features.parameters.scale), 0.5 * math.log(features.size)
        self.limit = features.norm(max(bounds.key, bounds.query))
        self.register_buffer("directions", _tensor(features.directions, dtype))

    def forward(self, rows: Tensor) -> Tensor:
        u = self.scale * rows
        phi = torch.exp(u @ self.directions.T - 0.5 * (u * u).sum(-1, keepdim=True) - self.shift)
        norms = torch.linalg.vector_norm(phi, dim=-1, keepdim=True)
        return phi * torch.clamp(self.limit / norms.clamp_min(torch.finfo(phi.dtype).tiny), max=1.0)


def _project(rows: Tensor, bounds: Bounds) -> Tensor:
    """Rows moved into the public domain of queries, as ``Bounds.clip_queries`` does."""
    if bounds.shape != "ball":
        return torch.clamp(rows, 0.0 if bounds.shape == "positive_box" else -bounds.query, bounds.query)
    # in units of the largest entry, so that no square overflows; inside the ball the factor is 1, without a gradient
    unit = rows.detach().abs().amax(-1, keepdim=True).clamp_min(bounds.query)
    norms: Tensor = unit * torch.linalg.vector_norm(rows / unit, dim=-1, keepdim=True)
    factor: Tensor = bounds.query / norms.clamp_min(bounds.query)
    return rows * factor


def _features(features: FeatureMap, dtype: torch.dtype) -> torch.nn.Module:
    if isinstance(features, PolynomialMap):
        return _Polynomial(features, dtype)
    if isinstance(features, NystromMap):
        return _Nystrom(features, dtype)
    if isinstance(features, PositiveRandomMap):
        return _PositiveRandom(features, dtype)
    raise InvalidArgument("release", f"one with {features.kind} features", "one with the library's own features")


def _functional(release: Release) -> FunctionalState:
    if not isinstance(release, Release) or not isinstance(release.state, FunctionalState):
        found = f"one of method={release.method!r}" if isinstance(release, Release) else type(release).__name__
        raise InvalidArgument("release", found, "a release of method='functional', or of release_heads")
    return release.state


def _matrix(state: FunctionalState) -> npt.NDArray[np.float64]:
    """The released sums in the unit of values, and the normaliser's in that of weights; shape (r, d_v + 1)."""
    columns = np.full(state.sums.shape[1], state.unit)
    columns[-1] /= state.grids.normaliser_weight
    return np.asarray(state.sums * columns)


def _key(features: FeatureMap) -> Any:
    """Equal for maps that compute the same."""
    arrays = sorted((name, id(array)) for name, array in features.arrays().items())
    return features.kind, features.parameters, repr(features.to_dict()), tuple(arrays)


def _tensor(array: npt.NDArray[np.float64], dtype: torch.dtype) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(dtype)

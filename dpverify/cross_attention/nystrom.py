"""Nystrom features on public landmarks Z: ``phi(x) = A k(Z, x)`` with ``A K_ZZ A^T`` the identity, nearly.

They project the exponential kernel's feature space onto the span of the landmarks, so the kernel is reproduced at
queries that are landmarks, and elsewhere as well as the landmarks cover the domain. A projection moves no two rows
further apart, which is the whole privacy argument; how far ``A`` is from a projection is computed and charged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.checks import finite_array, positive_integer
from dpverify.cross_attention.parameters import Parameters
from dpverify.cross_attention.public_randomness import random_points
from dpverify.errors import CapacityError, InvalidArgument
from dpverify.spec import contract
from dpverify.spec.attention import functional_sensitivity
from dpverify.spec.kernel import nystrom_contraction, nystrom_norm, nystrom_residual

Array = npt.NDArray[np.float64]
Wide = npt.NDArray[np.longdouble]
UNIT = 2.0**-53
LOGIT_LIMIT = 300.0
CUTOFFS = tuple(10.0**-e for e in range(10, 2, -1))  # of the largest eigenvalue; smaller ones are dropped
EXCESS = 1e-6  # how far beyond 1 the squared norm of the projection may be; what it is, is charged
MAX_LANDMARKS = 4096


@dataclass(frozen=True)
class Nystrom:
    """Kernel features on public landmarks.

    Args:
        landmarks: shape (r, d), *public*: for example the queries that will be asked, or points of public data. Never
            private keys, whose release would be a violation of its own.
        number: instead of landmarks, draw so many at random in the keys' domain.
        rank: keep only so many leading directions of the landmarks' kernel: less noise at a query, more kernel error.
        seed: of that draw; public.
    """

    landmarks: npt.ArrayLike | None = field(default=None, repr=False)
    number: int | None = None
    rank: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if (self.landmarks is None) == (self.number is None):
            raise InvalidArgument(
                "landmarks, number",
                "both given" if self.number is not None else "neither given",
                "given one of the two",
                "pass public points as landmarks, or how many to draw at random as number",
            )
        if self.landmarks is not None:
            object.__setattr__(self, "landmarks", finite_array("landmarks", self.landmarks, rank=2))
        else:
            object.__setattr__(self, "number", positive_integer("number", self.number or 0))
        if self.rank is not None:
            object.__setattr__(self, "rank", positive_integer("rank", self.rank))
        object.__setattr__(self, "seed", positive_integer("seed", self.seed, least=0))

    def build(self, parameters: Parameters) -> NystromMap:
        """The map for one release."""
        if self.landmarks is None:
            points = random_points(parameters, self.number or 0, self.seed)
        else:
            points = np.unique(np.asarray(self.landmarks, dtype=np.float64), axis=0)
        if len(points) == 0 or points.shape[1] != parameters.dimension:
            raise InvalidArgument(
                "landmarks", f"of shape {points.shape}", f"of shape (r, {parameters.dimension}), as wide as the keys"
            )
        if len(points) > MAX_LANDMARKS:
            raise CapacityError(f"{len(points):,} landmarks are more than {MAX_LANDMARKS:,}; pass fewer")
        furthest = max(parameters.key_radius, parameters.query_radius, float(np.linalg.norm(points, axis=1).max()))
        if not parameters.scale * furthest**2 <= LOGIT_LIMIT:
            raise InvalidArgument(
                "landmarks",
                f"at a distance of up to {furthest:g} from the origin",
                f"near enough that kernel values stay below e^{LOGIT_LIMIT:g}",
                "lower scale or the bounds, or move the landmarks inwards",
            )
        matrix, excess = whiten(points, parameters.scale, self.rank)
        return NystromMap(parameters, points, matrix, excess)


@contract(
    relies_on=[nystrom_contraction.LEMMA, nystrom_norm.LEMMA, nystrom_residual.LEMMA, functional_sensitivity.LEMMA]
)
class NystromMap:
    """``phi(x) = A k(Z, x)``.

    Attributes:
        landmarks: Z, shape (r', d); matrix: A, shape (r, r').
        excess: eta, with ``||A K_ZZ A^T||_2 <= 1 + eta``, proven for these floats.
        size: r, at most the number of landmarks.
    """

    kind = "nystrom"

    def __init__(self, parameters: Parameters, landmarks: Array, matrix: Array, excess: float) -> None:
        self.parameters = parameters
        self.landmarks = landmarks
        self.matrix = matrix
        self.excess = excess
        self.size = len(matrix)

    def __call__(self, rows: Array) -> Array:
        """Features of rows of shape (n, d), transposed: shape (r, n), within ``deviation`` of the linear map in l2."""
        kernel = self.landmarks @ rows.T
        kernel *= self.parameters.scale
        return np.asarray(self.matrix @ np.exp(kernel, out=kernel))

    def deviation(self, bound: float) -> float:
        """How far, in l2, float evaluation can move the features of a row with that bound.

        Logits have absolute error (d + 3) u |logit| and the exponential 2 u; a product with A adds (r' + 2) u.
        """
        p = self.parameters
        radius = p.bounds.radius(bound, p.dimension) * (1 + 1e-9)
        logit = p.scale * radius * float(np.linalg.norm(self.landmarks, axis=1).max()) * (1 + 1e-9)
        count = len(self.landmarks)
        relative = ((p.dimension + 3) * (logit + 1) + 4 + count) * UNIT
        return 1.01 * relative * float(np.linalg.norm(self.matrix)) * math.sqrt(count) * math.exp(logit)

    def norm(self, bound: float) -> float:
        """Largest |phi(x)|_2, rounded up."""
        p = self.parameters
        radius = p.bounds.radius(bound, p.dimension) * (1 + 1e-9)
        ideal = math.sqrt((1.0 + self.excess) * math.exp(p.scale * radius * radius)) * (1 + 2.0**-45)
        return ideal + self.deviation(bound)

    def sensitivity(self, kernel_max: float, step: float, value_norm: float, normaliser_weight: float) -> float:
        """That of the exact kernel, which is positive, times the norm of the projection; plus what rounding moves.

        The projected kernel may be negative: this is why the bound goes through the exact one.
        """
        p = self.parameters
        radius = p.key_radius * (1 + 1e-9)
        largest = math.exp(p.scale * radius * radius) * (1 + 2.0**-45)
        exact = functional_sensitivity.l2(
            largest,
            0.0 if p.bounds.signed else 1.0,
            value_norm,
            normaliser_weight,
            values_nonnegative=p.bounds.values_nonnegative,
        )
        moved = self.deviation(p.bounds.key) + math.sqrt(self.size) * step
        return nystrom_contraction.rounded(exact, self.excess, moved, math.hypot(value_norm, normaliser_weight))

    @property
    def kernel_factors(self) -> tuple[float, float]:
        """Nothing is proven for all queries at once; see ``query_error``."""
        return 0.0, math.inf

    def query_error(self, queries: Array) -> Array:
        """``sqrt(k(q, q) - |phi(q)|^2 / (1 + eta)) sqrt(max k(x, x))``, plus what eta and floats hide.

        The second form of lemma ``kernel.nystrom_residual``, for the features divided by sqrt(1 + eta).
        """
        p = self.parameters
        own = np.exp(p.scale * (queries * queries).sum(axis=1)) * (1 + 1e-12)
        key = math.sqrt(math.exp(p.scale * p.key_radius**2)) * (1 + 1e-12)
        off = self.deviation(p.bounds.query)
        norms = np.maximum(np.linalg.norm(self(queries), axis=0) - off, 0.0)
        outside = np.sqrt(np.maximum(own - norms**2 / (1.0 + self.excess), 0.0) + 1e-13 * own)
        inexact = self.excess * np.sqrt(own) + off + self.deviation(p.bounds.key) * np.sqrt(own) / key
        return np.asarray((outside + inexact * (1 + 1e-6)) * key)

    def details(self) -> dict[str, Any]:
        return {"landmarks": len(self.landmarks), "features": self.size, "projection excess": self.excess}

    def to_dict(self) -> dict[str, Any]:
        return {"excess": self.excess}

    def arrays(self) -> dict[str, Array]:
        return {"landmarks": self.landmarks, "matrix": self.matrix}

    @classmethod
    def from_parts(cls, parameters: Parameters, data: dict[str, Any], arrays: dict[str, Array]) -> NystromMap:
        landmarks, matrix = arrays["landmarks"], arrays["matrix"]
        if landmarks.shape[1:] != (parameters.dimension,) or matrix.shape[1:] != (len(landmarks),):
            raise ValueError(f"landmarks have shape {landmarks.shape} and the matrix {matrix.shape}")
        return cls(parameters, landmarks, matrix, data["excess"])


def whiten(landmarks: Array, scale: float, rank: int | None = None) -> tuple[Array, float]:
    """A and a proven eta with ``||A K_ZZ A^T||_2 <= 1 + eta``.

    Eigenvectors in float64; the check in extended precision. Small eigenvalues are dropped, the fewer the better
    the check comes out, so that eta stays below ``EXCESS``.
    """
    wide = landmarks.astype(np.longdouble)
    kernel = np.exp(np.longdouble(scale) * (wide @ wide.T))
    values, vectors = np.linalg.eigh(kernel.astype(np.float64))
    excess = math.inf
    for cutoff in CUTOFFS:
        kept = np.flatnonzero(values > cutoff * values[-1])[-(rank or len(values)) :]
        matrix = np.ascontiguousarray((vectors[:, kept] / np.sqrt(values[kept])).T)
        excess = _excess(matrix, kernel, wide, scale)
        if excess <= EXCESS:
            return matrix, excess
    raise InvalidArgument(
        "landmarks",
        f"{len(landmarks)} points whose kernel matrix is so ill-conditioned that the projection cannot be certified "
        f"(excess {excess:.2g})",
        f"better separated (excess at most {EXCESS:g})",
        "use fewer landmarks, or drop near-duplicates",
    )


def _excess(matrix: Array, kernel: Wide, landmarks: Wide, scale: float) -> float:
    """Bound on ``||A K_ZZ A^T|| - 1``: the computed deviation from the identity plus rounding, in Frobenius norm."""
    unit = float(np.finfo(np.longdouble).eps)
    wide = matrix.astype(np.longdouble)
    gram = wide @ kernel @ wide.T
    gram[np.diag_indices(len(gram))] -= 1
    computed = float(np.sqrt((gram * gram).sum()))
    size, dimension = landmarks.shape
    logit = scale * float((landmarks * landmarks).sum(axis=1).max())
    relative = ((dimension + 3) * (logit + 1) + 8 + 2 * size) * unit
    rounding = relative * float(np.linalg.norm(matrix)) ** 2 * float(np.sqrt((kernel * kernel).sum()))
    return float(1.01 * (computed + rounding) + 1e-15)

"""Release attention over private keys and values: one entry point, several mechanisms, one contract."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from dpverify.certificate import Certificate
from dpverify.checks import positive, positive_integer, probability
from dpverify.cross_attention import storage
from dpverify.cross_attention.answers import ratio
from dpverify.cross_attention.bounds import Bounds
from dpverify.cross_attention.dptree import MOMENTS, TreeState, release_dptree
from dpverify.cross_attention.exact import check_queries, check_rows, check_scale
from dpverify.cross_attention.functional import FunctionalState, release_functional
from dpverify.cross_attention.parameters import Parameters
from dpverify.errors import CapacityError, InvalidArgument, OutOfBoundsWarning, ReleaseFileError
from dpverify.guarantees import ApproxDP
from dpverify.noise.bits import BitSource, OSBits
from dpverify.spec import contract
from dpverify.spec.kernel import feature_dimension, smallest_degree
from dpverify.spec.noise import truncated_laplace_privacy

Array = npt.NDArray[np.float64]
Method = Literal["functional", "dptree"]
OutOfBounds = Literal["clip", "raise"]
METHODS = ("functional", "dptree")
TARGET_KERNEL_ERROR = 1e-3
MAX_BYTES = 1 << 32
STATES: dict[str, type[FunctionalState] | type[TreeState]] = {"functional": FunctionalState, "dptree": TreeState}


class State(Protocol):
    """What a mechanism releases; everything it does is post-processing."""

    @property
    def parameters(self) -> Parameters: ...
    @property
    def denominator_min(self) -> float: ...
    def weighted_sums(self, queries: Array) -> tuple[Array, Array]: ...
    def error_bound(self, failure_probability: float) -> float: ...
    def to_dict(self) -> dict[str, Any]: ...
    def arrays(self) -> dict[str, npt.NDArray[np.int64]]: ...


@dataclass(frozen=True, eq=False)
class Release:
    """A private release of attention: it answers any number of adaptive queries at no further privacy cost.

    Attributes:
        method: the mechanism.
        certificate: what it claims, what was certified, what it trusts.
        state: the noisy numbers. They may be published.
        out_of_bounds: "clip" or "raise", for data at release time and for queries.
    """

    method: Method
    certificate: Certificate
    state: State
    out_of_bounds: OutOfBounds

    def query(self, queries: npt.ArrayLike) -> Array:
        """Private attention at every query.

        Args:
            queries: shape (m, d), inside the public query bound (moved there with a warning, or refused).

        Returns:
            Shape (m, d_v). Each entry lies within ``error_bound(p)`` of exact attention at the (moved) query
            with probability at least 1 - p, for each query by itself.

        Warns:
            OutOfBoundsWarning, DrownedDenominatorWarning.
        """
        parameters = self.state.parameters
        rows = check_queries(queries)
        if rows.shape[1] != parameters.dimension:
            raise InvalidArgument(
                "queries",
                f"of shape {rows.shape}",
                f"of shape (m, {parameters.dimension}), as wide as the keys were",
            )
        inside, moved = parameters.bounds.clip_queries(rows)
        _report("queries", moved, len(rows), parameters.bounds.query, self.out_of_bounds)
        numerators, denominators = self.state.weighted_sums(inside)
        return ratio(numerators, denominators, self.state.denominator_min, parameters.bounds.value)

    def error_bound(self, failure_probability: float) -> float:
        """Bound on every entry of |answer - exact attention| for one query, in the unit of the values.

        It holds with probability at least 1 - failure_probability for each query of the domain, from public
        numbers alone, and never exceeds twice the value bound. It leaves out float64 rounding when a query is
        evaluated (about 1e-13 of the value bound).
        """
        return self.state.error_bound(probability("failure_probability", failure_probability))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the release to one file, whole or not at all; :func:`dpverify.load_release` reads it.

        The file holds no key, no value, no noise-free sum and no seed, and no pickled object.
        """
        contents = {
            "method": self.method,
            "out_of_bounds": self.out_of_bounds,
            "certificate": self.certificate.to_dict(),
            "state": self.state.to_dict(),
        }
        storage.write(path, contents, self.state.arrays())


@contract(relies_on=[smallest_degree.LEMMA], enforces=[truncated_laplace_privacy.LEMMA])
def release_attention(
    keys: npt.ArrayLike,
    values: npt.ArrayLike,
    claim: ApproxDP,
    *,
    bounds: Bounds,
    scale: float | None = None,
    method: Method = "functional",
    normaliser_weight: float | None = None,
    degree: int | None = None,
    out_of_bounds: OutOfBounds = "clip",
    bits: BitSource | None = None,
) -> Release:
    """Release attention over private keys and values with (epsilon, delta)-DP under REPLACE_ONE.

    One row is a key with its value; the number of rows is public.

    Args:
        keys: shape (n, d), private.
        values: shape (n, d_v) or (n,), private.
        claim: epsilon > 0 and 0 < delta <= 1/2, for the whole release.
        bounds: public bounds, chosen without looking at the data.
        scale: of the logits; None means 1/d.
        method: "functional" (one noisy matrix) or "dptree" (the published trees of arXiv 2407.14717v3).
        normaliser_weight: functional only: c > 0, the weight of the normaliser column; None minimises the noise.
        degree: of the polynomial kernel; None takes the least with relative kernel error at most 1e-3.
        out_of_bounds: "clip" moves rows outside the bounds to the nearest point and warns *the caller* with
            their number (which is private: it is not part of the release); "raise" refuses.
        bits: None for the operating system's randomness; a SeededBits for tests (the release is then marked
            not private).

    Raises:
        InvalidArgument, HypothesisNotMet, CapacityError: before anything is computed from the data.

    >>> import numpy as np
    >>> k, v = np.full((2000, 2), 0.5), np.ones(2000)
    >>> release = release_attention(k, v, ApproxDP(1.0, 1e-6), bounds=Bounds(shape="positive_box"))
    >>> bool(abs(release.query([[0.2, 0.9]])[0, 0] - 1.0) < release.error_bound(1e-9))
    True
    """
    truncated_laplace_privacy.LEMMA.require(epsilon=claim.epsilon, delta=claim.delta)
    if method not in METHODS:
        raise InvalidArgument("method", method, f"one of {', '.join(METHODS)}")
    if out_of_bounds not in ("clip", "raise"):
        raise InvalidArgument("out_of_bounds", out_of_bounds, "'clip' or 'raise'")
    if normaliser_weight is not None:
        normaliser_weight = positive("normaliser_weight", normaliser_weight)
        if method != "functional":
            raise InvalidArgument("normaliser_weight", normaliser_weight, f"None for method={method!r}")
    k, v = check_rows(keys, values)
    parameters = _parameters(k, v, bounds, scale, degree)
    _check_capacity(parameters, method)
    k, moved_keys = bounds.clip_keys(k)
    v, moved_values = bounds.clip_values(v)
    _report("keys", moved_keys, len(k), bounds.key, out_of_bounds)
    _report("values", moved_values, len(v), bounds.value, out_of_bounds)
    source = OSBits() if bits is None else bits
    state: State
    if method == "functional":
        state, certificate = release_functional(k, v, parameters, claim, normaliser_weight, source)
    else:
        state, certificate = release_dptree(k, v, parameters, claim, source)
    return Release(method, certificate, state, out_of_bounds)


def load_release(path: str | os.PathLike[str]) -> Release:
    """Read a release file.

    Raises:
        FileNotFoundError: there is no such file.
        ReleaseFileError: it is not a release, is damaged, or was changed.
    """
    contents, arrays = storage.read(path)
    try:
        certificate = Certificate.from_dict(contents["certificate"])
        state: State = STATES[contents["method"]].from_parts(contents["state"], arrays)
        return Release(contents["method"], certificate, state, contents["out_of_bounds"])
    except (KeyError, TypeError, ValueError) as error:
        raise ReleaseFileError(f"{path} is not a release that this version can read: {error!r}") from error


def _parameters(keys: Array, values: Array, bounds: Bounds, scale: float | None, degree: int | None) -> Parameters:
    rows, dimension = keys.shape
    factor = check_scale(scale, dimension)
    if degree is not None:
        degree = positive_integer("degree", degree, least=0)
    draft = Parameters(rows, dimension, values.shape[1], factor, 0 if degree is None else degree, bounds)
    if not draft.logit_max <= 300:
        raise InvalidArgument(
            "scale",
            factor,
            f"so small that logits stay below 300 (they can reach {draft.logit_max:g})",
            "lower scale or the key and query bounds",
        )
    if degree is not None:
        return draft
    least = smallest_degree.smallest_degree(TARGET_KERNEL_ERROR, draft.logit_max, bounds.signed)
    return Parameters(rows, dimension, values.shape[1], factor, least, bounds)


def _check_capacity(parameters: Parameters, method: Method) -> None:
    """Refuse before any work if the released numbers and the working copies would exceed the memory limit."""
    features = feature_dimension.dimension(parameters.dimension, parameters.degree)
    columns = parameters.columns + 1
    if method == "functional":
        needed = 8 * features * (4 * columns + 2 * 256 + parameters.dimension)
    else:
        leaves = 1 << max(0, parameters.rows - 1).bit_length()
        needed = 8 * features * (columns * MOMENTS * 4 * leaves + parameters.rows)
    if needed > MAX_BYTES:
        raise CapacityError(
            f"method={method!r} at degree {parameters.degree} in {parameters.dimension} dimensions has "
            f"{features:,} features and would need about {needed:,} bytes, above the limit of {MAX_BYTES:,}; "
            "lower degree (it raises the kernel error), scale or the bounds (they lower the degree that is "
            "needed), or the number of key columns"
        )


def _report(name: str, moved: int, rows: int, bound: float, policy: OutOfBounds) -> None:
    if not moved:
        return
    if policy == "raise":
        raise InvalidArgument(
            name,
            f"{moved} of {rows} rows outside the public bound {bound:g}",
            "inside the bounds",
            "clip them yourself, widen the bound, or pass out_of_bounds='clip'",
        )
    private = "" if name == "queries" else " (this number is private: do not publish it)"
    warnings.warn(
        f"{moved} of {rows} {name} lay outside the public bound {bound:g} and were moved to its edge{private}",
        OutOfBoundsWarning,
        stacklevel=4,
    )

"""Release attention over private keys and values: one entry point, several mechanisms, one contract."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, overload

import numpy as np
import numpy.typing as npt

from dpverify.certificate import Certificate
from dpverify.checks import positive, positive_integer, probability
from dpverify.cross_attention import storage
from dpverify.cross_attention.accuracy import Simultaneous, query_bounds
from dpverify.cross_attention.answers import Flags, Margins, NoisySums
from dpverify.cross_attention.bounds import Bounds
from dpverify.cross_attention.dptree import MOMENTS, TreeState, release_dptree
from dpverify.cross_attention.exact import check_queries, check_scale
from dpverify.cross_attention.feature_maps import FeatureMap, Features
from dpverify.cross_attention.functional import FunctionalState, release_functional
from dpverify.cross_attention.lazy import DEFAULT_MAX_QUERIES, LazyState, release_lazy
from dpverify.cross_attention.parameters import Parameters
from dpverify.cross_attention.polynomial import Polynomial, PolynomialMap
from dpverify.cross_attention.rows import OutOfBounds, read_rows, report_moved
from dpverify.errors import CapacityError, InvalidArgument
from dpverify.guarantees import ApproxDP
from dpverify.noise.bits import BitSource, OSBits
from dpverify.spec import contract
from dpverify.spec.noise import truncated_laplace_privacy

Array = npt.NDArray[np.float64]
Method = Literal["functional", "lazy", "dptree"]
METHODS = ("functional", "lazy", "dptree")
LOGIT_LIMIT = 300.0
MAX_BYTES = 1 << 32
STATES: dict[str, type[FunctionalState] | type[TreeState]] = {"functional": FunctionalState, "dptree": TreeState}


class State(Protocol):
    """What a mechanism releases. Everything it does is post-processing; only a lazy one also answers new queries."""

    @property
    def parameters(self) -> Parameters: ...
    @property
    def denominator_min(self) -> float: ...
    @property
    def coupling(self) -> float: ...
    def noisy_sums(self, queries: Array) -> NoisySums: ...
    def margins(self, queries: Array, failure_probability: float, *, adaptive: bool) -> Margins: ...
    def error_bound(self, failure_probability: float) -> float: ...
    def simultaneous_error_bound(self, failure_probability: float) -> float: ...
    def to_dict(self) -> dict[str, Any]: ...
    def arrays(self) -> dict[str, npt.NDArray[Any]]: ...


@dataclass(frozen=True, eq=False)
class Release:
    """A private release of attention: it answers adaptive queries at no further privacy cost; any number of them, or,
    with method="lazy", as many different ones as was stated.

    Attributes:
        method: the mechanism.
        certificate: what it claims, what was certified, what it trusts.
        state: the noisy numbers. They may be published. With method="lazy" a running state that also holds the private
            rows, and changes with every new query although the release itself is frozen: publish its file instead.
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

        Raises:
            CapacityError: with method="lazy", more different queries than it answers; then none was answered.

        Warns:
            OutOfBoundsWarning, DrownedDenominatorWarning.
        """
        return self.state.noisy_sums(self._inside(queries)).answers(self.state.parameters.bounds)

    def standard_error(self, queries: npt.ArrayLike) -> Array:
        """One standard deviation of each answer of :meth:`query` due to the noise, shape (m, d_v).

        From released numbers only, to first order in the noise (delta method). The kernel's error is not in it. Where
        noise drowned the normaliser, the span of the values. With method="lazy", queries are asked for this.
        """
        return self.state.noisy_sums(self._inside(queries)).standard_errors(self.state.parameters.bounds)

    def drowned(self, queries: npt.ArrayLike) -> Flags:
        """Which queries' normalisers are drowned in noise, shape (m,): below their public minimum, or within 3 standard
        deviations of zero. Their answers are finite and inside the public range, but of no known size."""
        return self.state.noisy_sums(self._inside(queries)).drowned

    @overload
    def error_bound(self, failure_probability: float, simultaneous: Simultaneous = False) -> float: ...
    @overload
    def error_bound(
        self, failure_probability: float, simultaneous: Simultaneous = False, *, queries: npt.ArrayLike
    ) -> Array: ...
    def error_bound(
        self,
        failure_probability: float,
        simultaneous: Simultaneous = False,
        queries: npt.ArrayLike | None = None,
    ) -> float | Array:
        """Bound on every entry of |answer - exact attention|, in the unit of the values.

        It holds with probability at least 1 - failure_probability over the noise and never exceeds the span of the
        values. It leaves out float64 rounding when a query is evaluated (about 1e-13 of the value bound).

        Args:
            simultaneous: False: for each query by itself. True: for all queries at once.
            queries: None: for any query of the domain, one number: from the public parameters and, with polynomial
                features and keys of either sign, the released sum of the keys. Or shape (m, d), for these queries,
                usually smaller: from their features and the released normaliser, shape (m,).
                They must have been fixed before any answer was seen, unless ``simultaneous`` is "adaptive": then the
                bounds hold for all queries of the domain at once, whatever these were chosen from. With method="lazy"
                they are asked for this, and count.

        Only a bound for given queries says anything where the features have no proven error over the whole domain
        (Nystrom features; a polynomial of low degree); with positive random features nothing is proven at all, and
        the bound is what the public range of the values gives.
        """
        share = probability("failure_probability", failure_probability)
        if simultaneous not in (False, True, "adaptive"):
            raise InvalidArgument("simultaneous", simultaneous, "False, True or 'adaptive'")
        if queries is not None:
            return query_bounds(self.state, self._inside(queries), share, simultaneous)
        return self.state.simultaneous_error_bound(share) if simultaneous else self.state.error_bound(share)

    def _inside(self, queries: npt.ArrayLike) -> Array:
        """Queries checked and moved into the bounds."""
        parameters = self.state.parameters
        rows = check_queries(queries)
        if rows.shape[1] != parameters.dimension:
            raise InvalidArgument(
                "queries",
                f"of shape {rows.shape}",
                f"of shape (m, {parameters.dimension}), as wide as the keys were",
            )
        inside, moved = parameters.bounds.clip_queries(rows)
        report_moved("queries", moved, len(rows), parameters.bounds.query, self.out_of_bounds)
        return inside

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the release to one file, whole or not at all; :func:`dpverify.load_release` reads it.

        The file holds no key, no value, no noise-free sum and no seed, and no pickled object. With method="lazy", every
        later answer to a new query is in the file before it is returned.
        """
        if isinstance(self.state, LazyState):
            self.state.keep(path, self.to_dict())
        else:
            storage.write(path, self.to_dict(), self.state.arrays())

    def to_dict(self) -> dict[str, Any]:
        """Everything but the state's arrays, as stored in a release file."""
        return {
            "method": self.method,
            "out_of_bounds": self.out_of_bounds,
            "certificate": self.certificate.to_dict(),
            "state": self.state.to_dict(),
        }

    @classmethod
    def from_parts(cls, data: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> Release:
        """Inverse of :meth:`to_dict`; KeyError, TypeError or ValueError if it is no release."""
        certificate = Certificate.from_dict(data["certificate"])
        state: State = STATES[data["method"]].from_parts(data["state"], arrays)
        return cls(data["method"], certificate, state, data["out_of_bounds"])


@contract(enforces=[truncated_laplace_privacy.LEMMA])
def release_attention(
    keys: npt.ArrayLike | Iterable[tuple[npt.ArrayLike, npt.ArrayLike]],
    values: npt.ArrayLike | None,
    claim: ApproxDP,
    *,
    bounds: Bounds,
    scale: float | None = None,
    method: Method = "functional",
    normaliser_weight: float | None = None,
    degree: int | None = None,
    features: Features | None = None,
    rows: int | None = None,
    max_queries: int | None = None,
    out_of_bounds: OutOfBounds = "clip",
    bits: BitSource | None = None,
) -> Release:
    """Release attention over private keys and values with (epsilon, delta)-DP under REPLACE_ONE.

    One row is a key with its value; the number of rows is public.

    Args:
        keys: shape (n, d), private; a Dask array is read block by block.
        values: shape (n, d_v) or (n,), private. Or, functional only: keys an iterable of (keys, values) blocks and
            values None, so that memory does not limit n.
        claim: epsilon > 0 and 0 < delta <= 1/2, for the whole release.
        bounds: public bounds, chosen without looking at the data.
        scale: of the logits; None means 1/d.
        method: "functional" (one noisy matrix), "lazy" (exact kernel, noise drawn as queries come) or "dptree" (the
            published trees of arXiv 2407.14717v3).
        normaliser_weight: functional and lazy: c > 0, the weight of the normaliser column; None minimises the noise.
        features: functional only: ``dv.Polynomial``, ``dv.Nystrom`` or ``dv.PositiveRandomFeatures``; None means
            ``Polynomial(degree)``.
        degree: of the polynomial kernel; None takes the least with relative kernel error at most 1e-3.
        rows: n, public; needed with blocks only.
        max_queries: lazy only: how many different queries will be answered; None means 2048.
        out_of_bounds: "clip" moves rows outside the bounds to the nearest point and warns *the caller* with
            their number (which is private: it is not part of the release); "raise" refuses.
        bits: None for the operating system's randomness; a SeededBits for tests (the release is then marked
            not private).

    Raises:
        InvalidArgument, HypothesisNotMet, CapacityError: nothing was released then.

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
        if method == "dptree":
            raise InvalidArgument("normaliser_weight", normaliser_weight, f"None for method={method!r}")
    if max_queries is not None and method != "lazy":
        raise InvalidArgument("max_queries", max_queries, f"None for method={method!r}, which answers any number")
    limit = positive_integer("max_queries", DEFAULT_MAX_QUERIES if max_queries is None else max_queries)
    choice = choose_features(features, degree, method)
    data = read_rows(keys, values, rows)
    parameters = check_parameters(data.number, data.dimension, data.columns, bounds, scale)
    source = OSBits() if bits is None else bits
    inside = data.inside(bounds, out_of_bounds)
    state: State
    if method == "lazy":
        check_lazy_capacity(parameters, limit)
        state, certificate = release_lazy(inside, parameters, claim, normaliser_weight, limit, source)
    else:
        phi = choice.build(parameters)
        check_capacity(phi, method)
        if method == "functional":
            state, certificate = release_functional(inside, phi, claim, normaliser_weight, source)
        elif isinstance(phi, PolynomialMap):
            keys_inside, values_inside = (np.concatenate(parts) for parts in zip(*inside, strict=True))
            state, certificate = release_dptree(keys_inside, values_inside, phi, claim, source)
        else:  # choose_features saw to it
            raise InvalidArgument("features", features, "polynomial for method='dptree'")
    report_moved("keys", data.moved_keys, data.number, bounds.key, out_of_bounds)
    report_moved("values", data.moved_values, data.number, bounds.value, out_of_bounds)
    return Release(method, certificate, state, out_of_bounds)


def choose_features(features: Features | None, degree: int | None, method: Method) -> Features:
    if method == "lazy":
        for name, given in (("features", features), ("degree", degree)):
            if given is not None:
                raise InvalidArgument(name, given, "None for method='lazy', whose kernel is exact")
    if features is None:
        return Polynomial(degree)
    if degree is not None:
        raise InvalidArgument("degree", degree, "None when features are given", "write features=dv.Polynomial(degree)")
    if not callable(getattr(features, "build", None)):
        raise InvalidArgument("features", features, "dv.Polynomial, dv.Nystrom, dv.PositiveRandomFeatures or alike")
    if method == "dptree" and not isinstance(features, Polynomial):
        raise InvalidArgument("features", features, "None or dv.Polynomial for method='dptree'")
    return features


def check_parameters(number: int, dimension: int, columns: int, bounds: Bounds, scale: float | None) -> Parameters:
    parameters = Parameters(number, dimension, columns, check_scale(scale, dimension), bounds)
    if not parameters.logit_max <= LOGIT_LIMIT:
        raise InvalidArgument(
            "scale",
            parameters.scale,
            f"so small that logits stay below {LOGIT_LIMIT:g} (they can reach {parameters.logit_max:g})",
            "lower scale or the key and query bounds",
        )
    return parameters


def check_capacity(features: FeatureMap, method: Method) -> None:
    """Refuse before any work if the released numbers and the working copies would exceed the memory limit."""
    parameters = features.parameters
    columns = parameters.columns + 1
    if method == "functional":
        needed = 8 * features.size * (4 * columns + 2 * 256 + parameters.dimension)
    else:
        leaves = 1 << max(0, parameters.rows - 1).bit_length()
        needed = 8 * features.size * (columns * MOMENTS * 4 * leaves + parameters.rows)
    if needed > MAX_BYTES:
        raise CapacityError(
            f"method={method!r} with {features.kind} features in {parameters.dimension} dimensions has "
            f"{features.size:,} features and would need about {needed:,} bytes, above the limit of {MAX_BYTES:,}; "
            "lower degree (it raises the kernel error), scale or the bounds (they lower the degree that is "
            "needed), or the number of key columns, or pass features=dv.Nystrom(...)"
        )


def check_lazy_capacity(parameters: Parameters, max_queries: int) -> None:
    """Refuse before any work if the rows, the factors and the sums would exceed the memory limit."""
    width, columns = parameters.dimension + parameters.columns, parameters.columns + 1
    needed = 16 * parameters.rows * width + max_queries * (48 * max_queries + 150 * columns)
    if needed > MAX_BYTES:
        raise CapacityError(
            f"method='lazy' with {parameters.rows:,} rows of {width} numbers and up to {max_queries:,} queries would "
            f"need about {needed:,} bytes, above the limit of {MAX_BYTES:,}; lower max_queries, or use "
            "method='functional' with features=dv.Nystrom(landmarks=the queries), which reads the rows once, in blocks"
        )

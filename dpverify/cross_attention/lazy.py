"""The lazy release: the exact exponential kernel, its noise drawn as queries come.

Answers are weighted sums plus a Gaussian process with the kernel's covariance, drawn conditionally on the past (Hall,
Rinaldo and Wasserman, JMLR 2013). Here the process is drawn through its innovations. For the queries so far, with
``K + jitter = L L^T`` and G near ``L^-1``, what is released is

    N = G F / g rounded + integer noise,         answers = L (g N),

F the exact sums, g the noise's grid. The answers then carry noise of covariance sigma^2 (K + jitter), and row t of N
depends on queries 1..t alone. So nothing correlated and nothing real-valued is ever drawn or added: N is an integer
table's noise on integers, and L N is post-processing of it.

Privacy. For any queries, replacing a row moves all coefficients together by at most the sensitivity in l2. Queries may
follow from earlier answers; since the bound holds on every path, the profile is that of one Gaussian (lemma
``noise.gaussian_adaptive``).
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
from scipy.special import chdtr, chdtrc

from dpverify.certificate import Certificate, noise_summary
from dpverify.cross_attention import accuracy, storage
from dpverify.cross_attention.answers import Margins, NoisySums
from dpverify.cross_attention.functional import least_noise_weight
from dpverify.cross_attention.integer_sums import Grids
from dpverify.cross_attention.lazy_accuracy import LazyAccuracy
from dpverify.cross_attention.lazy_kernel import FINE_BITS, Array, LazyKernel, Objects, exact_sums
from dpverify.cross_attention.newton_basis import INVERSE_BITS, NewtonBasis
from dpverify.cross_attention.parameters import Parameters
from dpverify.errors import CapacityError, InvalidArgument
from dpverify.guarantees import Adjacency, ApproxDP
from dpverify.noise import Gaussian
from dpverify.noise.bits import BitSource
from dpverify.spec import contract
from dpverify.spec.attention import (
    functional_sensitivity,
    lazy_covariance,
    lazy_jitter,
    noisy_ratio_clamped,
)
from dpverify.spec.noise import gaussian_adaptive

Integers = npt.NDArray[np.int64]
DEFAULT_MAX_QUERIES = 2048
ARRAYS = ("queries", "coefficients", "sums")
IMPLAUSIBLE = 1e-12  # how unlikely the noise may be that a file and its rows imply together
TRUSTS = (
    "the operating system's randomness",
    "the caller's public bounds",
    "one continuation: no copy of this release or of its file answers new queries on its own (each would draw its "
    "own noise for the same sums)",
    "the rows given to load_release are those that were released",
    "float errors within their stated bounds; no idealised numerics: innovations are integers, and correlated answers "
    "their post-processing",
)


@dataclass(frozen=True, eq=False)
class _Answered:
    """All that was asked so far. One object, replaced as a whole: a batch is answered entirely or not at all.

    Attributes:
        basis, coefficients, sums: public; noisy integers in steps of the noise's grid and what follows from them, the
            weighted sums and the normaliser, both of shape (t, d_v + 1).
        exact: PRIVATE. Noise-free integers of the same shape.
        position: of each query, by its bytes.
    """

    basis: NewtonBasis
    coefficients: Integers
    sums: Array
    exact: Objects
    position: Mapping[bytes, int]


class LazyState:
    """A running release: unlike those of other methods it holds the private rows, in memory, to answer new queries.

    Public, and all that a file gets: the parameters, the queries asked, the noisy coefficients and the answers'
    sums. It changes with every new query, under a lock; two states are equal only if they are one. It can be neither
    copied nor pickled, nor used in a forked process.

    Attributes:
        parameters: public. max_queries: how many different queries it answers.
    """

    def __init__(
        self, kernel: LazyKernel, grids: Grids, noise: Gaussian, rows: tuple[Array, Array], bits: BitSource
    ) -> None:
        columns = kernel.parameters.columns + 1
        self._kernel, self._grids, self._noise, self._bits = kernel, grids, noise, bits
        self._accuracy = LazyAccuracy(kernel, grids, noise)
        self._keys, self._values = rows
        empty = np.zeros((0, columns))
        self._answered = _Answered(NewtonBasis.empty(kernel), empty.astype(np.int64), empty, empty.astype(object), {})
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._file: tuple[str, Mapping[str, Any], str] | None = None

    @property
    def parameters(self) -> Parameters:
        return self._kernel.parameters

    @property
    def max_queries(self) -> int:
        return self._kernel.max_queries

    @property
    def asked(self) -> int:
        """How many different queries have been answered."""
        return len(self._answered.coefficients)

    def noisy_sums(self, queries: Array) -> NoisySums:
        """What the release says of queries of shape (m, d). Those never asked before count towards the limit.

        If the state has a file, that holds new answers before they are returned.

        Raises:
            CapacityError: more different queries than ``max_queries``.
            ReleaseFileError: the file is not as this state left it.
            Whatever writing raises. Nothing was answered in each case.
        """
        points = queries + 0.0  # -0.0 and 0.0 are one query
        names = [row.tobytes() for row in points]
        with self._lock:
            if os.getpid() != self._process:
                raise InvalidArgument(
                    "process", os.getpid(), f"the one that made this release, {self._process}",
                    "a forked copy would answer with noise of its own: save the release, and load it in one process",
                )  # fmt: skip
            known = self._answered.position
            fresh = list(dict.fromkeys(name for name in names if name not in known))
            if fresh:
                self._answer(np.frombuffer(b"".join(fresh)).reshape(-1, points.shape[1]), fresh)
            known, sums = self._answered.position, self._answered.sums
        sums = sums[np.array([known[name] for name in names], dtype=np.intp)]
        std = self._accuracy.std * self._kernel.query_norms(points)
        least = self.parameters.rows * accuracy.weight_min(self.parameters, points)
        return NoisySums(sums[:, :-1], sums[:, -1], std, std / self._grids.normaliser_weight, least)

    def weighted_sums(self, queries: Array) -> tuple[Array, Array]:
        """Noisy ``sum_i a_i(q) v_i``, shape (m, d_v), and ``sum_i a_i(q)``, shape (m,)."""
        found = self.noisy_sums(queries)
        return found.numerators, found.normalisers

    def _answer(self, points: Array, names: list[bytes]) -> None:
        before = self._answered
        first, total = len(before.coefficients), len(before.coefficients) + len(points)
        if total > self.max_queries:
            raise CapacityError(
                f"{len(points)} new queries after {first} make {total}, above max_queries = {self.max_queries}; for "
                "more, use method='functional' with features=dv.Nystrom(landmarks=the queries), which answers any "
                "number, or make a new release, with a budget of its own"
            )
        basis, exact = self._summed(points)
        noise = self._noise.sample_steps((len(points), exact.shape[1]), self._bits)
        coefficients = np.concatenate([before.coefficients, self._rounded(basis, exact, first) + noise])
        sums = basis.factor[first:] @ (coefficients * self._noise.grid)
        sums *= self._kernel.query_norms(points)[:, None]
        sums[:, -1] /= self._grids.normaliser_weight
        position = {**before.position, **{name: first + i for i, name in enumerate(names)}}
        after = _Answered(basis, coefficients, np.concatenate([before.sums, sums]), exact, position)
        if self._file is None:
            self._answered = after
            return
        path, contents, digest = self._file
        digest = storage.rewrite(path, contents, _public(after), digest)
        # an interruption before the last line leaves a digest that the next rewrite refuses: nothing is drawn twice
        self._answered = after
        self._file = path, contents, digest

    def _summed(self, points: Array) -> tuple[NewtonBasis, Objects]:
        basis = self._answered.basis.extended(points)
        exact = exact_sums(self._keys, self._values, self._kernel, self._grids, points)
        return basis, np.concatenate([self._answered.exact, exact])

    def _rounded(self, basis: NewtonBasis, exact: Objects, first: int) -> Integers:
        """Noise-free coefficients from row ``first`` on, to the nearest step of the noise's grid, halves upwards.

        In Python's integers: neighbours' coefficients differ as the lemma says, not as float sums would.
        """
        product = basis.inverse_integers(first) @ exact
        unit = math.frexp(self._grids.unit)[1] - FINE_BITS - INVERSE_BITS
        shift = math.frexp(self._noise.grid)[1] - unit
        return np.asarray((product + (1 << (shift - 1))) >> shift, dtype=np.int64)

    def keep(self, path: str | os.PathLike[str], contents: Mapping[str, Any]) -> None:
        """Write the public part to ``path``, and from now on every new answer before it is returned."""
        where = os.path.abspath(path)
        with self._lock:
            arrays = _public(self._answered)
            if self._file is not None and self._file[0] == where:
                digest = storage.rewrite(where, contents, arrays, self._file[2])
            else:
                digest = storage.write(where, contents, arrays)
            self._file = where, contents, digest

    def resume(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take up what a file holds; its arrays fit.

        Raises:
            InvalidArgument: the rows are not those of the file.
        """
        points, coefficients, sums = (arrays[name] for name in ARRAYS)
        if not len(points):
            return
        position = {row.tobytes(): i for i, row in enumerate(points)}
        basis, exact = self._summed(points)
        noise = (coefficients - self._rounded(basis, exact, 0)) * (self._noise.grid / self._noise.sigma)
        size, total = float(np.square(noise).sum()), noise.size
        if not min(chdtr(total, size), chdtrc(total, size)) >= IMPLAUSIBLE / 2.0:
            raise InvalidArgument(
                "keys, values",
                f"rows that imply noise of {math.sqrt(size / total):.4g} times its standard deviation",
                f"those that this release was made from (noise as unlikely as {IMPLAUSIBLE:g} is refused)",
                "pass the rows that were released, in any order",
            )
        self._answered = _Answered(basis, coefficients, sums, exact, position)

    def at(self, path: str | os.PathLike[str], contents: Mapping[str, Any], digest: str) -> None:
        """From now on, new answers go to that file, which holds ``contents`` and has that digest."""
        self._file = os.path.abspath(path), contents, digest

    @property
    def coupling(self) -> float:
        """Probability that the sampled noise differs from its ideal law anywhere."""
        return self._accuracy.coupling

    @property
    def denominator_min(self) -> float:
        """Public lower bound on the normaliser of any query of the domain."""
        return self._accuracy.denominator_min

    def error_bound(self, failure_probability: float) -> float:
        """Bound on the largest entry of |answer - exact attention| for one query, over the whole domain."""
        return self._accuracy.error_bound(failure_probability)

    def simultaneous_error_bound(self, failure_probability: float) -> float:
        """The same for all queries that are asked at once."""
        return self._accuracy.simultaneous_error_bound(failure_probability)

    def margins(self, queries: Array, failure_probability: float, *, adaptive: bool) -> Margins:
        """See :class:`dpverify.cross_attention.accuracy.Answering`."""
        return self._accuracy.margins(queries, failure_probability, adaptive=adaptive)

    def to_dict(self) -> dict[str, Any]:
        """Public, and the same whatever was asked."""
        return {
            "parameters": self.parameters.to_dict(),
            "max_queries": self.max_queries,
            "jitter": self._kernel.jitter,
            "grids": asdict(self._grids),
            "sensitivity": self._noise.sensitivity,
            "unit": self._noise.grid,
            "sigma": self._noise.sigma,
            "coupling": self.coupling,
        }

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        return _public(self._answered)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a lazy release can be neither copied nor pickled: each copy would answer with noise of its own, and it "
            "holds private rows; use save, and load_release in one place"
        )


@contract(
    relies_on=[
        lazy_covariance.LEMMA,
        lazy_jitter.LEMMA,
        functional_sensitivity.LEMMA,
        noisy_ratio_clamped.LEMMA,
        gaussian_adaptive.LEMMA,
    ]
)
def release_lazy(
    blocks: Iterable[tuple[Array, Array]],
    parameters: Parameters,
    claim: ApproxDP,
    normaliser_weight: float | None,
    max_queries: int,
    bits: BitSource,
) -> tuple[LazyState, Certificate]:
    """A running release and its certificate, from blocks of rows that lie inside the bounds; nothing is drawn yet."""
    kernel = LazyKernel(parameters, max_queries)
    weight = least_noise_weight(parameters, kernel.sensitivity) if normaliser_weight is None else normaliser_weight
    grids = kernel.grids(weight)
    noise = noise_of(kernel, grids, claim)
    state = LazyState(kernel, grids, noise, gather(blocks), bits)
    certificate = Certificate(
        mechanism="attention, lazy Gaussian process",
        claim=claim,
        adjacency=Adjacency.REPLACE_ONE,
        delta_upper=noise.delta(claim.epsilon),
        noise=noise_summary(noise),
        charges={
            "rounding share of sensitivity": noise.rounding_charge,
            "table's share of delta": noise.table_charge,
            "jitter's share of deviation": math.sqrt(1.0 + kernel.jitter) - 1.0,
        },
        private=bits.private,
        details={
            "rows": parameters.rows,
            "l2 sensitivity": noise.sensitivity,
            "normaliser weight": grids.normaliser_weight,
            "largest number of queries": max_queries,
            "logit scale": parameters.scale,
        },
        trusts=TRUSTS,
    )
    return state, certificate


def gather(blocks: Iterable[tuple[Array, Array]]) -> tuple[Array, Array]:
    """All keys and all values, as copies of our own."""
    keys, values = zip(*blocks, strict=True)
    return np.concatenate(keys), np.concatenate(values)


def noise_of(kernel: LazyKernel, grids: Grids, claim: ApproxDP) -> Gaussian:
    """What every innovation gets: from public numbers alone, so that a file's reader finds the same."""
    value_norm = math.nextafter(math.sqrt(grids.value_norm2), math.inf) * grids.value
    sensitivity = kernel.sensitivity(value_norm, grids.normaliser_weight)
    return Gaussian(sensitivity, claim, draws=kernel.max_queries * (kernel.parameters.columns + 1))


def _public(answered: _Answered) -> dict[str, npt.NDArray[Any]]:
    return dict(zip(ARRAYS, (answered.basis.points, answered.coefficients, answered.sums), strict=True))

"""Drawing a Gaussian process query by query from Cholesky rows, with a jitter that pays for all rounding.

With L the rows so far, ``L l = k``, ``s^2 = kappa + jitter - |l|^2`` and y_t = l . xi + s xi_t (xi the fresh normals so
far), the noise has covariance K_QQ + jitter I in exact arithmetic: the process of attention.lazy_covariance plus
independent N(0, jitter) a query, which is post-processing, in whatever order the queries come. With floats L L^T is
off by at most ``|E|_2 <= t ((t + 4) 2^-51 + e) k_max``; a jitter of at least that keeps ``L L^T >= K_QQ``, so the very
floats used are K_QQ plus further independent noise: no privacy is lost to rounding of L. The charge is a variance of
kappa + jitter. Proof idea: Cov(y) = L L^T; backward error of Cholesky; |E|_2 <= t max |E_ij|. Unit: sigma^2.

Source: derived here; Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, Theorem 10.3.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.linalg

from dpverify.spec.attention import lazy_covariance
from dpverify.spec.attention._ratio import CTX
from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Choice, Integer, Real
from dpverify.spec.core.hypotheses import at_least
from dpverify.spec.core.lemma import Lemma, Source

Array = npt.NDArray[np.float64]


def next_row(factor: Array, cross: Array, own: float, jitter: float) -> tuple[Array, float]:
    """(l, s): the new row of the Cholesky factor, the query's noise being sigma (l . xi + s xi_t).

    Args:
        factor: L, lower triangular, shape (t, t); cross: kernel of the new query with the earlier ones, shape (t,).
        own: kappa; jitter: at least :func:`least_jitter`; then s > 0 (s = 0 would leave no next row).
    """
    if len(factor) == 0:
        return np.zeros(0), math.sqrt(own + jitter)
    row = np.asarray(scipy.linalg.solve_triangular(factor, cross, lower=True, check_finite=False), dtype=np.float64)
    return row, math.sqrt(max(0.0, own + jitter - float(row @ row)))


def least_jitter(queries: int, kernel_max: float, relative_error: float) -> float:
    """Jitter that covers the rounding of ``queries`` rows; at most kernel_max, or the bound says nothing.

    Args:
        kernel_max: bound on every k(q, q); relative_error: of each float kernel value (kernel.nystrom_norm).
    """
    return queries * ((queries + 4) * 2.0**-51 + 1.01 * relative_error) * kernel_max


def oracle(queries: npt.NDArray[np.float64], scale: float) -> npt.NDArray[np.object_]:
    """exp(scale <q, q'>) for all pairs, at 60 digits."""
    return lazy_covariance.oracle(queries, scale)


def conclude(
    *, queries: int, dimension: int, scale: float, stretch: float, close: float, seed: int
) -> tuple[Comparison, ...]:
    rng = np.random.default_rng(seed)
    asked = rng.normal(size=(queries, dimension))
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    asked[queries // 2 :] = asked[0] + close * asked[queries // 2 :]  # the same query again, or nearly
    exact: Any = oracle(asked, scale)
    kernel = exact.astype(np.float64)
    jitter = stretch * least_jitter(queries, float(kernel.max()), 2.0**-52)
    factor = np.zeros((queries, queries))
    for t in range(queries):
        factor[t, :t], factor[t, t] = next_row(factor[:t, :t], kernel[:t, t], float(kernel[t, t]), jitter)
        if not factor[t, t] > 0.0:
            return (at_most(jitter / 2, factor[t, t], label="a row that leaves room for the next"),)
    rows = CTX.matrix(factor.tolist())
    covariance = np.array((rows * rows.T).tolist(), dtype=object)
    above = CTX.matrix((covariance - exact).tolist())
    least = min(CTX.eigsy((above + above.T) / 2, eigvals_only=True))
    unit = np.eye(queries) * jitter
    return (
        equal(covariance, exact + unit, slack=jitter / stretch, label="covariance"),
        at_most(0, least, slack=CTX.mpf(10) ** -40, label="kernel plus further noise"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="Noise drawn by Cholesky rows has the kernel plus jitter as covariance; enough jitter covers rounding.",
    claim="L L^T = K_QQ + jitter I + E,  |E|_2 <= t ((t+4) 2^-51 + e) k_max <= jitter  =>  L L^T >= K_QQ",
    source=Source("derived here; Higham, Accuracy and Stability", "2nd edition", "Theorem 10.3"),
    domain={
        "queries": Integer(1, 12),
        "dimension": Integer(1, 4),
        "scale": Real(1e-2, 8.0, log=True),
        "stretch": Real(1.0, 1e6, log=True),
        "close": Choice((0.0, 1e-12, 1e-7, 1e-3)),
        "seed": Integer(0, 2**31),
    },
    formula=next_row,
    oracle=oracle,
    conclude=conclude,
    hypotheses=at_least(1, "stretch"),
    theorems=("LazyDraw.next_row_covariance", "LazyDraw.jitter_covers"),
    trusts=("independent normals; the sum l . xi in floats: idealised numerics",),
)

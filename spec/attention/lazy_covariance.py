"""Drawing a Gaussian process query by query gives the covariance of drawing it at once.

If the noise of a new query is ``w^T y + s xi`` with y the earlier noise, ``K w = k``, ``s^2 = kappa - k^T w`` (K
the earlier queries' kernel matrix, k the new query's column, kappa its own entry) and xi a fresh standard
normal, then all noise together has covariance K_QQ (times sigma^2): adaptive answers with the exact kernel.
Proof idea: the conditional law of a Gaussian vector. K may be singular (a query asked twice): any solution w
serves, and s = 0. Unit: sigma.

Source: Hall, Rinaldo, Wasserman, JMLR 2013, for the process; the conditional law is classical.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.spec.attention._ratio import CTX
from dpverify.spec.core.comparison import Comparison, equal
from dpverify.spec.core.domain import Choice, Integer, Real
from dpverify.spec.core.lemma import Lemma, Source

RELATIVE_SLACK = 2.0**-40  # of the largest variance: least squares on a kernel matrix that may be singular


def next_draw(
    past: npt.NDArray[np.float64], cross: npt.NDArray[np.float64], own: float
) -> tuple[npt.NDArray[np.float64], float]:
    """(w, s) of the next query's noise ``w^T y + s xi``.

    Args:
        past: K, shape (t, t), kernel matrix of the earlier queries; cross: k, shape (t,); own: kappa.
    """
    if len(past) == 0:
        return np.zeros(0), float(np.sqrt(own))
    w = np.asarray(np.linalg.lstsq(past, cross, rcond=None)[0], dtype=np.float64)
    return w, float(np.sqrt(max(0.0, own - float(cross @ w))))


def oracle(queries: npt.NDArray[np.float64], scale: float) -> npt.NDArray[np.object_]:
    """exp(scale <q, q'>) for all pairs, at 60 digits."""
    rows = [[CTX.mpf(x) for x in row] for row in queries.tolist()]
    return np.array([[CTX.exp(CTX.mpf(scale) * CTX.fdot(a, b)) for b in rows] for a in rows], dtype=object)


def conclude(*, queries: int, dimension: int, scale: float, repeated: bool, seed: int) -> Comparison:
    asked = np.random.default_rng(seed).normal(size=(queries, dimension))
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    if repeated:
        asked[-1] = asked[0]
    exact: Any = oracle(asked, scale)
    kernel = exact.astype(np.float64)
    noise = np.zeros((queries, queries))  # row t: the noise of query t as a combination of the fresh normals
    for t in range(queries):
        w, s = next_draw(kernel[:t, :t], kernel[:t, t], float(kernel[t, t]))
        noise[t] = w @ noise[:t]
        noise[t, t] += s
    return equal(noise @ noise.T, exact, slack=RELATIVE_SLACK * float(kernel.max()) * queries, unit="sigma^2")


LEMMA = Lemma(
    module=__name__,
    statement="Noise drawn conditionally on earlier noise, query by query, has the kernel as its covariance.",
    claim="y_t = w^T y_<t + s xi_t, K w = k, s^2 = kappa - k^T w   =>   Cov(y) = K_QQ",
    source=Source("Hall, Rinaldo, Wasserman, JMLR", "2013", "the conditional law is classical"),
    domain={
        "queries": Integer(1, 8),
        "dimension": Integer(1, 4),
        "scale": Real(1e-2, 8.0, log=True),
        "repeated": Choice((False, True)),
        "seed": Integer(0, 2**31),
    },
    formula=next_draw,
    oracle=oracle,
    conclude=conclude,
    unproved="needs the Gaussian or chi-square law (improper integrals), which the proof libraries do not have",
    trusts=("real-valued Gaussian noise: idealised numerics",),
)

"""How far landmark features are from the kernel at one query, from public numbers.

For phi(x) = A k(Z, x), any A, and any vector p in place of phi(q), with beta = A^T p: ``k(q, x) - <p, phi(x)> =
<k_q - sum_j beta_j k_{z_j}, k_x>``, hence at most ``residual(q) sqrt(k(x, x))``, residual(q)^2 = k(q, q) - 2
<beta, k(Z, q)> + beta^T K_ZZ beta; attained where k_x is parallel to the residual. If also ``A K_ZZ A^T <= I`` and
p = phi(q), it is at most ``sqrt(k(q,q) - |phi(q)|^2) sqrt(k(x,x) - |phi(x)|^2)`` (no projection needed). Proof idea:
Cauchy-Schwarz, in the second form for the positive map I - T^*T, T f = A f(Z). Unit of the kernel.

Source: derived here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.hypotheses import at_least
from dpverify.spec.core.lemma import Lemma, Source
from dpverify.spec.kernel._nystrom import CTX, contraction, kernel, norm, whitened

Array = npt.NDArray[np.float64]
TERMS = 90  # of the exponential series: below 1e-60 of it for scale |x y| <= 8


def residual(factor: Array, features: Array, gram: Array, cross: Array, own: Array, relative_error: float) -> Array:
    """residual(q) of each query, shape (t,), rounded up by what float rounding may hide.

    Args:
        factor: A, shape (r, m); features: the p that answers use, shape (r, t); gram: K_ZZ, (m, m); cross: k(Z, q),
            (m, t); own: k(q, q), (t,); relative_error: of each float kernel value (kernel.nystrom_norm).
    """
    beta = factor.T @ features
    square = own - 2.0 * (beta * cross).sum(axis=0) + (beta * (gram @ beta)).sum(axis=0)
    loose = (sum(factor.shape) + 8) * 2.0**-52
    size = own + 2.0 * (np.abs(beta) * cross).sum(axis=0) + (np.abs(beta) * (gram @ np.abs(beta))).sum(axis=0)
    hidden = np.sqrt(np.maximum(square, 0.0) + (loose + 1.01 * relative_error) * size)
    off = loose * (np.sqrt(np.diag(gram))[:, None] * (np.abs(factor).T @ np.abs(features))).sum(axis=0)  # of beta
    return np.asarray((hidden + off) * (1.0 + 2.0**-50))


def factors(
    residual: float, key_kernel_max: float, weight_min: float, key_deviation: float = 0.0
) -> tuple[float, float]:
    """(low, high): every weight is met up to such a factor, rounded outward; low <= 0 says nothing.

    Args:
        residual: of the query, or its largest over the queries; key_kernel_max: bound on k(x, x) of the keys.
        weight_min: least exact weight, of that query or of the domain.
        key_deviation: |p|_2 times the l2 deviation of the keys' rounded features from A k(Z, x).
    """
    relative = (residual * math.sqrt(key_kernel_max) + key_deviation) / weight_min * (1.0 + 2.0**-50)
    return math.nextafter(1.0 - relative, -math.inf), math.nextafter(1.0 + relative, math.inf)


def oracle(scale: float, points: list[Any], beta: list[Any], query: Any) -> list[Any]:
    """k_q - sum_j beta_j k_{z_j} on the line, in the coordinates x^j sqrt(scale^j / j!) of the exponential kernel."""
    root = [CTX.sqrt(CTX.mpf(scale) ** j / CTX.factorial(j)) for j in range(TERMS)]
    return [r * (query**j - CTX.fsum(b * z**j for b, z in zip(beta, points, strict=True))) for j, r in enumerate(root)]


def conclude(*, landmarks: int, rows: int, scale: float, share: float, seed: int) -> tuple[Comparison, ...]:
    rng = np.random.default_rng(seed)
    z = [[CTX.mpf(x)] for x in np.linspace(-1.0, 1.0, landmarks).tolist()]
    q, x = ([CTX.mpf(t)] for t in rng.uniform(-1.4, 1.4, 2).tolist())
    exact = CTX.matrix([[kernel(scale, a, b) for b in z] for a in z])
    inverse = CTX.cholesky(exact) ** -1
    b = contraction(rows, landmarks, CTX.mpf(share), rng)
    factor = np.array((b * inverse).tolist(), dtype=np.float64)
    cross = np.array([[float(kernel(scale, a, q[:1]))] for a in z])
    features = factor @ cross
    own = np.array([float(kernel(scale, q, q))])
    gram = np.array(exact.tolist(), dtype=np.float64)
    beta = list(CTX.matrix(factor.tolist()).T * CTX.matrix(features.tolist()))  # of the floats, exactly
    direction = oracle(scale, [a[0] for a in z], beta, q[0])
    size = norm(direction)
    claimed = float(residual(factor, features, gram, cross, own, 2.0**-52)[0])
    phi_x = CTX.matrix(factor.tolist()) * CTX.matrix([kernel(scale, a, x) for a in z])
    missed = abs(kernel(scale, q, x) - CTX.fdot(features[:, 0].tolist(), phi_x))
    low, high = factors(claimed, float(kernel(scale, x, x)), float(kernel(scale, q, x)))
    seen = CTX.fdot(features[:, 0].tolist(), phi_x) / kernel(scale, q, x)
    without = factors(math.sqrt(own[0]), float(own[0]), float(own[0]))
    gap = [kernel(scale, p, p) - norm(b * whitened(scale, z, p)) ** 2 for p in (q, x)]
    exactly = abs(kernel(scale, q, x) - CTX.fdot(b * whitened(scale, z, q), b * whitened(scale, z, x)))
    return (
        at_most(size, claimed, label="residual, never above"),
        equal(claimed, size, slack=2.0**-20 * CTX.sqrt(kernel(scale, q, q)), label="residual, close"),
        at_most(missed, claimed * CTX.sqrt(kernel(scale, x, x)), label="kernel error"),
        at_most([low, seen], [seen, high], label="factors"),
        equal(without, [0, 2], slack=2.0**-49, label="factors, attained by p = 0 at x = q"),
        at_most(exactly, CTX.sqrt(gap[0] * gap[1]), slack=CTX.mpf(10) ** -25, label="contraction"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="The kernel error of landmark features at a query is bounded by a residual norm of public numbers.",
    claim="|k(q,x) - <p, A k(Z,x)>| <= |k_q - sum_j (A^T p)_j k_zj| sqrt(k(x,x))",
    source=Source("derived here", "", ""),
    domain={
        "landmarks": Integer(1, 6),
        "rows": Integer(1, 6),
        "scale": Real(0.2, 3.0, log=True),
        "share": Real(0.1, 1.0),
        "seed": Integer(0, 2**31),
    },
    formula=residual,
    oracle=oracle,
    conclude=conclude,
    hypotheses=at_least(1, "landmarks"),
    theorems=("Nystrom.residual_error", "Nystrom.residual_error_contraction"),
    trusts=("the kernel is positive definite", "float evaluation within the rounding that is added"),
)

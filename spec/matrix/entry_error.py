"""What a relative error of the covariance, in all directions at once, means for its entries.

If ``(1 - rho) Sigma <= Sigma_hat <= (1 + rho) Sigma`` (matrix.sampling_error_uniform), every entry is within
``rho sqrt(Sigma_ii Sigma_jj)``; attained. Proof idea: the difference is ``rho Sigma^{1/2} U Sigma^{1/2}`` with |U| <=
1, and Cauchy-Schwarz; the reflection that turns the direction of one row into that of the other attains it. Unit of
the covariance.

Source: derived here; arXiv 2305.04701 uses an entrywise error of the attention matrix.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dpverify.spec.attention._ratio import CTX, largest
from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.hypotheses import at_least
from dpverify.spec.core.lemma import Lemma, Source

RELATIVE_SLACK = 2.0**-50


def entry_error(rho: float, variance: float, other_variance: float) -> float:
    """rho sqrt(Sigma_ii Sigma_jj); relative error below 2^-50."""
    return rho * math.sqrt(variance) * math.sqrt(other_variance)


def oracle(rho: float, row: list[Any], other: list[Any]) -> Any:
    """Largest ``rho row^T U other`` over all reflections U of the plane, Sigma_ij = <row_i, row_j>, by search."""

    def entry(angle: Any) -> Any:
        c, s = CTX.cos(angle), CTX.sin(angle)
        return rho * (row[0] * (c * other[0] + s * other[1]) + row[1] * (s * other[0] - c * other[1]))

    best = max((CTX.pi * j / 8 for j in range(16)), key=entry)
    return largest(entry, best - CTX.pi / 8, best + CTX.pi / 8)


def conclude(*, rho: float, dimension: int, seed: int) -> tuple[Comparison, ...]:
    rng = np.random.default_rng(seed)
    a, b = ([CTX.mpf(x) for x in row] for row in rng.normal(size=(2, 2)).tolist())
    claimed = entry_error(rho, float(CTX.fdot(a, a)), float(CTX.fdot(b, b)))
    extreme = oracle(rho, a, b)
    rows, turn = rng.normal(size=(dimension, dimension)), np.linalg.qr(rng.normal(size=(dimension, dimension)))[0]
    moved = rho * rows @ (turn * rng.uniform(-1.0, 1.0, dimension)) @ turn.T @ rows.T  # of norm at most rho Sigma
    scale = np.linalg.norm(rows, axis=1)
    bounds = [entry_error(rho, x * x, y * y) for x in scale.tolist() for y in scale.tolist()]
    return (
        equal(extreme, claimed, slack=RELATIVE_SLACK * extreme, label="attained by a reflection"),
        at_most(np.abs(moved).ravel(), bounds, slack=[1e-12 * abs(x) for x in bounds], label="random estimates"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="A relative error rho of the covariance in every direction moves an entry by at most this, attained.",
    claim="|Sigma_hat - Sigma|_ij <= rho sqrt(Sigma_ii Sigma_jj)",
    source=Source("derived here; compare arXiv 2305.04701", "", ""),
    domain={"rho": Real(1e-6, 2.0, log=True), "dimension": Integer(1, 8), "seed": Integer(0, 2**31)},
    formula=entry_error,
    oracle=oracle,
    conclude=conclude,
    unproved="needs the Gaussian or chi-square law (improper integrals), which the proof libraries do not have",
    hypotheses=at_least(0, "rho"),
    trusts=("float64 evaluation within the stated slack",),
)

"""The error that the noise of the functional release adds to one answer.

The release's entries carry i.i.d. N(0, sigma^2). At a query with features phi, numerator column j is off by e1_j
~ N(0, sigma^2 |phi|^2) and the normaliser by e2 / c, e2 ~ N(0, sigma^2 |phi|^2), independent; so ``e1_j - nu_j
e2 / c`` has standard deviation ``sigma |phi| sqrt(1 + (nu_j / c)^2)``, |nu_j| <= V. With
attention.noisy_ratio_clamped and a union over columns and its two events, every column is within ``sigma |phi|
sqrt(1 + (V/c)^2) z / D_min`` of the noise-free ratio, except with probability beta; z = -Phi^-1(beta / (4
columns)). Unit of the values.

Source: derived here. Rounding of sampled noise to a grid is extra (at most half a grid step times |phi|_1 each).
"""

from __future__ import annotations

import math
from typing import Any

import scipy.special

from dpverify.spec.attention._functional import sum_tail
from dpverify.spec.attention._ratio import CTX
from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.hypotheses import at_least, positive
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions

RELATIVE_SLACK = 1e-11  # of a probability; a relative error r of the quantile z is one of about z^2 r


def deviation(
    sigma: float,
    feature_norm: float,
    value_bound: float,
    normaliser_weight: float,
    columns: int,
    failure_probability: float,
    denominator_min: float,
) -> float:
    """Bound on the noise's part of every column's error; fails with probability at most ``failure_probability``.

    Args:
        sigma: standard deviation of each released entry, in units of the value times the feature.
        feature_norm: |phi(q)|_2 of the query; value_bound: V, bound on each entry of the values.
        normaliser_weight: c; columns: d_v; denominator_min: public lower bound of the noise-free normaliser.
    """
    quantile = -float(scipy.special.ndtri(failure_probability / (4.0 * columns)))
    return sigma * feature_norm * math.hypot(1.0, value_bound / normaliser_weight) * quantile / denominator_min


def oracle(small: float, large: float, threshold: float) -> Any:
    """P[|X + Y| > threshold], X and Y normal with those deviations, small <= large: by convolution."""
    return at_two_precisions(lambda ctx: sum_tail(ctx, small, large, threshold), digits=20, agreement=15)


def conclude(
    *,
    sigma: float,
    feature_norm: float,
    value_bound: float,
    normaliser_weight: float,
    columns: int,
    log10_failure: float,
) -> tuple[Comparison, ...]:
    beta, own = 10.0**log10_failure, sigma * feature_norm
    threshold = deviation(sigma, feature_norm, value_bound, normaliser_weight, columns, beta, 1.0)
    other = own * value_bound / normaliser_weight
    share = beta / (2 * columns)
    combined = oracle(min(own, other), max(own, other), threshold)
    numerator = CTX.erfc(threshold / (own * CTX.sqrt(2)))
    halved = deviation(sigma, feature_norm, value_bound, normaliser_weight, columns, beta, 2.0)
    return (
        equal(combined, share, slack=RELATIVE_SLACK * share, label="P[|e1 - V e2/c| > deviation D_min]"),
        at_most(combined + numerator, 2 * share, slack=4 * RELATIVE_SLACK * share, label="both events"),
        equal(halved, threshold / 2, slack=2.0**-52 * abs(threshold), label="scales with 1 / D_min"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="The noise of the functional release moves every column of an answer by at most this, but for beta.",
    claim="P[max_j |noisy_j - exact_j| > sigma |phi| sqrt(1 + (V/c)^2) z/D_min] <= beta,  Phi(-z) = beta/(4 d_v)",
    source=Source("derived here", "", ""),
    domain={
        "sigma": Real(1e-3, 1e6, log=True),
        "feature_norm": Real(0.5, 1e4, log=True),
        "value_bound": Real(1e-2, 1e3, log=True),
        "normaliser_weight": Real(1e-2, 1e3, log=True),
        "columns": Integer(1, 64),
        "log10_failure": Real(-30.0, -0.05),
    },
    formula=deviation,
    oracle=oracle,
    conclude=conclude,
    unproved="needs the Gaussian or chi-square law (improper integrals), which the proof libraries do not have",
    hypotheses=(
        *at_least(1, "columns"),
        Hypothesis("0 < failure_probability < 1", ("failure_probability",), lambda p: 0 < p["failure_probability"] < 1),
        *positive("denominator_min", "normaliser_weight"),
    ),
    trusts=("scipy.special.ndtri within the stated slack",),
)

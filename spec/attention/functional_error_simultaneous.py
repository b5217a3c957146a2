"""The error that the noise of the functional release adds to any answer, for all queries of a domain at once.

As in attention.functional_error, column j is off by at most ``max(|e1_j|, |e1_j - nu_j e2/c|) / D_min``, |nu_j| <= V.
At each query this is convex in nu_j, so at most the larger of ``|e1_j + (V/c) e2|`` and ``|e1_j - (V/c) e2|``: two
processes ``sigma |phi(q)| sqrt(1 + (V/c)^2) <psi(q), N>``, psi = phi/|phi|. With t from adaptive.gaussian_supremum at
beta / (2 columns), every column of every answer, chosen adaptively or not, is within ``sigma |phi(q)| sqrt(1 + (V/c)^2)
t / D_min(q)``, except with probability beta: t in place of the quantile of one query. Unit of the values.

Source: derived here. Rounding of sampled noise to a grid is extra (at most half a grid step times |phi|_1 each).
"""

from __future__ import annotations

import math
from typing import Any

from dpverify.spec.adaptive import gaussian_supremum
from dpverify.spec.attention import functional_error
from dpverify.spec.attention._ratio import CTX
from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.lemma import Lemma, Source
from dpverify.spec.kernel import feature_lipschitz

RELATIVE_SLACK = 1e-8  # of a probability: supremum is a relative 2^-40 above its formula, times z^2


def simultaneous_deviation(
    sigma: float,
    feature_norm: float,
    value_bound: float,
    normaliser_weight: float,
    columns: int,
    failure_probability: float,
    denominator_min: float,
    *,
    scale: float | None,
    shape: str,
    radius: float,
    dimension: int,
    features: int | None,
) -> float:
    """Bound on the noise's part of every column at every query; fails with probability at most failure_probability.

    Args:
        sigma, value_bound, normaliser_weight, columns: as in functional_error.deviation.
        feature_norm, denominator_min: of the query at hand, or the largest and least of the domain; for landmark
            features, feature_norm = sqrt((1 + eta) k(q, q)), not |phi(q)|.
        scale: of the logits; None for features without kernel.feature_lipschitz (random ones).
        shape, radius, dimension: the domain of queries ("ball", "box", "positive_box").
        features: r; None for the exact kernel.
    """
    lipschitz = math.inf if scale is None else feature_lipschitz.lipschitz(scale)
    share = failure_probability / (2.0 * columns)
    t = gaussian_supremum.supremum(lipschitz, shape, radius, dimension, features, share)
    return sigma * feature_norm * math.hypot(1.0, value_bound / normaliser_weight) * t / denominator_min


def oracle(sigma: float, ratio: float, threshold: float) -> Any:
    """P[max over nu in [-1, 1] of |e1 - nu ratio e2| > threshold], both N(0, sigma^2): at most twice one end's tail.

    With a single feature psi(q) = 1 or -1, so that all queries fail together: the tail of a sum of two normals.
    """
    return 2 * functional_error.oracle(sigma * min(1.0, ratio), sigma * max(1.0, ratio), threshold)


def conclude(
    *,
    sigma: float,
    value_bound: float,
    normaliser_weight: float,
    columns: int,
    log10_failure: float,
    scale: float,
    radius: float,
    dimension: int,
) -> tuple[Comparison, ...]:
    p, sizes = 10.0**log10_failure, (value_bound, normaliser_weight, columns)
    domain: dict[str, Any] = {"shape": "ball", "radius": radius, "dimension": dimension}
    one = simultaneous_deviation(sigma, 1.0, *sizes, p, 1.0, scale=scale, features=1, **domain)
    found = [
        simultaneous_deviation(sigma, 1.0, *sizes, p, 1.0, scale=scale, features=r, **domain) for r in (2, 50, None)
    ]
    scaled = simultaneous_deviation(2 * sigma, 3.0, *sizes, p, 5.0, scale=scale, features=50, **domain)
    share = CTX.mpf(p) / columns
    single = functional_error.deviation(sigma, 1.0, *sizes, p, 1.0)
    return (
        equal(oracle(sigma, value_bound / normaliser_weight, one), share, slack=RELATIVE_SLACK * share, label="r = 1"),
        at_most([single, single, single], found, label="not below one query"),
        at_most(found[1], found[2], label="the features' number only helps"),
        equal(scaled, found[1] * 6 / 5, slack=2.0**-48 * abs(found[1]), label="scales with sigma |phi| / D_min"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="The noise of the functional release moves every column of every answer by at most this, but for beta.",
    claim="P[some q, j: |noisy - exact| > sigma |phi(q)| sqrt(1 + (V/c)^2) t/D_min(q)] <= beta,  t at beta/(2 d_v)",
    source=Source("derived here", "", ""),
    domain={
        "sigma": Real(1e-3, 1e6, log=True),
        "value_bound": Real(1e-2, 1e3, log=True),
        "normaliser_weight": Real(1e-2, 1e3, log=True),
        "columns": Integer(1, 64),
        "log10_failure": Real(-15.0, -0.05),
        "scale": Real(1e-2, 10.0, log=True),
        "radius": Real(1e-2, 5.0, log=True),
        "dimension": Integer(1, 64),
    },
    formula=simultaneous_deviation,
    oracle=oracle,
    conclude=conclude,
    hypotheses=functional_error.LEMMA.hypotheses,
    unproved="needs the Gaussian or chi-square law (improper integrals), which the proof libraries do not have",
    trusts=("adaptive.gaussian_supremum", "kernel.feature_lipschitz where scale is given"),
)

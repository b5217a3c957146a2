"""How well k draws of the Gaussian sampling mechanism estimate one quadratic form of the covariance.

For g_1..g_k ~ N(0, Sigma) and a fixed u, ``u^T Sigma_hat u / u^T Sigma u`` is chi-square of k degrees of freedom
over k. So with probability at least 1 - gamma it lies within 1 +- rho, rho = (upper gamma/2 quantile) / k - 1,
the larger of the two sides; the upper side is met with probability gamma/2 exactly. Proof idea: <u, g_i> are
i.i.d. normal. Relative error.

Source: derived here; it makes the O(.) of arXiv 2305.04701's utility exact for one direction (no union over all).
"""

from __future__ import annotations

from typing import Any

import scipy.special

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.hypotheses import at_least
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions
from dpverify.spec.matrix._radius import density, integral

PROBABILITY_SLACK = 1e-9  # relative; scipy's inverse, whose error the tail magnifies


def relative_error(samples: int, failure_probability: float) -> float:
    """rho with P[|u^T Sigma_hat u - u^T Sigma u| > rho u^T Sigma u] <= failure_probability, for one fixed u."""
    return float(scipy.special.gammainccinv(samples / 2, failure_probability / 2)) * 2.0 / samples - 1.0


def oracle(samples: int, rho: float) -> tuple[Any, Any]:
    """(P[Y/k > 1 + rho], P[Y/k < 1 - rho]) by integrating the density of the draws' radius, Y = radius^2."""

    def tail(ctx: Any, side: int) -> Any:
        edge = ctx.sqrt(samples * max(0, 1 + side * ctx.mpf(rho)))
        return integral(ctx, density(ctx, samples), samples, edge, side > 0) if edge > 0 else ctx.mpf(0)

    def probability(side: int) -> Any:
        return at_two_precisions(lambda ctx: tail(ctx, side), digits=15, agreement=11)

    return probability(1), probability(-1)


def conclude(*, samples: int, failure_probability: float) -> tuple[Comparison, ...]:
    above, below = oracle(samples, relative_error(samples, failure_probability))
    slack = PROBABILITY_SLACK * failure_probability
    return (
        equal(above, failure_probability / 2, slack=slack, unit="probability", label="upper side"),
        at_most(above + below, failure_probability, slack=slack, unit="probability", label="both sides"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="k Gaussian samples estimate any one quadratic form of the covariance within this relative error.",
    claim="P[|u^T Sigma_hat u / u^T Sigma u - 1| > rho] <= gamma,  rho = chi2_k quantile(1 - gamma/2)/k - 1",
    source=Source("derived here; compare arXiv 2305.04701", "", ""),
    domain={"samples": Integer(1, 400), "failure_probability": Real(1e-12, 0.2, log=True)},
    formula=relative_error,
    oracle=oracle,
    conclude=conclude,
    unproved="needs the Gaussian or chi-square law (improper integrals), which the proof libraries do not have",
    hypotheses=(
        *at_least(1, "samples"),
        Hypothesis(
            "0 < failure_probability <= 0.2",
            ("failure_probability",),
            lambda p: 0 < p["failure_probability"] <= 0.2,
        ),
    ),
    trusts=("scipy's inverse incomplete gamma function within the stated slack",),
)

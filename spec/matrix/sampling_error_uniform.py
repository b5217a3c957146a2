"""How well k draws of the Gaussian sampling mechanism estimate the covariance, in all directions at once.

With probability at least 1 - gamma, ``(1 - rho) Sigma <= Sigma_hat <= (1 + rho) Sigma`` in the positive semi-definite
order, ``rho = 2 a + a^2``, ``a = (sqrt(m) + sqrt(2 ln(2/gamma))) / sqrt(k)``, m the dimension: with explicit
constants, the published ``O(sqrt((m + ln 1/gamma)/k) + (m + ln 1/gamma)/k)``. Proof idea: the singular values of a
k x m Gaussian matrix concentrate (Gordon's comparison). A singular Sigma is estimated exactly on its kernel.

Source: Davidson, Szarek 2001, Theorem II.13, for the singular values; arXiv 2305.04701 for the use.
"""

from __future__ import annotations

import math
from typing import Any

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.hypotheses import at_least
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions, context
from dpverify.spec.matrix._radius import density, integral, largest_beyond, smallest_below

RELATIVE_SLACK = 2.0**-44
LOOSE = 1e-3  # of gamma, at most, is what the exact probability reaches where gamma <= 0.003


def relative_error(samples: int, dimension: int, failure_probability: float) -> float:
    """rho; relative error below 2^-48."""
    a = (math.sqrt(dimension) + math.sqrt(2.0 * math.log(2.0 / failure_probability))) / math.sqrt(samples)
    return a * (2.0 + a)


def oracle(samples: int, dimension: int, rho: float) -> Any:
    """P[largest eigenvalue > 1 + rho] + P[smallest < 1 - rho] of the estimate of I, for dimension 1 or 2.

    From the density of the draws' radius, or from the joint density of the two eigenvalues.
    """

    def probability(ctx: Any) -> Any:
        high, low = samples * (1 + ctx.mpf(rho)), samples * max(0, 1 - ctx.mpf(rho))
        if dimension == 2:
            return largest_beyond(ctx, samples, high) + (smallest_below(ctx, samples, low) if low else 0)
        own = density(ctx, samples)
        beyond = integral(ctx, own, samples, ctx.sqrt(high), above=True)
        return beyond + (integral(ctx, own, samples, ctx.sqrt(low), above=False) if low else 0)

    return at_two_precisions(probability, digits=15, agreement=8)


def tail(samples: int, dimension: int, rho: float) -> Any:
    """The published tail bound at rho, 2 exp(-t^2/2) with (1 + (sqrt(m) + t)/sqrt(k))^2 = 1 + rho, at 60 digits."""
    ctx = context(60)
    t = ctx.sqrt(samples) * (ctx.sqrt(max(0, 1 + ctx.mpf(rho))) - 1) - ctx.sqrt(dimension)
    return 2 * ctx.exp(-t * t / 2)


def conclude(*, samples: int, dimension: int, log10_failure: float) -> tuple[Comparison, ...]:
    gamma = 10.0**log10_failure
    rho = relative_error(samples, dimension, gamma)
    bound = tail(samples, dimension, rho)
    published = equal(
        bound, gamma, slack=RELATIVE_SLACK * gamma, unit="probability", label="the published tail is gamma"
    )
    if not published.holds:
        return (published,)
    exact, short = oracle(samples, dimension, rho), oracle(samples, dimension, rho / 4)
    return (
        published,
        at_most(exact, LOOSE * gamma, slack=0, unit="probability", label="held, with room"),
        at_most(gamma, short, slack=0, unit="probability", label="false at a quarter of rho"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="k Gaussian samples estimate the covariance in all directions at once within this relative error.",
    claim="P[not (1 - rho) Sigma <= Sigma_hat <= (1 + rho) Sigma] <= gamma,  rho = (1 + (sqrt m + t)/sqrt k)^2 - 1",
    source=Source("Davidson, Szarek", "2001", "Theorem II.13; compare arXiv 2305.04701"),
    domain={"samples": Integer(4, 80), "dimension": Integer(1, 2), "log10_failure": Real(-9.0, -2.5)},
    formula=relative_error,
    oracle=oracle,
    conclude=conclude,
    unproved="needs the Gaussian or chi-square law (improper integrals), which the proof libraries do not have",
    hypotheses=(
        *at_least(1, "samples", "dimension"),
        Hypothesis("0 < failure_probability < 1", ("failure_probability",), lambda p: 0 < p["failure_probability"] < 1),
    ),
    trusts=("the singular-value theorem beyond dimension 2, where no exact law is integrated here",),
)

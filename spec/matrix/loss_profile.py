"""The exact privacy profile of the Gaussian sampling mechanism, where the neighbours' covariances have one ratio.

g_1..g_k ~ N(0, Sigma) are drawn; the neighbour has Sigma', and ``Sigma^{1/2} Sigma'^{-1} Sigma^{1/2}`` has m
eigenvalues lambda and otherwise 1. The loss is ``(lambda - 1) Y / 2 - (k m / 2) ln lambda`` with Y chi-square of
k m degrees of freedom under Sigma and Y lambda so under Sigma'; hence ``delta(eps) = P[Y > y] - e^eps P[Y >
lambda y]``, y = (2 eps + k m ln lambda) / (lambda - 1), for lambda > 1, and with < for lambda < 1. Proof idea:
the likelihood ratio is monotone in Y. A probability.

Source: derived here; arXiv 2305.04701 bounds it through Alabi et al. 2022 (far from tight).
"""

from __future__ import annotations

import math
from typing import Any

import scipy.special

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Choice, Integer, Real
from dpverify.spec.core.hypotheses import at_least
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions, context
from dpverify.spec.matrix._radius import mass_of_gain

TAIL_SLACK = 2.0**-36  # of P[loss > eps]: scipy's incomplete gamma functions, twice


def delta(epsilon: float, eigenvalue: float, samples: int, multiplicity: int = 1) -> float:
    """Smallest delta at epsilon, over-estimated by at most 2^-36 P[loss > epsilon]; one direction (swap: 1/lambda)."""
    freedom = samples * multiplicity
    edge = (2.0 * epsilon + freedom * math.log(eigenvalue)) / (eigenvalue - 1.0)
    if edge <= 0.0:
        return 0.0  # lambda < 1 and the loss never exceeds epsilon
    tail = scipy.special.gammaincc if eigenvalue > 1.0 else scipy.special.gammainc
    own, other = float(tail(freedom / 2, edge / 2)), float(tail(freedom / 2, eigenvalue * edge / 2))
    return max(0.0, own - math.exp(epsilon) * other) + TAIL_SLACK / 2 * own


def oracle(
    epsilon: float, eigenvalue: float, samples: int, multiplicity: int, charged: bool = True, absolute: float = 1e-300
) -> Any:
    """int (p - e^eps q)_+ over the draws' radius, which is sufficient for lambda; int p there if not ``charged``.

    Two precisions agree to 11 digits or to within ``absolute``.
    """

    def mass(ctx: Any) -> Any:
        return mass_of_gain(ctx, epsilon, eigenvalue, samples * multiplicity, charged)

    return at_two_precisions(mass, digits=15, agreement=11, absolute=absolute) if charged else mass(context(15))


def conclude(
    *, epsilon: float, eigenvalue: float, inverse: bool, samples: int, multiplicity: int
) -> tuple[Comparison, ...]:
    ratio = 1 / eigenvalue if inverse else eigenvalue
    claimed, exact = delta(epsilon, ratio, samples, multiplicity), oracle(epsilon, ratio, samples, multiplicity)
    tail = abs(oracle(epsilon, ratio, samples, multiplicity, charged=False))
    exact = max(exact, 0 * exact)  # if the loss never exceeds epsilon, a sliver around 0 was integrated
    return (
        at_most(exact, claimed, slack=1e-300, unit="probability", label="never below"),
        equal(claimed, exact, slack=TAIL_SLACK * tail + 1e-300, unit="probability", label="profile"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="The Gaussian sampling mechanism's exact privacy profile for covariances of one eigenvalue ratio.",
    claim="delta(eps) = P[Y > y] - e^eps P[Y > lambda y],  y = (2 eps + k m ln lambda)/(lambda - 1),  Y ~ chi2(k m)",
    source=Source("derived here; compare arXiv 2305.04701", "", ""),
    domain={
        "epsilon": Real(1e-3, 8.0, log=True),
        "eigenvalue": Real(1.05, 10.0, log=True),
        "inverse": Choice((False, True)),
        "samples": Integer(1, 60),
        "multiplicity": Integer(1, 3),
    },
    formula=delta,
    oracle=oracle,
    conclude=conclude,
    unproved="needs the Gaussian or chi-square law (improper integrals), which the proof libraries do not have",
    hypotheses=(
        Hypothesis("0 < eigenvalue, not 1", ("eigenvalue",), lambda p: p["eigenvalue"] > 0 and p["eigenvalue"] != 1),
        *at_least(1, "samples"),
    ),
    trusts=("scipy's incomplete gamma functions within the stated slack",),
)

"""The classical Gaussian calibration, and that it is proved only below epsilon = 1.

``sigma = sensitivity sqrt(2 ln(1.25/delta)) / epsilon`` is (epsilon, delta)-DP for epsilon < 1 (l2 sensitivity).
Proof idea: bound the Gaussian tail of the privacy loss. It wastes noise, and fails for large epsilon (at epsilon
= 10, delta = 1e-3 its true delta is 3.4e-3); use the exact profile instead. Unit: that of the data.

Source: Dwork, Roth 2014, Theorem A.1.
"""

from __future__ import annotations

import math
from typing import Any

from dpverify.spec.core.comparison import Comparison, at_most
from dpverify.spec.core.domain import Real
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions
from dpverify.spec.noise._enclosed import classical_enclosure
from dpverify.spec.noise._gaussian import divergence
from dpverify.spec.noise.gaussian_profile import sigma

# (epsilon, delta) and between which multiples of the least sigma the classical one lies there
LOOSENESS = ((0.9, 0.1, 2.16, 2.18), (0.5, 1e-6, 1.31, 1.32), (0.9, 1e-300, 1.0, 1.01))


def classical_sigma(epsilon: float, delta: float, sensitivity: float) -> float:
    """sigma for epsilon < 1; relative error below 2^-50."""
    return sensitivity * math.sqrt(2.0 * math.log(1.25 / delta)) / epsilon


def oracle(epsilon: float, sensitivity: float, sigma: float) -> Any:
    """The true delta: the integral of (p - e^epsilon q)_+ by quadrature."""
    return at_two_precisions(lambda ctx: divergence(ctx, epsilon, ctx.mpf(sensitivity) / ctx.mpf(sigma)), digits=40)


def conclude(*, epsilon: float, delta: float, sensitivity: float) -> list[Comparison]:
    exact = oracle(epsilon, sensitivity, classical_sigma(epsilon, delta, sensitivity))
    made = [at_most(exact, delta, unit="probability", label="private")]
    for e, d, low, high in LOOSENESS:
        wide, least = classical_sigma(e, d, sensitivity), sigma(e, d, sensitivity)
        where = f"at epsilon = {e}, delta = {d}"
        made.append(
            at_most(wide, high * least, unit="unit of the data", label=f"at most {high} times the least {where}")
        )
        made.append(
            at_most(low * least, wide, unit="unit of the data", label=f"at least {low} times the least {where}")
        )
    return made


LEMMA = Lemma(
    module=__name__,
    statement="The classical Gaussian calibration is private for epsilon below 1, with more noise than needed.",
    claim="sigma = Delta_2 sqrt(2 ln(1.25/delta))/eps is (eps, delta)-DP for eps < 1",
    source=Source("Dwork, Roth", "2014", "Theorem A.1"),
    domain={
        "epsilon": Real(1e-6, 0.999, log=True),
        "delta": Real(1e-300, 0.5, log=True),
        "sensitivity": Real(1e-3, 1e3, log=True),
    },
    formula=classical_sigma,
    oracle=oracle,
    conclude=conclude,
    unproved="needs the Gaussian or chi-square law (improper integrals), which the proof libraries do not have",
    hypotheses=(
        Hypothesis("0 < epsilon < 1", ("epsilon",), lambda p: 0 < p["epsilon"] < 1),
        Hypothesis("0 < delta <= 1/2", ("delta",), lambda p: 0 < p["delta"] <= 0.5),
        Hypothesis("0 < sensitivity", ("sensitivity",), lambda p: p["sensitivity"] > 0),
    ),
    enclosure=classical_enclosure(lambda *at: classical_sigma(*at)),
)

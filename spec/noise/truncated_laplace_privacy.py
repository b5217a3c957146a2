"""Truncated Laplace noise is (epsilon, delta)-private for one number, and delta is attained.

For a shift t <= sensitivity the divergence of z and z + t at epsilon is exactly T(t) = P[z > B - t] <= delta, with
equality at t = sensitivity. Proof idea: where both can land, the ratio of densities is at most e^(epsilon t /
sensitivity); the rest has mass T(t). Needs delta <= 1/2: otherwise B < sensitivity. Unit: probability.

Source: arXiv 2407.14717v3, Lemma 3.6; Geng, Ding, Guo, Kumar, AISTATS 2020, Theorem 1.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Real
from dpverify.spec.core.errors import OracleUnreliable
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions
from dpverify.spec.noise._shifted import sides
from dpverify.spec.noise._truncated_laplace import DOMAIN, HYPOTHESES, SUBNORMAL
from dpverify.spec.noise.truncated_laplace_tail import tail

RELATIVE_SLACK = 2.0**-45


def delta_at_shift(shift: float, sensitivity: float, epsilon: float, delta: float) -> float:
    """The divergence at epsilon of noise and shifted noise, |shift| <= sensitivity; relative error as for T."""
    return tail(abs(shift), sensitivity, epsilon, delta)


def oracle(shift: Fraction, sensitivity: float, epsilon: float, delta: float) -> Any:
    """Integral of (p - e^epsilon q)_+ in two parts: all of p where q = 0, nothing where the loss is <= epsilon."""

    def divergence(ctx: Any) -> Any:
        parts = sides(ctx, shift, sensitivity, epsilon, delta)
        if parts.worst_loss > Fraction(epsilon):
            raise OracleUnreliable(f"the privacy loss reaches {float(parts.worst_loss)} > epsilon = {epsilon}")
        return parts.unreached

    return at_two_precisions(divergence, digits=45)


def conclude(*, fraction: float, sensitivity: float, epsilon: float, delta: float) -> list[Comparison]:
    shift = Fraction(fraction) * Fraction(sensitivity)
    exact = oracle(shift, sensitivity, epsilon, delta)
    attained = oracle(Fraction(sensitivity), sensitivity, epsilon, delta)
    made = delta_at_shift(float(shift), sensitivity, epsilon, delta)
    return [
        equal(
            made,
            exact,
            slack=RELATIVE_SLACK * exact + SUBNORMAL,
            unit="probability",
            label="divergence at a shift",
        ),
        at_most(exact, delta, slack=1e-19 * attained, unit="probability", label="private"),
        equal(attained, delta, slack=1e-19 * attained, unit="probability", label="attained"),
    ]


LEMMA = Lemma(
    module=__name__,
    statement="Truncated Laplace noise on a number of that sensitivity is (eps, delta)-DP; delta is attained.",
    claim="H_eps(z || z + t) = P[z > B - t] <= delta for |t| <= Delta, with equality at |t| = Delta",
    source=Source("arXiv 2407.14717", "v3", "Lemma 3.6"),
    domain={"fraction": Real(1e-3, 1.0), **DOMAIN},
    formula=delta_at_shift,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(Hypothesis("0 < fraction <= 1", ("fraction",), lambda p: 0 < p["fraction"] <= 1), *HYPOTHESES),
    theorems=(
        "TLap.tlap_pointwise",
        "TLapFull.tlap_dp_full",
        "TLapFull.tlap_delta_tight",
        "VectorTLap.tlap_dp_shift",
    ),
    trusts=("float64 evaluation within the stated slack",),
)

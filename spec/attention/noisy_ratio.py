"""A ratio with noise in its numerator and denominator.

For D > 0 and |e2| < D, ``|(N+e1)/(D+e2) - N/D| <= (|e1| + |N/D| |e2|) / (D - |e2|)``, attained when e2 < 0 and
e1 has the sign of N. Proof idea: the difference is ``(e1 - (N/D) e2) / (D + e2)``. Unit of N/D.

Source: derived here; compare arXiv 2407.14717v3, main theorem.
"""

from __future__ import annotations

import math
from typing import Any

from dpverify.spec.attention._ratio import CTX
from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Real
from dpverify.spec.core.hypotheses import positive
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source

RELATIVE_SLACK = 2.0**-49


def error(ratio: float, denominator: float, noise_numerator: float, noise_denominator: float) -> float:
    """(|e1| + |ratio| |e2|) / (D - |e2|) with ratio = N/D; infinite if |e2| >= D.

    Relative error below 2^-49, times D / (D - |e2|) only if D or e2 is itself rounded.
    """
    rest = denominator - abs(noise_denominator)
    if rest <= 0.0:
        return math.inf
    return (abs(noise_numerator) + abs(ratio) * abs(noise_denominator)) / rest


def oracle(ratio: float, denominator: float, noise_numerator: float, noise_denominator: float) -> list[Any]:
    """|(N+e1)/(D+e2) - N/D| for the four signs of e1 and e2."""
    r, d = CTX.mpf(ratio), CTX.mpf(denominator)
    e1, e2 = CTX.mpf(noise_numerator), CTX.mpf(noise_denominator)
    return [abs((r * d + s1 * e1) / (d + s2 * e2) - r) for s1 in (-1, 1) for s2 in (-1, 1)]


def conclude(*, ratio: float, denominator: float, noise_numerator: float, fraction: float) -> tuple[Comparison, ...]:
    noise_denominator = fraction * denominator
    claimed = error(ratio, denominator, noise_numerator, noise_denominator)
    errors = oracle(ratio, denominator, noise_numerator, noise_denominator)
    slack = RELATIVE_SLACK * max(errors)
    return (
        at_most(errors, claimed, slack=slack, label="all four signs"),
        equal(max(errors), claimed, slack=slack, label="attained by one of them"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="Noise e1 and e2 in numerator and denominator moves a ratio by at most this much, sharp.",
    claim="|(N+e1)/(D+e2) - N/D| <= (|e1| + |N/D| |e2|)/(D - |e2|)",
    source=Source("derived here; compare arXiv 2407.14717", "v3", "main theorem"),
    domain={
        "ratio": Real(-100.0, 100.0),
        "denominator": Real(1e-3, 1e9, log=True),
        "noise_numerator": Real(1e-6, 1e6, log=True),
        "fraction": Real(1e-9, 0.999, log=True),
    },
    formula=error,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(
        *positive("denominator"),
        Hypothesis("|e2| < denominator", ("fraction",), lambda p: abs(p["fraction"]) < 1),
    ),
    theorems=("Ratio.noisy_ratio_error",),
    trusts=("float64 evaluation within the stated slack",),
)

"""When the Gaussian sampling mechanism is private, by the published condition; and that it is loose.

k draws of N(0, Sigma) are (epsilon, delta)-DP between neighbours Sigma, Sigma' with ``E = Sigma^{1/2} Sigma'^{-1}
Sigma^{1/2} - I`` if ``|E|_F <= Delta = min(eps / sqrt(8 k ln(1/delta)), eps / (8 ln(1/delta)))`` and Delta < 1.
Proof idea: the privacy loss is a sum of centred chi-squares, of which Bernstein's inequality bounds the tail. The
exact profile (matrix.loss_profile) is far below delta there, and above it at 16 times the distance. Without unit.

Source: Alabi, Kothari, Tankala, Venkat, Zhang 2022; used by arXiv 2305.04701.
"""

from __future__ import annotations

import math
from typing import Any

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Choice, Integer, Real
from dpverify.spec.core.hypotheses import at_least, positive
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.oracle import context
from dpverify.spec.matrix import loss_profile

RELATIVE_SLACK = 2.0**-49
LOOSE = 1e-6  # of delta, at most, is what the exact profile reaches at the condition's edge
FALSE_AT = 16  # times the distance


def allowed_distance(epsilon: float, delta: float, samples: int) -> float:
    """Largest |E|_F that the condition allows; relative error below 2^-49."""
    log = math.log(1.0 / delta)
    return min(epsilon / math.sqrt(8.0 * samples * log), epsilon / (8.0 * log))


def epsilon_of(distance: float, delta: float, samples: int) -> Any:
    """The least epsilon whose condition allows a distance: the two requirements solved for epsilon, at 60 digits."""
    ctx = context(60)
    log, far = -ctx.log(ctx.mpf(delta)), ctx.mpf(distance)
    return max(ctx.sqrt(8 * samples * log) * far, 8 * log * far)


def oracle(epsilon: float, change: float, samples: int, multiplicity: int, absolute: float) -> Any:
    """The exact delta, up to ``absolute``, where ``multiplicity`` eigenvalues of I + E are 1 + change."""
    return loss_profile.oracle(epsilon, 1 + change, samples, multiplicity, absolute=absolute)


def conclude(
    *, epsilon: float, delta: float, samples: int, multiplicity: int, grown: bool, swapped: bool
) -> tuple[Comparison, ...]:
    distance = allowed_distance(epsilon, delta, samples)
    published = equal(
        epsilon_of(distance, delta, samples),
        epsilon,
        slack=RELATIVE_SLACK * epsilon,
        unit="nats",
        label="the published constants",
    )
    if not published.holds:
        return (published,)  # no covariances need lie at such a distance
    part = distance / math.sqrt(multiplicity)
    change = part if grown else -part
    change = -change / (1 + change) if swapped else change
    exact = oracle(epsilon, change, samples, multiplicity, absolute=LOOSE * delta / 8)
    beyond = oracle(epsilon, FALSE_AT * part, samples, multiplicity, LOOSE * delta)
    return (
        published,
        at_most(exact, delta, slack=0, unit="probability", label="private"),
        at_most(exact, LOOSE * delta, slack=0, unit="probability", label="and loose"),
        at_most(delta, beyond, slack=0, unit="probability", label=f"false at {FALSE_AT} times the distance"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="k Gaussian samples are private if the covariances are this close; the condition is far from tight.",
    claim="|E|_F <= min(eps / sqrt(8 k ln(1/delta)), eps / (8 ln(1/delta))) < 1  =>  (eps, delta)-DP",
    source=Source("Alabi, Kothari, Tankala, Venkat, Zhang", "2022", "Gaussian sampling mechanism"),
    domain={
        "epsilon": Real(0.1, 4.0, log=True),
        "delta": Real(1e-6, 1e-2, log=True),
        "samples": Integer(16, 256),
        "multiplicity": Choice((1, 2)),
        "grown": Choice((False, True)),
        "swapped": Choice((False, True)),
    },
    formula=allowed_distance,
    oracle=oracle,
    conclude=conclude,
    unproved="needs the Gaussian or chi-square law (improper integrals), which the proof libraries do not have",
    hypotheses=(
        *positive("epsilon"),
        Hypothesis("0 < delta < 1", ("delta",), lambda p: 0 < p["delta"] < 1),
        *at_least(1, "samples"),
        Hypothesis("distance < 1", ("distance",), lambda p: p["distance"] < 1),
    ),
    trusts=("covariances whose ratio has one eigenvalue other than 1, repeated; the source proves the general case",),
)

"""A noisy ratio whose denominator is clamped and whose answer is projected: its error is never infinite.

Publicly D >= D_min > 0 and |N/D| <= V. The answer is ``(N+e1) / max(D+e2, D_min)`` projected onto [-V, V]. Then
``|answer - N/D| <= max(|e1|, |e1 - (N/D) e2|) / D_min``, and both terms are attained. Proof idea: clamping
replaces e2 by t e2 with t in [0, 1]; the error is ``|e1 - (N/D) t e2| / max(D+e2, D_min)``, convex in t;
projecting onto a set that contains N/D never adds error. Unit of N/D.

Source: derived here.
"""

from __future__ import annotations

from typing import Any

from dpverify.spec.attention._ratio import CTX
from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Choice, Real
from dpverify.spec.core.hypotheses import positive
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source

RELATIVE_SLACK = 2.0**-51


def error(noise_numerator: float, noise_combined: float, denominator_min: float) -> float:
    """max(|e1|, |noise_combined|) / D_min, noise_combined = e1 - (N/D) e2; relative error below 2^-51."""
    return max(abs(noise_numerator), abs(noise_combined)) / denominator_min


def oracle(ratio: Any, denominator: Any, e1: Any, e2: Any, denominator_min: Any, value_bound: Any) -> Any:
    """|answer - N/D| by carrying out the clamping and the projection, at 60 digits."""
    noisy = (ratio * denominator + e1) / max(denominator + e2, denominator_min)
    return abs(min(max(noisy, -value_bound), value_bound) - ratio)


def conclude(
    *, ratio: float, noise_numerator: float, noise: float, sign: int, denominator_min: float, factor: float
) -> tuple[Comparison, ...]:
    r, e1, e2, least = (CTX.mpf(x) for x in (ratio, noise_numerator, sign * noise, denominator_min))
    claimed = error(noise_numerator, float(e1 - r * e2), denominator_min)
    far = CTX.mpf("1e30")  # no projection
    places = (least * factor, least, least + abs(e2) / 2, least + abs(e2), least + 2 * abs(e2))
    free = [oracle(r, d, e1, e2, least, far) for d in places]
    projected = [oracle(r, d, e1, e2, least, max(abs(r), CTX.mpf(1))) for d in places]
    down = [oracle(r, d, e1, -abs(e2), least, far) for d in (least, least + abs(e2))]
    slack = RELATIVE_SLACK * max(free)
    return (
        at_most(free, claimed, slack=slack, label="clamped"),
        at_most(projected, free, slack=slack, label="projection adds nothing"),
        equal(
            max(down),
            error(noise_numerator, float(e1 + r * abs(e2)), denominator_min),
            slack=RELATIVE_SLACK * max(down),
            label="attained for e2 < 0",
        ),
    )


LEMMA = Lemma(
    module=__name__,
    statement="With the denominator clamped and the answer projected, the error is bounded without condition.",
    claim="|proj((N+e1)/max(D+e2, D_min)) - N/D| <= max(|e1|, |e1 - (N/D) e2|)/D_min",
    source=Source("derived here", "", ""),
    domain={
        "ratio": Real(-10.0, 10.0),
        "noise_numerator": Real(-1e4, 1e4),
        "noise": Real(1e-3, 1e6, log=True),
        "sign": Choice((-1, 1)),
        "denominator_min": Real(1e-2, 1e6, log=True),
        "factor": Real(1.0, 1e3, log=True),
    },
    formula=error,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(
        *positive("denominator_min"),
        Hypothesis("denominator >= denominator_min", ("factor",), lambda p: p["factor"] >= 1),
    ),
    theorems=("RatioOneSided.noisy_ratio_clamped_projected",),
    trusts=("float64 evaluation within the stated slack",),
)

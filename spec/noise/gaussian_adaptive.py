"""Gaussian noise on quantities that are chosen as one goes has the profile of one Gaussian.

At step t something is asked that may depend on all earlier noisy answers; neighbours' answers to it differ by mu_t, in
units of the noise. If ``sum_t |mu_t|^2 <= r^2`` on *every* path, all answers together have at most ``delta(epsilon) =
Phi(r/2 - epsilon/r) - e^epsilon Phi(-r/2 - epsilon/r)``, attained where every path spends r^2. Proof idea: give a last,
unreleased number the shift that is missing to r^2. Then the privacy loss is r^2/2 - sum <mu_t, z_t>, and ``E exp(i u
sum <mu_t, z_t> + u^2 r^2 / 2) = 1`` step by step, so the sum is N(0, r^2); leaving a number out only helps.

Source: derived here; compare Smith, Thakurta, Fully adaptive composition for Gaussian DP, arXiv 2210.17520.
"""

from __future__ import annotations

from typing import Any

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Real
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions
from dpverify.spec.noise._gaussian import profile

REACH = 8  # standard deviations of the first answer: less than 1e-14 lies beyond


def delta(epsilon: float, ratio: float) -> float:
    """Upper bound on the divergence at epsilon, for ``ratio`` = r; relative error below 2^-38."""
    return profile(epsilon, ratio)


def oracle(epsilon: float, ratio: float, first: float, saved: float) -> Any:
    """The divergence of two steps: the first shift is ``first`` r; after the answer y, the second has the square
    ``(1 - first^2) r^2 (1 - saved / (1 + y^2))``. By the trapezoidal rule over y, whose error falls exponentially."""
    return at_two_precisions(lambda ctx: _two_steps(ctx, epsilon, ratio, first, saved), digits=16, agreement=10)


def _two_steps(ctx: Any, epsilon: float, ratio: float, first: float, saved: float) -> Any:
    mu = ctx.mpf(first) * ratio
    rest = ctx.sqrt(ctx.mpf(ratio) ** 2 - mu**2)
    per_unit = 7 if ctx.dps <= 16 else 11
    total = ctx.mpf(0)
    for i in range(-REACH * per_unit, REACH * per_unit + 1):
        y = ctx.mpf(i) / per_unit
        spent = mu**2 / 2 - mu * y  # the privacy loss of the first answer
        second = rest * ctx.sqrt(1 - ctx.mpf(saved) / (1 + y * y))
        total += ctx.exp(-y * y / 2) * _profile(ctx, epsilon - spent, second)
    return total / (per_unit * ctx.sqrt(2 * ctx.pi))


def _profile(ctx: Any, epsilon: Any, shift: Any) -> Any:
    """Of N(0, 1) against N(shift, 1), for any real epsilon."""
    upper, lower = shift / 2 - epsilon / shift, -shift / 2 - epsilon / shift
    return ctx.erfc(-upper / ctx.sqrt(2)) / 2 - ctx.exp(epsilon) * ctx.erfc(-lower / ctx.sqrt(2)) / 2


def conclude(*, epsilon: float, ratio: float, first: float, saved: float) -> list[Comparison]:
    claimed = delta(epsilon, ratio)
    return [
        equal(oracle(epsilon, ratio, first, 0.0), claimed, slack=1e-10, unit="probability", label="all spent"),
        at_most(
            oracle(epsilon, ratio, first, saved),
            claimed,
            slack=1e-10,
            unit="probability",
            label="some paths spend less",
        ),
    ]


LEMMA = Lemma(
    module=__name__,
    statement="Adaptive queries with Gaussian noise are as private as one Gaussian, if every path keeps the budget.",
    claim="sum_t |mu_t|^2 <= r^2 on every path  =>  delta(eps) <= Phi(r/2 - eps/r) - e^eps Phi(-r/2 - eps/r)",
    source=Source("derived here; compare Smith, Thakurta", "arXiv 2210.17520", ""),
    domain={
        "epsilon": Real(0.05, 2.0, log=True),
        "ratio": Real(0.5, 2.0, log=True),
        "first": Real(0.2, 0.75),
        "saved": Real(0.1, 0.6),
    },
    formula=delta,
    oracle=oracle,
    conclude=conclude,
    unproved="needs the Gaussian law (improper integrals) and martingales, which the proof libraries do not have",
    hypotheses=(Hypothesis("0 < first < 1", ("first",), lambda p: 0 < p["first"] < 1),),
    trusts=("the budget is kept on every path", "scipy.special.erfcx and ndtr within the stated slack"),
)

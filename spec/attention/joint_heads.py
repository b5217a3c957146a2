"""Several Gaussian releases of the same rows as one mechanism: heads that share a budget.

If head h has l2 sensitivity Delta_h and independent noise N(0, sigma_h^2), all heads together are exactly as private
as one Gaussian mechanism of ratio ``mu = sqrt(sum_h (Delta_h / sigma_h)^2)``, even if one row touches every head.
Shares w_h > 0 with sum w_h <= 1: ``sigma_h = sigma(eps, delta) Delta_h / sqrt(w_h)``, that is, each head is built for
the whole claim as if its sensitivity were ``Delta_h / sqrt(w_h)``. Never more noise than splitting (eps, delta). Proof
idea: rescale head h by 1 / sigma_h; the noise is then isotropic and sensitivities add in squares. Unit of each head.

Source: derived here from noise.gaussian_profile (Balle, Wang, ICML 2018).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from dpverify.spec.attention._ratio import CTX
from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Real
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions
from dpverify.spec.core.rounding import sqrt_up
from dpverify.spec.noise import gaussian_profile

RELATIVE_SLACK = 2.0**-33  # of delta: that of gaussian_profile.sigma, with room for the quadrature


def effective(sensitivities: Sequence[float], shares: Sequence[float]) -> tuple[float, ...]:
    """``Delta_h / sqrt(w_h)``: the sensitivity to build each head with, for the whole claim; rounded up.

    Shares that add up to more than 1, by however little, are for :attr:`LEMMA`'s hypotheses to refuse.
    """
    pairs = zip(sensitivities, shares, strict=True)
    return tuple(sqrt_up(Fraction(size) ** 2 / Fraction(share)) for size, share in pairs)


def sigmas(epsilon: float, delta: float, sensitivities: Sequence[float], shares: Sequence[float]) -> tuple[float, ...]:
    """The noise of each head; together they keep (epsilon, delta)."""
    return tuple(gaussian_profile.sigma(epsilon, delta, size) for size in effective(sensitivities, shares))


def ratio(sensitivities: Sequence[float], sigmas: Sequence[float]) -> float:
    """mu, rounded up: all heads together are N(0, 1) against N(mu, 1) (``gaussian_profile.delta(eps, mu, 1.0)``)."""
    squares = ((Fraction(a) / Fraction(b)) ** 2 for a, b in zip(sensitivities, sigmas, strict=True))
    return sqrt_up(sum(squares, Fraction(0)))


def equal_shares(heads: int) -> tuple[float, ...]:
    """1/h each, rounded down so that they add up to at most 1."""
    share = 1.0 / heads
    return (share if Fraction(share) * heads <= 1 else math.nextafter(share, 0.0),) * heads


def oracle(epsilon: float, shifts: tuple[float, float]) -> Any:
    """Integral of (p - e^epsilon q)_+ over the plane, N(0, I) against N((shift_1, shift_2), I).

    Over the second coordinate it is the profile of one Gaussian, in error functions; over the first, trapezoids.
    """

    def integral(ctx: Any) -> Any:
        first, second = sorted(ctx.mpf(x) for x in shifts)  # the integrand over the first is smooth at scale one
        step, total = ctx.mpf(1) / (6 if ctx.dps > 30 else 4), ctx.mpf(0)
        for j in range(-int(11 / step), int(11 / step) + 1):
            z = step * j
            left = ctx.mpf(epsilon) - (first**2 / 2 - z * first)  # epsilon that the first coordinate leaves
            low, high = left / second - second / 2, left / second + second / 2
            inner = ctx.erfc(low / ctx.sqrt(2)) - ctx.exp(left) * ctx.erfc(high / ctx.sqrt(2))
            total += ctx.exp(-z * z / 2) * inner / 2
        return total * step / ctx.sqrt(2 * ctx.pi)

    return at_two_precisions(integral, digits=24, agreement=12, absolute=1e-20)


def conclude(*, epsilon: float, log10_delta: float, share: float, first: float, second: float) -> list[Comparison]:
    target, sizes, shares = 10.0**log10_delta, (first, second), (share, 1.0 - share)
    scale = gaussian_profile.sigma(epsilon, target, 1.0)
    made = [scale * size for size in effective(sizes, shares)]  # sigma is proportional to the sensitivity
    exact = oracle(epsilon, (first / made[0], second / made[1]))
    split = [gaussian_profile.sigma(w * epsilon, w * target, size) for size, w in zip(sizes, shares, strict=True)]
    mu = CTX.sqrt(CTX.fsum((CTX.mpf(a) / CTX.mpf(b)) ** 2 for a, b in zip(sizes, made, strict=True)))
    return [
        equal(exact, target, slack=RELATIVE_SLACK * target, unit="probability", label="all heads together"),
        equal(ratio(sizes, made), mu, slack=2.0**-50 * mu, label="ratio"),
        at_most(made, [s * (1 + 2.0**-40) for s in split], label="no more noise than splitting epsilon and delta"),
    ]


LEMMA = Lemma(
    module=__name__,
    statement="Gaussian heads together are one Gaussian mechanism: squared sensitivity-to-noise ratios add.",
    claim="mu^2 = sum_h (Delta_h/sigma_h)^2;  sigma_h = sigma(eps, delta) Delta_h / sqrt(w_h), sum_h w_h <= 1",
    source=Source("derived here; Balle, Wang", "ICML 2018", "Theorem 8"),
    domain={
        "epsilon": Real(0.05, 10.0, log=True),
        "log10_delta": Real(-10.0, -2.0),
        "share": Real(0.05, 0.95),
        "first": Real(1e-2, 1e2, log=True),
        "second": Real(1e-2, 1e2, log=True),
    },
    formula=effective,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(
        Hypothesis(
            "every share is positive and they add up to at most 1",
            ("shares",),
            lambda p: all(w > 0 for w in p["shares"]) and sum(map(Fraction, p["shares"])) <= 1,
        ),
        Hypothesis(
            "every sensitivity is positive", ("sensitivities",), lambda p: all(size > 0 for size in p["sensitivities"])
        ),
    ),
    theorems=("JointHeads.joint_sensitivity", "JointHeads.joint_sensitivity_shares"),
    trusts=("the noise of different heads is independent", "noise.gaussian_profile"),
)

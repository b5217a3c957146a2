"""Positive random features of the exponential kernel: unbiased, with a known variance.

``phi(x)_j = m^-1/2 exp(<w_j, u> - |u|^2/2)``, u = sqrt(scale) x, w_j ~ N(0, I). For u of the query and t of a key,
one term has mean ``e^<u,t>`` and variance ``e^{2<u,t>} (e^{|u+t|^2} - 1)``; terms of two keys have covariance
``e^{<u,t>+<u,t'>} (e^{<u+t,u+t'>} - 1)``, so any sum with weights >= 0 has relative variance at most ``(e^M - 1)/m``,
M = max |u+t|^2, for independent w_j. All entries are positive (kernel_min = 0), and clipping |phi| to a public norm
keeps that and only lowers weights. Proof idea: E e^<w,z> = e^{|z|^2/2}. Unit of the kernel.

Source: Choromanski et al., Rethinking attention with Performers, ICLR 2021, Lemmas 1 and 2; sums derived here.
Orthogonal w_j: with m / kernel.orthogonal_features.inflation in place of m.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.hypotheses import at_least
from dpverify.spec.core.lemma import Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions
from dpverify.spec.kernel._nystrom import CTX

RELATIVE_SLACK = 2.0**-44


def moments(inner: float, sum_norm_squared: float, features: int) -> tuple[float, float]:
    """(mean, variance) of <phi(q), phi(k)>, inner = <u, t>, sum_norm_squared = |u + t|^2; infinite beyond floats.

    Relative error below 2^-50 times (2 + 2 |inner| + sum_norm_squared).
    """
    if 2.0 * inner + sum_norm_squared > 700.0:
        return math.exp(min(inner, 700.0)), math.inf
    return math.exp(inner), math.exp(2.0 * inner) * math.expm1(sum_norm_squared) / features


def relative_deviation(sum_norm_squared: float, features: int, failure_probability: float) -> float:
    """x with P[|S - E S| > x E S] <= failure_probability (Chebyshev), S any sum over keys with weights >= 0.

    The query must not depend on the features; sum_norm_squared bounds scale |q + k|^2, unclipped features.
    """
    if sum_norm_squared > 700.0:
        return math.inf
    return math.sqrt(math.expm1(sum_norm_squared) / (features * failure_probability)) * (1.0 + 2.0**-40)


def answer_error(
    value_bound: float, columns: int, sum_norm_squared: float, features: int, failure_probability: float
) -> float:
    """Bound on every column of the answer's kernel error at such a query; 2 V where Chebyshev says nothing.

    With nu the exact answer, sum_i a_i (v_i - nu) is zero: its estimate deviates by at most x V sum a (Chebyshev, x
    at p / (2 columns)), and the normaliser falls below (1 - y) sum a with probability p / 2 (Cantelli).
    """
    x = relative_deviation(sum_norm_squared, features, failure_probability / (2.0 * columns))
    spread = relative_deviation(sum_norm_squared, features, 1.0)
    y = spread * math.sqrt(2.0 / failure_probability - 1.0)
    return value_bound * (2.0 if x >= 2.0 * (1.0 - y) else x / (1.0 - y))


def oracle(query: list[float], key: list[float], other: list[float]) -> tuple[Any, Any]:
    """(E Z, E Z Z') of one term's products Z, Z' with two keys: Gaussian integrals, coordinate by coordinate."""

    def expected(ctx: Any, keys: list[list[float]]) -> Any:
        out, step = ctx.mpf(1), ctx.mpf(1) / (4 if ctx.dps > 30 else 3)
        for j, u in enumerate(query):
            slope = ctx.fsum(ctx.mpf(u) + ctx.mpf(k[j]) for k in keys)
            level = ctx.fsum((ctx.mpf(u) ** 2 + ctx.mpf(k[j]) ** 2) / 2 for k in keys)
            centre, reach = int(slope / step), int(18 / step)
            nodes = [step * i for i in range(centre - reach, centre + reach + 1)]
            total = ctx.fsum(ctx.exp(slope * w - level - w * w / 2) for w in nodes)
            out *= total * step / ctx.sqrt(2 * ctx.pi)
        return out

    mean = at_two_precisions(lambda ctx: expected(ctx, [key]))
    return mean, at_two_precisions(lambda ctx: expected(ctx, [key, other]))


def conclude(*, dimension: int, size: float, features: int, log10_failure: float, seed: int) -> tuple[Comparison, ...]:
    rng = np.random.default_rng(seed)
    u, t, other = (size * rng.uniform(-1.0, 1.0, (3, dimension)) / math.sqrt(dimension)).tolist()
    inner, whole = math.fsum(a * b for a, b in zip(u, t, strict=True)), _square(u, t)
    made = moments(inner, whole, features)
    mean, square = oracle(u, t, t)
    variance = (square - mean**2) / features
    (mean_other, _), (_, product) = oracle(u, other, other), oracle(u, t, other)
    both = CTX.expm1(CTX.fsum((CTX.mpf(a) + b) * (CTX.mpf(a) + c) for a, b, c in zip(u, t, other, strict=True)))
    failure = 10.0**log10_failure
    x, deviation = relative_deviation(whole, 1, failure), CTX.sqrt(CTX.mpf(whole))
    tails = [CTX.erfc((CTX.log(1 + x) / deviation + deviation / 2) / CTX.sqrt(2)) / 2]  # one term is log-normal
    tails += [CTX.erfc((-CTX.log(1 - x) / deviation - deviation / 2) / CTX.sqrt(2)) / 2] if x < 1 else []
    return (
        equal(made[0], mean, slack=RELATIVE_SLACK * mean, label="mean"),
        equal(made[1], variance, slack=RELATIVE_SLACK * variance + mean**2 * 1e-19, label="variance"),
        equal(product / (mean * mean_other) - 1, both, slack=1e-18 * (1 + abs(both)), label="covariance of two keys"),
        at_most(CTX.fsum(tails), failure, label="Chebyshev, for one term"),
    )


def _square(u: list[float], t: list[float]) -> float:
    return math.fsum((a + b) ** 2 for a, b in zip(u, t, strict=True))


LEMMA = Lemma(
    module=__name__,
    statement="Positive random features are unbiased with this variance; sums with weights >= 0 vary no more.",
    claim="E Z = e^<u,t>,  Var Z = e^{2<u,t>} (e^{|u+t|^2} - 1),  Cov = e^{<u,t+t'>} (e^{<u+t,u+t'>} - 1)",
    source=Source("Choromanski et al., ICLR", "2021", "Lemmas 1 and 2; sums derived here"),
    domain={
        "dimension": Integer(1, 4),
        "size": Real(1e-2, 2.0, log=True),
        "features": Integer(1, 10_000),
        "log10_failure": Real(-9.0, -0.3),
        "seed": Integer(0, 2**31),
    },
    formula=moments,
    oracle=oracle,
    conclude=conclude,
    hypotheses=at_least(1, "features"),
    unproved="needs the Gaussian or chi-square law (improper integrals), which the proof libraries do not have",
    trusts=("w_j independent of each other, of the keys and of the query", "float64 within the stated slack"),
)

"""The main theorem with explicit constants: kernel error and noise together.

With weights ``a_i >= a_min`` approximated by ``low a_i <= b_i <= high a_i``, |v_i| <= V, and noise |e1| <= E1 on
the numerator and |e2| <= E2 < D on the normaliser, ``D = low n a_min <= sum b``: the error of ``(sum b v + e1) /
(sum b + e2)`` is at most ``2V (sqrt(high) - sqrt(low)) / (sqrt(high) + sqrt(low)) + (E1 + V E2) / (D - E2)``;
each term is attained where the other vanishes. Proof idea: triangle inequality over the noise-free approximate
ratio. Unit of the values.

Source: arXiv 2407.14717v3, main theorem (low = 1 - e, high = 1, a_min = 1), there without constants. A weaker form
(E2 <= D/2, two-sided e) is machine-checked as Endtoend.released_error.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dpverify.spec.attention import noisy_ratio, ratio_error_interval
from dpverify.spec.attention._ratio import CTX, VALUE_BOUND
from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source

RELATIVE_SLACK = 2.0**-46


def total_error(
    low: float, high: float, value_bound: float, noise_numerator: float, noise_normaliser: float, denominator: float
) -> float:
    """Kernel term plus noise term, with ``denominator`` D = low n a_min; infinite if the noise may reach D."""
    kernel = ratio_error_interval.absolute_error(low, high, value_bound)
    return kernel + noisy_ratio.error(value_bound, denominator, noise_numerator, noise_normaliser)


def oracle(a: list[Any], b: list[Any], v: list[Any], e1: Any, e2: Any) -> Any:
    """|noisy approximate answer - exact answer| by definition, at 60 digits."""
    return abs((CTX.fdot(b, v) + e1) / (CTX.fsum(b) + e2) - CTX.fdot(a, v) / CTX.fsum(a))


def conclude(
    *, rows: int, low: float, high: float, value_bound: float, noise: float, share: float, seed: int
) -> tuple[Comparison, ...]:
    rng = np.random.default_rng(seed)
    v, e1 = CTX.mpf(value_bound), noise * value_bound
    denominator, e2 = low * rows, share * low * rows
    claimed = total_error(low, high, value_bound, e1, e2, denominator)
    errors = []
    for _ in range(10):
        draws = np.clip(rng.uniform(-0.5, 1.5, (3, rows)), 0.0, 1.0).tolist()
        a = [1 + CTX.mpf(x) for x in draws[0]]
        b = [x * (low + (CTX.mpf(high) - low) * CTX.mpf(f)) for x, f in zip(a, draws[1], strict=True)]
        values = [v * (2 * CTX.mpf(f) - 1) for f in draws[2]]
        errors += [oracle(a, b, values, s * CTX.mpf(e1), t * CTX.mpf(e2)) for s in (-1, 1) for t in (-1, 1)]
    ones = [CTX.mpf(1)] * rows
    only_noise = oracle(ones, ones, [v] * rows, CTX.mpf(e1), -CTX.mpf(share * rows))
    root = CTX.sqrt(CTX.mpf(low) / CTX.mpf(high))  # the worst split puts this much weight on +V, one on -V
    only_kernel = oracle([root, CTX.mpf(1)], [root * high, CTX.mpf(low)], [v, -v], CTX.mpf(0), CTX.mpf(0))
    noisy, approximate = (
        total_error(1.0, 1.0, value_bound, e1, share * rows, float(rows)),
        total_error(low, high, value_bound, 0.0, 0.0, denominator),
    )
    return (
        at_most(errors, claimed, slack=RELATIVE_SLACK * max(errors), label="random instances"),
        equal(only_noise, noisy, slack=RELATIVE_SLACK * only_noise, label="attained without kernel error"),
        equal(only_kernel, approximate, slack=RELATIVE_SLACK * only_kernel, label="attained without noise"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="The released answer misses exact attention by at most a kernel term plus a noise term.",
    claim="error <= 2V (sqrt high - sqrt low)/(sqrt high + sqrt low) + (E1 + V E2)/(D - E2),  D = low n a_min",
    source=Source("arXiv 2407.14717", "v3", "main theorem; constants derived here"),
    domain={
        "rows": Integer(1, 12),
        "low": Real(0.01, 0.9999, log=True),
        "high": Real(1.0, 3.0),
        "value_bound": Real(1e-2, 1e2, log=True),
        "noise": Real(1e-6, 10.0, log=True),
        "share": Real(1e-6, 0.9, log=True),
        "seed": Integer(0, 2**31),
    },
    formula=total_error,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(
        Hypothesis("0 < low <= high", ("low", "high"), lambda p: 0 < p["low"] <= p["high"]),
        Hypothesis("E2 < D", ("share",), lambda p: 0 <= p["share"] < 1),
        VALUE_BOUND,
    ),
    theorems=("Endtoend.released_error_interval",),
    trusts=("float64 evaluation within the stated slack",),
)

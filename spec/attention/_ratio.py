"""What the ratio lemmas share: weighted means at high precision, and random instances of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dpverify.spec.core.hypotheses import positive
from dpverify.spec.core.lemma import Hypothesis
from dpverify.spec.core.oracle import context

CTX = context(60)
KERNEL_ERROR = Hypothesis("0 <= relative_error < 1", ("relative_error",), lambda p: 0 <= p["relative_error"] < 1)
VALUE_BOUND = positive("value_bound")[0]


def mean(weights: Sequence[Any], values: Sequence[Any]) -> Any:
    """sum w v / sum w, by definition."""
    return CTX.fdot(weights, values) / CTX.fsum(weights)


def deviations(low: Any, high: Any, values_low: float, values_high: float, seed: int) -> list[tuple[Any, Any]]:
    """(mean under b, mean under a) for 20 random a > 0, b_i = f_i a_i with f_i in [low, high], v_i in a range."""
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(20):
        count = int(rng.integers(1, 6))
        a = [CTX.mpf(x) for x in np.exp(3 * rng.normal(size=count)).tolist()]
        # mostly the extreme factors and values, where the extremes of the ratio lie
        mix = np.clip(rng.uniform(-0.5, 1.5, size=(2, count)), 0, 1).tolist()
        b = [x * (low + (high - low) * CTX.mpf(m)) for x, m in zip(a, mix[0], strict=True)]
        v = [values_low + (values_high - values_low) * CTX.mpf(m) for m in mix[1]]
        pairs.append((mean(b, v), mean(a, v)))
    return pairs


def largest(function: Callable[[Any], Any], low: Any, high: Any) -> Any:
    """Maximum of a unimodal function on [low, high] by golden sections: relative error about 1e-40."""
    golden = (CTX.sqrt(5) - 1) / 2
    low, high = CTX.mpf(low), CTX.mpf(high)
    a, b = high - golden * (high - low), low + golden * (high - low)
    at_a, at_b = function(a), function(b)
    for _ in range(110):
        if at_a >= at_b:
            high, b, at_b = b, a, at_a
            a = high - golden * (high - low)
            at_a = function(a)
        else:
            low, a, at_a = a, b, at_b
            b = low + golden * (high - low)
            at_b = function(b)
    return max(at_a, at_b)


def two_point_supremum(low: Any, high: Any, value_bound: float) -> Any:
    """Largest deviation of two points of value +-V, true weights p and 1 - p, factors high and low, over p.

    With p = e^t / (1 + e^t) the deviation is unimodal in t.
    """
    v = CTX.mpf(value_bound)

    def deviation(t: Any) -> Any:
        a = [CTX.exp(t), CTX.mpf(1)]
        return mean([high * a[0], low * a[1]], [v, -v]) - mean(a, [v, -v])

    return largest(deviation, -60, 60)

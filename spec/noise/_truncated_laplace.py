"""What the truncated Laplace lemmas share: their hypotheses and the definition at high precision."""

from __future__ import annotations

from typing import Any

from dpverify.spec.core.lemma import Hypothesis

HYPOTHESES = (
    Hypothesis("0 < sensitivity", ("sensitivity",), lambda p: p["sensitivity"] > 0),
    Hypothesis("0 < epsilon", ("epsilon",), lambda p: p["epsilon"] > 0),
    Hypothesis("0 < delta <= 1/2", ("delta",), lambda p: 0 < p["delta"] <= 0.5),
)


def exact_bound(ctx: Any, sensitivity: float, epsilon: float, delta: float) -> Any:
    """B of the definition, in the given high-precision context."""
    ratio = ctx.expm1(ctx.mpf(epsilon)) / (2 * ctx.mpf(delta))
    return ctx.mpf(sensitivity) / ctx.mpf(epsilon) * ctx.log1p(ratio)

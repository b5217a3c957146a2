"""What the privacy exhibits share: the definition of (epsilon, delta)-DP on one event."""

from __future__ import annotations

from typing import Any

from dpverify.spec.core.comparison import Comparison, at_most
from dpverify.spec.core.oracle import context

CTX = context(60)
EPSILON, DELTA = 1.0, 1e-6


def claim_on_event(here: Any, there: Any, label: str) -> Comparison:
    """``P(E) - e^epsilon Q(E) <= delta`` for the claim (1, 1e-6), which DP owes for every event E."""
    return at_most(CTX.mpf(here) - CTX.exp(EPSILON) * CTX.mpf(there), DELTA, unit="probability", label=label)

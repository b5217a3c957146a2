"""High-precision arithmetic for oracles: local contexts, and agreement at two precisions.

An oracle computes a quantity *from its definition* (an integral, a sum, an enumeration). It never touches
mpmath's global precision, and its value counts only if a computation with twice the digits agrees.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import mpmath

from dpverify.spec.core.errors import OracleUnreliable

DIGITS = 30
AGREEMENT = 20  # decimal digits to which the two computations must agree


@lru_cache(maxsize=16)
def context(digits: int) -> Any:
    """An mpmath context of its own with ``digits`` decimal digits. Do not change its precision."""
    made = mpmath.MPContext()
    made.dps = digits
    return made


def at_two_precisions(
    compute: Callable[[Any], Any], *, digits: int = DIGITS, agreement: int = AGREEMENT, absolute: float = 0.0
) -> Any:
    """Evaluate ``compute(ctx)`` at ``digits`` and at ``2 * digits`` decimal digits; return the latter.

    The two must agree to ``agreement`` significant digits, or to within ``absolute``.

    Raises:
        OracleUnreliable: they differ by more, or one of them is not a number.
    """
    coarse_context, fine_context = context(digits), context(2 * digits)
    coarse, fine = compute(coarse_context), compute(fine_context)
    if fine_context.isnan(coarse) or fine_context.isnan(fine):
        raise OracleUnreliable(f"an oracle returned NaN ({coarse}, {fine}) and proves nothing")
    if coarse == fine:
        return fine
    tolerance = max(abs(fine) * fine_context.mpf(10) ** -agreement, fine_context.mpf(absolute))
    if not abs(fine - coarse) <= tolerance:
        raise OracleUnreliable(
            f"an oracle gives {fine_context.nstr(coarse, 20)} at {digits} digits but "
            f"{fine_context.nstr(fine, 20)} at {2 * digits}: raise its working precision"
        )
    return fine

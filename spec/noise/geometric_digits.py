"""Drawing a geometric law digit by digit: quotient and remainder of its magnitude are independent.

For weights proportional to r^j, j = 0 .. blocks * base - 1, r = e^-rate, and j = base a + b, 0 <= b < base: the
probability of j is that of a times that of b, ``P[a] ~ r^(base a)``, ``P[b] ~ r^b``. Proof idea: r^(base a + b) is a
product. Two tables of blocks and base entries replace one of blocks * base, exactly. The rate is per grid step.

Source: derived here (memorylessness of the geometric law).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.spec.core.comparison import Comparison, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.oracle import context

RELATIVE_SLACK = 2.0**-44  # sums of up to 64 exponentials


def digit_laws(rate: float, blocks: int, base: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Laws of the quotient, shape (blocks,), and of the remainder, shape (base,); relative error below 2^-45."""
    quotient, remainder = np.exp(-rate * base * np.arange(blocks)), np.exp(-rate * np.arange(base))
    return quotient / quotient.sum(), remainder / remainder.sum()


def oracle(rate: float, blocks: int, base: int) -> list[Any]:
    """The law of j itself, by its definition, at 60 digits."""
    ctx = context(60)
    weights = [ctx.exp(-ctx.mpf(rate) * j) for j in range(blocks * base)]
    total = ctx.fsum(weights)
    return [weight / total for weight in weights]


def conclude(*, rate: float, blocks: int, base: int) -> Comparison:
    quotient, remainder = digit_laws(rate, blocks, base)
    exact = oracle(rate, blocks, base)
    return equal(np.outer(quotient, remainder).ravel(), exact, slack=[RELATIVE_SLACK * p for p in exact])


LEMMA = Lemma(
    module=__name__,
    statement="The digits of a truncated geometric magnitude are independent, so that two small tables sample it.",
    claim="P[base a + b] = P[a] P[b]  for weights r^j, j = base a + b",
    source=Source("derived here", "", ""),
    domain={"rate": Real(1e-6, 3.0, log=True), "blocks": Integer(1, 12), "base": Integer(1, 8)},
    formula=digit_laws,
    oracle=oracle,
    conclude=conclude,
    unproved="not attempted yet",
    hypotheses=(Hypothesis("0 < rate", ("rate",), lambda p: p["rate"] > 0),),
    trusts=("float64 evaluation within the stated slack",),
)

"""What an error of the logits means for a row of attention: the l1 distance of the normalised rows.

If no logit of a row is off by more than t, the weights are off by factors in [e^-t, e^t], and the normalised rows
differ by at most ``2 tanh(t/2)`` in l1; attained by two columns. Proof idea: the l1 distance is the largest
difference of weighted means over values in [-1, 1]; attention.ratio_error_interval. Without unit.

Source: derived here; arXiv 2305.04701 normalises ``exp`` of the estimated Gram matrix by its row sums.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dpverify.spec.attention._ratio import CTX, two_point_supremum
from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.hypotheses import at_least
from dpverify.spec.core.lemma import Lemma, Source

RELATIVE_SLACK = 2.0**-50


def row_distance(logit_error: float) -> float:
    """2 tanh(t/2), the largest l1 distance of the normalised rows; relative error below 2^-50."""
    return 2.0 * math.tanh(logit_error / 2.0)


def oracle(logit_error: float) -> Any:
    """Largest distance of two rows of two columns, by search over the split of the weight."""
    factor = CTX.exp(CTX.mpf(logit_error))
    return two_point_supremum(1 / factor, factor, 1.0)


def conclude(*, logit_error: float, columns: int, spread: float, seed: int) -> tuple[Comparison, ...]:
    rng = np.random.default_rng(seed)
    logits = [CTX.mpf(x) for x in (spread * rng.normal(size=columns)).tolist()]
    signs = np.clip(rng.uniform(-2.0, 2.0, columns), -1.0, 1.0).tolist()  # mostly the extreme errors
    before = [CTX.exp(x) for x in logits]
    after = [CTX.exp(x + CTX.mpf(logit_error) * s) for x, s in zip(logits, signs, strict=True)]
    whole, moved = CTX.fsum(before), CTX.fsum(after)
    distance = CTX.fsum(abs(y / moved - x / whole) for x, y in zip(before, after, strict=True))
    claimed, extreme = row_distance(logit_error), oracle(logit_error)
    return (
        at_most(distance, claimed, slack=RELATIVE_SLACK * extreme, label="random rows"),
        equal(extreme, claimed, slack=RELATIVE_SLACK * extreme, label="attained by two columns"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="Logits off by at most t move a normalised row of attention by at most 2 tanh(t/2) in l1, attained.",
    claim="|softmax(l + e) - softmax(l)|_1 <= 2 tanh(t/2)  for |e_j| <= t",
    source=Source("derived here; compare arXiv 2305.04701", "", ""),
    domain={
        "logit_error": Real(1e-6, 20.0, log=True),
        "columns": Integer(1, 12),
        "spread": Real(1e-2, 10.0, log=True),
        "seed": Integer(0, 2**31),
    },
    formula=row_distance,
    oracle=oracle,
    conclude=conclude,
    unproved="needs the Gaussian or chi-square law (improper integrals), which the proof libraries do not have",
    hypotheses=at_least(0, "logit_error"),
    trusts=("float64 evaluation within the stated slack",),
)

"""Attention weights are a probability vector, so answers are convex combinations of the values.

``a_i = e^{l_i} / sum_j e^{l_j}`` is non-negative and sums to one; each answer lies between the least and the
largest value. Proof idea: divide by the sum; subtracting the largest logit changes nothing and avoids overflow.
No unit.

Source: arXiv 2407.14717v3, definition of attention.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.spec.attention._ratio import CTX
from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.lemma import Lemma, Source


def weights(logits: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Softmax over the last axis, for finite logits of any size.

    Relative error below (n + 8 + |l_i - max l|) 2^-52 each; weights below 1e-300 may vanish.
    """
    x = np.asarray(logits, dtype=np.float64)
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def oracle(logits: list[float]) -> list[Any]:
    """e^{l_i} / sum_j e^{l_j} at 60 digits."""
    terms = [CTX.exp(CTX.mpf(x)) for x in logits]
    total = CTX.fsum(terms)
    return [term / total for term in terms]


def conclude(*, rows: int, spread: float, shift: float, seed: int) -> tuple[Comparison, ...]:
    rng = np.random.default_rng(seed)
    logits, values = shift + spread * rng.uniform(-1.0, 1.0, rows), rng.normal(size=rows)
    found, exact = weights(logits), oracle(logits.tolist())
    relative = (rows + 8 + 2 * spread) * 2.0**-52
    answer = float(found @ values)
    return (
        equal(found, np.array(exact, dtype=object), slack=[relative * e + CTX.mpf(10) ** -300 for e in exact]),
        equal(CTX.fsum(found.tolist()), 1, slack=relative, label="sum to one"),
        at_most([values.min(), answer], [answer, values.max()], slack=rows * 1e-15 * 10, label="convex combination"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="Attention weights are non-negative and sum to one: answers are convex combinations of the values.",
    claim="a_i = e^{l_i} / sum_j e^{l_j} >= 0,  sum_i a_i = 1,  min v <= sum a_i v_i <= max v",
    source=Source("arXiv 2407.14717", "v3", "definition of attention"),
    domain={
        "rows": Integer(1, 30),
        "spread": Real(1e-6, 1e3, log=True),
        "shift": Real(-1e4, 1e4),
        "seed": Integer(0, 2**31),
    },
    formula=weights,
    oracle=oracle,
    conclude=conclude,
    theorems=("Ratio.wavg_between",),
    trusts=("float64 evaluation within the stated slack",),
)

"""The softmax's normaliser released without noise, as "only a normalisation factor".

Counterexample: 100 one-dimensional keys at 0, or one of them at 1 instead; at the query 1 the normaliser is 100
or 99 + e, without noise. The event "at most 100.5" tells the two apart with certainty, whatever noise the
numerator has.
"""

from __future__ import annotations

from typing import Any

from dpverify.spec.core.comparison import Comparison
from dpverify.spec.core.exhibit import Exhibit
from dpverify.spec.core.lemma import Source
from dpverify.spec.exhibit._events import CTX, claim_on_event


def counterexample() -> Comparison:
    query = CTX.mpf(1)

    def normaliser(keys: list[int]) -> Any:
        return CTX.fsum(CTX.exp(query * key) for key in keys)

    here, there = normaliser([0] * 100), normaliser([0] * 99 + [1])
    threshold = CTX.mpf("100.5")
    return claim_on_event(int(here <= threshold), int(there <= threshold), "the normaliser is at most 100.5")


EXHIBIT = Exhibit(
    module=__name__,
    statement="Dividing a private numerator by the exact normaliser keeps it private.",
    published=Source("arXiv 2407.14717", "", "as raised in its public peer review"),
    counterexample=counterexample,
    corrected="attention.functional_sensitivity",
)

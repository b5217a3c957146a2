"""A claim "(epsilon, delta)-DP with probability 1 - p_f", read as (epsilon, delta)-DP.

Counterexample: a mechanism that prints the dataset with probability p_f = 0.01 and nothing otherwise. It is (0,
0)-DP with probability 0.99, and the event "it printed this dataset" has P = 0.01 and Q = 0.
"""

from __future__ import annotations

from typing import Any

from dpverify.spec.core.comparison import Comparison
from dpverify.spec.core.exhibit import Exhibit
from dpverify.spec.core.lemma import Source
from dpverify.spec.exhibit._events import CTX, claim_on_event

FAILURE = "0.01"


def output_law(dataset: str) -> dict[str, Any]:
    """Outcome -> probability."""
    failed = CTX.mpf(FAILURE)
    return {dataset: failed, "": 1 - failed}


def counterexample() -> Comparison:
    here, there = output_law("D"), output_law("D'")
    return claim_on_event(here.get("D", 0), there.get("D", 0), "it printed D")


EXHIBIT = Exhibit(
    module=__name__,
    statement="The algorithm is (epsilon, delta)-DP with probability 1 - p_f, quoted as (epsilon, delta)-DP.",
    published=Source("arXiv 2407.14717", "", "as raised in its public peer review"),
    counterexample=counterexample,
    corrected="privacy.failure_probability",
)

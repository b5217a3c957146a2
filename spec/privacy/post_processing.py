"""Post-processing: whatever is computed from an output alone cannot raise the divergence.

For a kernel K (outcome -> law of results), ``H(PK||QK) <= H(P||Q)`` at every epsilon. Proof idea: an event of
results is a [0, 1]-valued test on outcomes, and the best test is an event. Attained by every one-to-one
relabelling.

Source: Dwork, Roth, The algorithmic foundations of differential privacy, 2014, Proposition 2.1.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.oracle import context
from dpverify.spec.privacy._finite import best_event, random_law
from dpverify.spec.privacy.hockey_stick import hockey_stick

SLACK = 2.0**-48  # absolute: the hockey-stick's 2^-49, and a matrix product of probabilities


def processed(p: npt.ArrayLike, kernel: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Law of the result: p of shape (n,), kernel (n, r) with rows that sum to one; absolute error below 2^-50."""
    law: npt.NDArray[np.float64] = np.asarray(p, dtype=float) @ np.asarray(kernel, dtype=float)
    return law


def oracle(law: Any, choices: Any, maps: Any, results: int) -> list[Fraction]:
    """Law of F(x), the map F drawn by ``choices``: every pair (map, outcome) enumerated in exact fractions."""
    out = [Fraction(0)] * results
    for chance, image in zip(choices, maps, strict=True):
        for outcome, mass in enumerate(law):
            out[image[outcome]] += chance * mass
    return out


def conclude(*, epsilon: float, outcomes: int, seed: int) -> list[Comparison]:
    rng = np.random.default_rng(seed)
    p, q = random_law(rng, outcomes), random_law(rng, outcomes)
    results, choices = int(rng.integers(1, 6)), random_law(rng, 4)
    maps = rng.integers(0, results, (4, outcomes))
    kernel = np.zeros((outcomes, results))
    for chance, image in zip(choices, maps, strict=True):
        kernel[np.arange(outcomes), image] += float(chance)
    here, there = processed([float(x) for x in p], kernel), processed([float(x) for x in q], kernel)
    ctx = context(60)
    exact = [best_event(ctx, *sides, epsilon) for sides in ((p, q), (q, p))]
    both = [hockey_stick(here, there, epsilon), hockey_stick(there, here, epsilon)]
    relabel = rng.permutation(outcomes)
    moved = [processed([float(x) for x in law], np.eye(outcomes)[relabel]) for law in (p, q)]
    return [
        equal(here, oracle(p, choices, maps, results), slack=SLACK, unit="probability", label="law of the result"),
        at_most(both, exact, slack=SLACK, unit="probability", label="no gain"),
        equal(
            hockey_stick(moved[0], moved[1], epsilon),
            exact[0],
            slack=SLACK,
            unit="probability",
            label="relabelling",
        ),
    ]


LEMMA = Lemma(
    module=__name__,
    statement="A randomised function of the output alone never raises the hockey-stick divergence.",
    claim="H(PK || QK) <= H(P || Q) for every kernel K, with equality for relabellings",
    source=Source("Dwork, Roth", "2014", "Proposition 2.1"),
    domain={"epsilon": Real(0.0, 50.0), "outcomes": Integer(1, 8), "seed": Integer(0, 2**32 - 1)},
    formula=processed,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(Hypothesis("0 <= epsilon", ("epsilon",), lambda p: p["epsilon"] >= 0),),
    theorems=("DP.dp_post",),
)

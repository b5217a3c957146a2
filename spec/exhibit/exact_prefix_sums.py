"""Prefix sums used beside a private tree, themselves without noise.

Counterexample: |x - y| is answered from sums of w (with noise) and of w x (without) on both sides of y. Moving
one of 8 points from 1/8 to 7/8 changes the exact sum of w x over [0, 1/2] from 1 1/8 to 1: the event "above
17/16" tells the two datasets apart with certainty.
"""

from __future__ import annotations

from fractions import Fraction

from dpverify.spec.core.comparison import Comparison
from dpverify.spec.core.exhibit import Exhibit
from dpverify.spec.core.lemma import Source
from dpverify.spec.exhibit._events import claim_on_event


def counterexample() -> Comparison:
    others = [Fraction(1, 4)] * 4 + [Fraction(3, 4)] * 3

    def prefix_sum(points: list[Fraction]) -> Fraction:
        return sum((x for x in points if x <= Fraction(1, 2)), Fraction(0))

    here, there = (prefix_sum([moved, *others]) for moved in (Fraction(1, 8), Fraction(7, 8)))
    threshold = Fraction(17, 16)
    return claim_on_event(int(here > threshold), int(there > threshold), "the sum of w x is above 17/16")


EXHIBIT = Exhibit(
    module=__name__,
    statement="Noise in the tree of counts makes distance queries private; precomputed sums need none.",
    published=Source("arXiv 2407.14717", "", "as raised in its public peer review"),
    counterexample=counterexample,
    corrected="tree.privacy_composition",
)

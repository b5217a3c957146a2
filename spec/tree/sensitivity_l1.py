"""How much one row can change the tree, in l1.

A row contributes at most c in size to one leaf. If only that leaf's value changes, by at most c: ``c (h + 1)``.
If the row is replaced it may leave one leaf and enter another: ``2 c (h + 1)``; for contributions in [0, c] the
nodes above both leaves see only the difference, and it is ``c max(2 h, h + 1)``. All three are attained. Unit:
that of the data.

Source: arXiv 2407.14717v3, DPTree; replace-one and the non-negative case derived here.
"""

from __future__ import annotations

from dpverify.spec.core.comparison import Comparison, equal
from dpverify.spec.core.lemma import Lemma, Source
from dpverify.spec.tree._moves import DOMAIN, HYPOTHESES, largest

RELATIVE_SLACK = 2.0**-51  # two roundings


def l1(change: float, height: int, leaves_changed: int, non_negative: bool = False) -> float:
    """The l1 sensitivity of all 2^(h+1) - 1 nodes together; relative error below 2^-51.

    Args:
        change: c, the largest contribution of a row (two leaves), or the largest change of a leaf (one leaf).
        height: h. leaves_changed: 1 (in place) or 2 (a replaced row may move).
        non_negative: contributions lie in [0, c] instead of [-c, c].
    """
    if leaves_changed == 1:
        return change * (height + 1)
    return change * (max(2 * height, height + 1) if non_negative else 2 * (height + 1))


def oracle(height: int, leaves_changed: int, non_negative: bool) -> float:
    """The largest l1 change over all moves of a row with contribution 1, by enumeration."""
    return largest(height, leaves_changed, non_negative, 1)


def conclude(*, change: float, height: int, leaves_changed: int, non_negative: bool) -> Comparison:
    exact = change * oracle(height, leaves_changed, non_negative)
    made = l1(change, height, leaves_changed, non_negative)
    return equal(made, exact, slack=RELATIVE_SLACK * exact, unit="unit of the data")


LEMMA = Lemma(
    module=__name__,
    statement="One row changes all nodes by at most c (h + 1) in l1 in place, and 2 c (h + 1) when replaced.",
    claim="in place c (h + 1);  replaced 2c (h + 1);  replaced, non-negative c max(2h, h + 1);  all attained",
    source=Source("arXiv 2407.14717", "v3", "DPTree; replace-one derived here"),
    domain=DOMAIN,
    formula=l1,
    oracle=oracle,
    conclude=conclude,
    hypotheses=HYPOTHESES,
    theorems=("Sensitivity.tree_l1_sensitivity", "Sensitivity.tree_l1_sensitivity_replace"),
    trusts=("the theorems are upper bounds for contributions of either sign; the rest is enumerated",),
)

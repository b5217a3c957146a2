"""How much one row can change the tree, in l2.

In place, a leaf's change of at most c: ``c sqrt(h + 1)``. Replaced: ``2 c sqrt(h + 1)``, attained by a row that
stays in its leaf and turns from -c to c; a row that moves to another leaf reaches only ``c sqrt(4 h + 2)``, at
its sibling, for a node above both changes by up to 2 c and the two leaves by c each. Contributions in [0, c]:
``c sqrt(max(2 h, h + 1))``, for a node above both then sees the difference. All attained. Unit: that of the data.

Source: derived here.
"""

from __future__ import annotations

import math

from dpverify.spec.core.comparison import Comparison, equal
from dpverify.spec.core.lemma import Lemma, Source
from dpverify.spec.tree._moves import DOMAIN, HYPOTHESES, largest

RELATIVE_SLACK = 2.0**-50  # a square root and two roundings on either side


def l2(change: float, height: int, leaves_changed: int, non_negative: bool = False) -> float:
    """The l2 sensitivity of all nodes together; arguments as for the l1 sensitivity; relative error 2^-51."""
    if leaves_changed == 1:
        return change * math.sqrt(height + 1)
    return change * math.sqrt(max(2 * height, height + 1) if non_negative else 4 * (height + 1))


def oracle(height: int, leaves_changed: int, non_negative: bool, distinct: bool = False) -> float:
    """The largest l2 change over all moves of a row with contribution 1, by enumeration."""
    return largest(height, leaves_changed, non_negative, 2, distinct=distinct)


def conclude(*, change: float, height: int, leaves_changed: int, non_negative: bool) -> list[Comparison]:
    exact = change * oracle(height, leaves_changed, non_negative)
    made = l2(change, height, leaves_changed, non_negative)
    moved = math.sqrt(4 * height + 2) if height else 0.0
    return [
        equal(made, exact, slack=RELATIVE_SLACK * exact, unit="unit of the data"),
        equal(moved, oracle(height, 2, False, distinct=True), slack=RELATIVE_SLACK * moved, label="to another leaf"),
    ]


LEMMA = Lemma(
    module=__name__,
    statement="One row changes all nodes by at most c sqrt(h + 1) in l2 in place, 2 c sqrt(h + 1) when replaced.",
    claim="in place c sqrt(h + 1);  replaced 2c sqrt(h + 1);  replaced, non-negative c sqrt(max(2h, h + 1))",
    source=Source("derived here", "", ""),
    domain=DOMAIN,
    formula=l2,
    oracle=oracle,
    conclude=conclude,
    hypotheses=HYPOTHESES,
    theorems=(
        "Sensitivity.tree_l2_sensitivity",
        "Sensitivity.tree_l2_sensitivity_replace",
    ),
)

"""How far one row moves the functional release: its l2 sensitivity under REPLACE_ONE.

A row contributes ``u = phi (x) [v, c]`` with ``|phi|^2 <= b^2``, ``<phi, phi'> >= kappa_min``, ``|v|_2 <= V``
and a public c. ``|u - u'|^2 <= 2 b^2 (V^2 + c^2) - 2 min kappa rho`` over kappa in [kappa_min, b^2] and rho in
[c^2 - V^2, c^2 + V^2] (rho >= c^2 if no value is negative), attained. Proof idea: ``<u, u'> = <phi, phi'> (<v,
v'> + c^2)``; a bilinear function is smallest in a corner. Special cases: kappa_min = -b^2 gives 2 b sqrt(V^2 +
c^2); kappa_min = 0 gives ``b sqrt(2 max(V^2 + c^2, 2 V^2))``. Unit of the values, times that of phi.

Source: derived here; Hall, Rinaldo, Wasserman, JMLR 2013, for the mechanism.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.spec.attention._functional import largest_change
from dpverify.spec.attention._ratio import CTX
from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Choice, Real
from dpverify.spec.core.hypotheses import positive
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.rounding import sqrt_up


def l2(
    kernel_max: float,
    kernel_min: float,
    value_norm: float,
    normaliser_weight: float,
    *,
    values_nonnegative: bool = False,
) -> float:
    """Largest |u - u'|_2, in rational arithmetic, rounded up; above the exact value by at most two ulps.

    Args:
        kernel_max: b^2, bound on every squared feature norm. For features on a grid: that of the rounded rows.
        kernel_min: lower bound on every <phi, phi'>; -kernel_max if nothing is known.
        value_norm: V, l2 bound on each value row.
        normaliser_weight: c > 0, the public entry of the normaliser column.
        values_nonnegative: every entry of every value row is at least 0. Attained from two value columns on.
    """
    highest, v2, c2 = Fraction(kernel_max), Fraction(value_norm) ** 2, Fraction(normaliser_weight) ** 2
    kappas = (max(Fraction(kernel_min), -highest), highest)
    rhos = (c2 if values_nonnegative else c2 - v2, c2 + v2)
    return sqrt_up(2 * highest * (v2 + c2) - 2 * min(kappa * rho for kappa in kappas for rho in rhos))


def guard(norms_squared: npt.ArrayLike, bound: float) -> Comparison:
    """Every row's squared norm (of phi, or of v; exact integers of the grid) is at most ``bound``; no slack."""
    return at_most(np.max(np.asarray(norms_squared)), bound, label="squared row norms")


def oracle(kernel_max: float, kernel_min: float, value_norm: float, c: float, values_nonnegative: bool) -> Any:
    """Largest |u - u'|_2 over explicit features and values in the plane, at 60 digits."""
    return largest_change(kernel_max, kernel_min, value_norm, c, values_nonnegative)


def conclude(
    *, kernel_max: float, correlation: float, value_norm: float, normaliser_weight: float, values_nonnegative: bool
) -> tuple[Comparison, ...]:
    kernel_min = correlation * kernel_max
    claimed = l2(kernel_max, kernel_min, value_norm, normaliser_weight, values_nonnegative=values_nonnegative)
    exact = oracle(kernel_max, kernel_min, value_norm, normaliser_weight, values_nonnegative)
    return (
        at_most(exact, claimed, slack=exact * CTX.mpf(10) ** -50, label="never above"),
        equal(claimed, exact, slack=exact * 2.0**-51, label="attained"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="Replacing one row moves the functional release by at most this l2 distance, attained.",
    claim="|u - u'|^2 <= 2 b^2 (V^2 + c^2) - 2 min kappa rho,  kappa in [kappa_min, b^2], rho in [c^2 -+ V^2]",
    source=Source("derived here; mechanism: Hall, Rinaldo, Wasserman, JMLR", "2013", ""),
    domain={
        "kernel_max": Real(1e-2, 1e6, log=True),
        "correlation": Real(-1.0, 0.9),
        "value_norm": Real(1e-3, 1e3, log=True),
        "normaliser_weight": Real(1e-3, 1e3, log=True),
        "values_nonnegative": Choice((False, True)),
    },
    formula=l2,
    oracle=oracle,
    conclude=conclude,
    guard=guard,
    hypotheses=(
        *positive("kernel_max", "value_norm", "normaliser_weight"),
        Hypothesis(
            "kernel_min <= kernel_max", ("kernel_min", "kernel_max"), lambda p: p["kernel_min"] <= p["kernel_max"]
        ),
    ),
    theorems=(
        "FunctionalSensitivity.functional_sensitivity_ranges",
        "FunctionalSensitivity.functional_sensitivity_tight",
    ),
    trusts=("the rows that are released meet kernel_max, kernel_min and value_norm (see the guard)",),
)

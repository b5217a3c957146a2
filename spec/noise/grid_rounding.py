"""Rounding to a grid of spacing g, x -> floor(x/g + 1/2): what it does to sensitivity.

One number: values at distance s land at most ceil(s/g) steps apart. m numbers with l1 distance s: at most
``ceil(s/g) + m - 1 <= s/g + m`` steps. l2 distance s: at most ``s + sqrt(m) g``. Proof idea: rounding moves a
difference by less than g, and a number of steps is an integer. The first two are attained, the third in the
limit.

Source: derived here; why it matters: Casacuberta, Shoemate, Vadhan, Wagaman, CCS 2022.
"""

from __future__ import annotations

import math
from fractions import Fraction

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.oracle import context
from dpverify.spec.noise._rounding import largest_move


def rounded_steps_scalar(sensitivity: float, grid: float) -> int:
    """Largest distance of two rounded numbers, in grid steps: ceil(sensitivity / grid), exactly."""
    return math.ceil(Fraction(sensitivity) / Fraction(grid))


def l1(sensitivity: float, grid: float, coordinates: int) -> int:
    """Largest l1 distance of two rounded vectors, in grid steps, for a positive l1 sensitivity; exact."""
    return math.ceil(Fraction(sensitivity) / Fraction(grid)) + coordinates - 1


def l2(sensitivity: float, grid: float, coordinates: int) -> float:
    """Bound on the l2 distance of two rounded vectors, in the unit of the data; rounded up, by at most 2^-49."""
    return (sensitivity + math.sqrt(coordinates) * grid) * (1.0 + 2.0**-50)


def oracle(sensitivity: Fraction, grid: Fraction, coordinates: int, power: int) -> int:
    """The largest sum of |rounded differences|^power found: x just below a rounding threshold, y above.

    In integers: one unit is 2^-600 of the unit of the data, far below the spacing of the floats in the domain.
    """
    return largest_move(int(sensitivity * 2**600), int(grid * 2**600), coordinates, power)


def conclude(*, ratio: float, grid: float, coordinates: int) -> list[Comparison]:
    sensitivity, step = ratio * grid, Fraction(grid)
    exact = Fraction(sensitivity)
    squared = context(60).mpf(oracle(exact, step, coordinates, 2))
    whole = Fraction(2) * step * (1 + Fraction(1, 2**40))  # four coordinates of one step and a bit each
    corner = context(60).sqrt(oracle(whole, step, 4, 2)) * context(60).mpf(grid)
    return [
        equal(rounded_steps_scalar(sensitivity, grid), oracle(exact, step, 1, 1), slack=0, unit="steps", label="one"),
        equal(
            l1(sensitivity, grid, coordinates),
            oracle(exact, step, coordinates, 1),
            slack=0,
            unit="steps",
            label="l1",
        ),
        at_most(context(60).sqrt(squared) * context(60).mpf(grid), l2(sensitivity, grid, coordinates), label="l2"),
        equal(l2(float(whole), grid, 4), corner, slack=1e-11 * grid, unit="unit of the data", label="l2, attained"),
    ]


LEMMA = Lemma(
    module=__name__,
    statement="Rounding to a grid adds less than one step per coordinate to a difference.",
    claim="scalar: ceil(s/g) steps;  l1: ceil(s/g) + m - 1 steps;  l2: s + sqrt(m) g",
    source=Source("derived here", "", ""),
    domain={
        "ratio": Real(1e-3, 4.0, log=True),
        "grid": Real(2.0**-40, 2.0**10, log=True),
        "coordinates": Integer(1, 3),
    },
    formula=rounded_steps_scalar,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(
        Hypothesis("0 < ratio", ("ratio",), lambda p: p["ratio"] > 0),
        Hypothesis("0 < sensitivity", ("sensitivity",), lambda p: p["sensitivity"] > 0),
        Hypothesis("0 < grid", ("grid",), lambda p: p["grid"] > 0),
    ),
    theorems=(
        "Rounding.round_scalar",
        "Rounding.round_l1",
        "Rounding.round_l2",
    ),
)

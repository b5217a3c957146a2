"""The privacy loss of rounded truncated Laplace noise, for the accountant: few outcomes, however wide the noise.

Noise and shifted noise are compared on the integers. Where both sides decay alike the likelihood ratio is constant,
and outcomes of one ratio count as one without loss. So a shift of s steps has s + 3 finite losses and one infinite
one, while the table may have millions of entries.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np

from dpverify.accounting import DiscreteLoss, from_pmfs, with_total_variation
from dpverify.errors import InvalidArgument
from dpverify.spec import contract
from dpverify.spec.noise import integer_table_monotone, rounded_law, table_error

# exponents reach 700 and carry a relative 2^-52 each; sums have positive terms only
RELATIVE_ERROR = 2.0**-40


@contract(relies_on=[rounded_law.LEMMA, integer_table_monotone.LEMMA, table_error.LEMMA])
def shifted_laplace(rate: Fraction, half_width: int, shift: int, total_variation: float) -> DiscreteLoss:
    """The loss of the noise against itself moved by ``shift`` steps: the worst of all shifts up to that.

    Args:
        rate: decay per grid step, > 0.
        half_width: M; the noise lies in -M .. M.
        shift: 1 <= shift <= M.
        total_variation: distance of what is sampled to the rounded law, at most.

    With r = e^-rate and h = e^(rate/2) the masses are in proportion 2 at zero and (1 + h) r^|k| elsewhere.
    """
    if not 1 <= shift <= half_width:
        raise InvalidArgument("shift", shift, f"between 1 and the half width of the noise, {half_width}")
    step = float(rate)
    side = 1.0 + math.exp(step / 2.0)

    def run(first: int, count: int) -> float:
        """Mass of magnitudes first .. first + count - 1 on one side, before normalisation."""
        return side * math.exp(-float(rate * first)) * math.expm1(-float(rate * count)) / math.expm1(-step)

    total = 2.0 + 2.0 * run(1, half_width)
    near = side * np.exp(-step * np.arange(shift + 1))
    near[0] = 2.0
    parts = [
        run(half_width - shift + 1, shift),  # beyond the reach of the other
        run(1, half_width - shift),  # behind zero, the other at a distance greater by ``shift``
        *near,  # between the two centres
        run(shift + 1, half_width - shift),
        0.0,  # only the other gets there
    ]
    p = np.array(parts) / total
    q = p[::-1]
    kept = (p > 0.0) | (q > 0.0)
    loss = from_pmfs(p[kept], q[kept], relative_error=RELATIVE_ERROR)
    # reflecting the outcomes about shift / 2 swaps the two laws
    return with_total_variation(replace(loss, symmetric=True), min(1.0, total_variation))

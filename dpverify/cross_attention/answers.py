"""From noisy sums to answers: divide by a normaliser that is never below its public minimum, then project."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from dpverify.errors import DrownedDenominatorWarning
from dpverify.spec import contract
from dpverify.spec.attention import noisy_ratio_clamped

Array = npt.NDArray[np.float64]


@contract(relies_on=[noisy_ratio_clamped.LEMMA])
def ratio(numerators: Array, denominators: Array, denominator_min: float, value_bound: float) -> Array:
    """Answers of shape (m, d_v) from noisy weighted sums (m, d_v) and noisy normalisers (m,).

    The true normaliser is at least ``denominator_min`` (public) and the true answer lies in
    [-value_bound, value_bound]: moving the noisy ones there only removes error. Both are post-processing.

    Warns:
        DrownedDenominatorWarning: some normalisers lay below the public minimum, so noise dominates them.
    """
    drowned = int(np.count_nonzero(denominators < denominator_min))
    if drowned:
        warnings.warn(
            f"the noise dominated the normaliser of {drowned} of {len(denominators)} queries: their answers are "
            "finite but say little; use a larger epsilon, more rows, or tighter bounds",
            DrownedDenominatorWarning,
            stacklevel=4,
        )
    answers = numerators / np.maximum(denominators, denominator_min)[:, None]
    return np.clip(answers, -value_bound, value_bound)

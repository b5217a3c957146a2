"""From noisy sums to answers: divide by a normaliser that is never below its public minimum, then project."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dpverify.cross_attention.bounds import Bounds
from dpverify.errors import DrownedDenominatorWarning
from dpverify.spec import contract
from dpverify.spec.attention import noisy_ratio_clamped

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
DROWNED = 3.0  # standard deviations


@dataclass(frozen=True, eq=False)
class NoisySums:
    """What a release says of m queries: public.

    Attributes:
        numerators: noisy ``sum_i a_i(q) v_i``, shape (m, d_v); normalisers: noisy ``sum_i a_i(q)``, shape (m,).
        numerator_std, normaliser_std: standard deviations of their noise, shape (m,), independent of each other.
        normaliser_min: public lower bound > 0 on each noise-free normaliser, shape (m,).
    """

    numerators: Array
    normalisers: Array
    numerator_std: Array
    normaliser_std: Array
    normaliser_min: Array

    @property
    def drowned(self) -> Flags:
        """Which normalisers, shape (m,), lie below their public minimum or within 3 standard deviations of zero.

        Within z deviations of zero, the confidence set of the ratio at level z is unbounded (Fieller): the release
        says next to nothing about the size of that answer.
        """
        return np.asarray(self.normalisers < np.maximum(self.normaliser_min, DROWNED * self.normaliser_std))

    def answers(self, bounds: Bounds) -> Array:
        """Shape (m, d_v), each entry in [bounds.value_low, bounds.value]."""
        return ratio(self.numerators, self.normalisers, self.normaliser_min, bounds, self.drowned)

    def standard_errors(self, bounds: Bounds) -> Array:
        """One standard deviation of each answer by the delta method, shape (m, d_v); the value span where drowned.

        To first order in the noise a ratio moves by ``(e1 - answer e2) / normaliser``.
        """
        normalisers = np.maximum(self.normalisers, self.normaliser_min)[:, None]
        answers = clamped_ratio(self.numerators, self.normalisers, self.normaliser_min, bounds)
        errors = np.hypot(self.numerator_std[:, None], self.normaliser_std[:, None] * answers) / normalisers
        return np.where(self.drowned[:, None], bounds.value_span, np.minimum(errors, bounds.value_span))


@contract(relies_on=[noisy_ratio_clamped.LEMMA])
def ratio(
    numerators: Array,
    denominators: Array,
    denominator_min: float | Array,
    bounds: Bounds,
    drowned: Flags | None = None,
) -> Array:
    """Answers of shape (m, d_v) from noisy weighted sums (m, d_v) and noisy normalisers (m,).

    The true normaliser is at least ``denominator_min`` (public) and the true answer lies in
    [bounds.value_low, bounds.value]: moving the noisy ones there only removes error. Both are post-processing. A
    normaliser is never moved up to a level that the true one need not reach (a multiple of its noise, say), nor its
    answer to the middle of the range: that could add error which no bound accounts for.

    Args:
        drowned: which answers to warn of, shape (m,); None: those whose normaliser is below its public minimum.

    Warns:
        DrownedDenominatorWarning: some normalisers are drowned in noise.
    """
    flagged = denominators < denominator_min if drowned is None else drowned
    count = int(np.count_nonzero(flagged))
    if count:
        warnings.warn(
            f"the noise dominated the normaliser of {count} of {len(denominators)} queries: their answers are "
            "finite but say little of the size (columns still compare, since they share one normaliser); see "
            "release.drowned(queries), and use a larger epsilon, more rows, or tighter bounds",
            DrownedDenominatorWarning,
            stacklevel=5,
        )
    return clamped_ratio(numerators, denominators, denominator_min, bounds)


def clamped_ratio(numerators: Array, denominators: Array, denominator_min: float | Array, bounds: Bounds) -> Array:
    """:func:`ratio` without its warning."""
    answers = numerators / np.maximum(denominators, denominator_min)[:, None]
    return np.clip(answers, bounds.value_low, bounds.value)


@dataclass(frozen=True, eq=False)
class Margins:
    """How far noisy sums may lie from what an answer x would make them, at m queries: public numbers.

    ``|numerator - x normaliser| <= constant + hypot(numerator, normaliser x) + bias max(high - x, x - low)`` for the
    noise-free answer x, lemma ``attention.answer_confidence``.

    Attributes:
        constant, numerator, normaliser, bias: shape (m,); bias is that of all weights together.
        beyond: how far x itself is from exact attention, shape (m,).
    """

    constant: Array
    numerator: Array
    normaliser: Array
    bias: Array
    beyond: Array

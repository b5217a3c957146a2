"""What adds ``dpverify`` noise to exact numbers, as a mechanism whose law is known: for ``audit_likelihood``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from dpverify.accounting import DiscreteLoss, from_integer_table, from_pmfs
from dpverify.errors import InvalidArgument
from dpverify.noise import SeededBits, TruncatedLaplace
from dpverify.noise.composed import OneTable
from dpverify.noise.grid import to_steps
from dpverify.noise.integer_noise import IntegerNoise
from dpverify.noise.losses import shifted_laplace

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
AWAY = (1.5, 3.0, 4.5, 6.0)  # standard deviations of the noise, in l2
LEAN = (0.4, 0.8, 0.95)
MASS_ERROR = 2.0**-38  # relative, of masses that come from log-masses: 1e-12, and a sum of two hundred terms


@dataclass(frozen=True, eq=False)
class Elsewhere:
    """In place of a dataset: a mixture of m other laws of k noisy numbers. Only for importance sampling.

    Attributes:
        centres: shape (m, k), in grid steps: where the exact numbers lie.
        lean: shape (m, k), in (-1, 1): noise is positive with probability (1 + lean) / 2, of unchanged magnitude.
        shares: shape (m,), of sum 1.
    """

    centres: Integers
    lean: Floats
    shares: Floats


@dataclass(frozen=True, eq=False)
class Additive:
    """``statistic(dataset)``, rounded to the noise's grid, plus an independent draw of ``noise`` on every number.

    It is a mechanism for :func:`dpverify.audit` and, since the law of what is sampled is known exactly, for
    :func:`dpverify.audit_likelihood`. It says nothing of how the statistic is computed; :func:`dpverify.replay` does.

    Args:
        statistic: returns k numbers, or an array of k entries, in the unit of the data.
        noise: whose law every number gets; it may have been built for another sensitivity than the statistic's: this
            is what an audit is to find out.

    >>> import dpverify as dv
    >>> noise = dv.TruncatedLaplace(1.0, dv.ApproxDP(1.0, 1e-6))
    >>> total = Additive(sum, noise)
    >>> dv.audit_likelihood(total, [1.0, 0.0], [0.0, 0.0], dv.ApproxDP(0.8, 1e-6), draws=20_000).violated
    True
    """

    statistic: Callable[[Any], npt.ArrayLike]
    noise: IntegerNoise

    def steps(self, dataset: Any) -> Integers:
        """The exact numbers on ``dataset`` in grid steps, shape (k,)."""
        return np.asarray(to_steps(self.statistic(dataset), self.noise.grid).reshape(-1))

    def __call__(self, dataset: Any, size: int, rng: np.random.Generator) -> Floats:
        """``size`` independent outputs, shape (size, k)."""
        law = self._law(dataset)
        drawn: Integers = self.noise.sample_steps((size, law.centres.shape[1]), fresh(rng))
        if len(law.shares) == 1 and not law.lean.any():
            return np.asarray(np.multiply(law.centres + drawn, self.noise.grid, dtype=np.float64))
        chosen = rng.choice(len(law.shares), size=size, p=law.shares)
        sign = np.where(2.0 * rng.random(drawn.shape) - 1.0 < law.lean[chosen], 1, -1)
        return np.asarray(np.multiply(law.centres[chosen] + sign * np.abs(drawn), self.noise.grid, dtype=np.float64))

    def log_density(self, dataset: Any, outputs: npt.ArrayLike) -> Floats:
        """Log-probability of each row of ``outputs``, shape (size,); -inf where it is impossible.

        Absolute error below k 10^-12.
        """
        law = self._law(dataset)
        values = np.asarray(outputs, dtype=np.float64)
        if values.ndim == 1:
            values = values[:, None]
        if values.ndim != 2 or values.shape[1] != law.centres.shape[1]:
            raise InvalidArgument("outputs", f"of shape {values.shape}", f"of shape (size, {law.centres.shape[1]})")
        finite = np.isfinite(values)
        scaled = np.where(finite, values / self.noise.grid, 0.5)
        rounded = np.clip(np.rint(scaled), -(2.0**61), 2.0**61).astype(np.int64)
        on_grid = np.all(rounded == scaled, axis=1)
        return np.where(on_grid, self._log_mass(rounded, law), -np.inf)

    def _law(self, dataset: Any) -> Elsewhere:
        if isinstance(dataset, Elsewhere):
            return dataset
        steps = self.steps(dataset)[None]
        return Elsewhere(steps, np.zeros(steps.shape), np.ones(1))

    def _log_mass(self, values: Integers, law: Elsewhere) -> Floats:
        """Of the mixture. Most numbers are the same in all of its laws: those are looked up once."""
        here = values - law.centres[0]
        first = self.noise.log_mass(here)
        if len(law.shares) == 1 and not law.lean.any():
            return np.asarray(first.sum(axis=1))
        impossible = np.isneginf(first)
        finite, missing = np.where(impossible, 0.0, first), impossible.astype(np.int64)
        total, lacking = finite.sum(axis=1), missing.sum(axis=1)
        logs = np.empty((len(law.shares), len(values)))
        for row, centre, lean, share in zip(logs, law.centres, law.lean, law.shares, strict=True):
            moved, leant = np.flatnonzero(centre != law.centres[0]), np.flatnonzero(lean)
            there = self.noise.log_mass(values[:, moved] - centre[moved]).sum(axis=1)
            there += np.log1p(lean[leant] * np.sign(values[:, leant] - centre[leant])).sum(axis=1)
            rest = lacking - missing[:, moved].sum(axis=1)
            row[:] = np.where(rest == 0, total - finite[:, moved].sum(axis=1) + there + np.log(share), -np.inf)
        return np.asarray(special.logsumexp(logs, axis=0))

    def further(self, mine: Any, other: Any) -> list[Elsewhere]:
        """Where to draw from for the tails of the loss of ``mine`` over ``other``.

        All numbers lie further away from ``other`` (best for Gaussian noise); or the signs of all draws lean away from
        it (many numbers with Laplace noise); or one of them lies at the end of its noise, beyond which an output
        betrays the dataset; or the latter two by turns.
        """
        here = self.steps(mine)
        difference = here - self.steps(other)
        moved = np.flatnonzero(difference)
        if not len(moved):
            return []
        sign, still = np.sign(difference), np.zeros((1, len(here)))
        unit = difference / np.linalg.norm(difference.astype(np.float64)) * self.noise.std / self.noise.grid
        away = [Elsewhere((here + np.rint(s * unit).astype(np.int64))[None], still, np.ones(1)) for s in AWAY]
        lean = [Elsewhere(here[None], s * sign[None], np.ones(1)) for s in LEAN]
        ends = np.tile(here, (len(moved), 1))
        ends[np.arange(len(moved)), moved] += sign[moved] * self.noise.law.half_width
        equal = np.full(len(moved), 1.0 / len(moved))
        end = Elsewhere(ends, np.repeat(still, len(moved), axis=0), equal)
        return [*away, *lean, end, *(_by_turns(x, end) for x in lean)]

    def losses(self, d0: Any, d1: Any, *, merged: bool = False) -> list[tuple[DiscreteLoss, int]]:
        """The privacy losses of this very pair, for :mod:`dpverify.accounting`: one for every distance in steps.

        Distances have the sign dropped: the noise is symmetric. Empty if the statistic is the same on both.

        Args:
            merged: outcomes of Gaussian noise that lie within a 50th of its deviation count as one. This is
                post-processing: lower bounds stay true, and are found much faster; upper bounds do not.
        """
        distances, counts = np.unique(np.abs(self.steps(d0) - self.steps(d1)), return_counts=True)
        run = max(1, int(self.noise.std / self.noise.grid / 50.0)) if merged else 1
        return [(loss_at(self.noise, int(s), run), int(c)) for s, c in zip(distances, counts, strict=True) if s > 0]


def _by_turns(first: Elsewhere, second: Elsewhere) -> Elsewhere:
    return Elsewhere(
        np.concatenate([first.centres, second.centres]),
        np.concatenate([first.lean, second.lean]),
        np.concatenate([first.shares, second.shares]) / 2.0,
    )


def loss_at(noise: IntegerNoise, steps: int, run: int = 1) -> DiscreteLoss:
    """The loss of one draw of ``noise`` against itself moved by ``steps`` >= 1 grid steps: of what is sampled.

    Wide truncated Laplace noise has millions of outcomes; its loss is that of the rounded law, with the distance
    of the tables to it charged by the accountant. Outcomes of Gaussian noise are merged in runs of ``run``.
    """
    law, half_width = noise.law, noise.law.half_width
    if isinstance(noise, TruncatedLaplace) and not isinstance(law, OneTable) and steps <= half_width:
        rate = Fraction(noise.claim.epsilon) / noise.shift
        return shifted_laplace(rate, half_width, steps, law.total_variation)
    if isinstance(law, OneTable) and (run == 1 or isinstance(noise, TruncatedLaplace)):
        return from_integer_table(law.table.weights, steps)
    masses = np.exp(noise.log_mass(np.arange(-half_width, half_width + 1)))
    reach = min(steps, len(masses))
    length = -(-(len(masses) + reach) // run) * run
    both = np.zeros((2, length))
    both[0, : len(masses)], both[1, reach : reach + len(masses)] = masses, masses
    p, q = both.reshape(2, -1, run).sum(axis=2)
    return replace(from_pmfs(p, q, MASS_ERROR), symmetric=run == 1)  # reflecting the outcomes swaps the two


def fresh(rng: np.random.Generator) -> SeededBits:
    """A bit source that follows the audit's generator, so that an audit can be repeated."""
    return SeededBits(int(rng.integers(2**63)))

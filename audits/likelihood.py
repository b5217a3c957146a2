"""``audit_likelihood``: the audit of a mechanism whose log-density is known. The privacy loss is the witness.

``delta(epsilon) = E_P (1 - e^(epsilon - loss))_+`` with ``loss = ln p(x) - ln q(x)``, for both orders of the datasets.
Tails are reached by importance sampling: outputs come from a mixture of the mechanism on the dataset itself and on
another one (by default d0 moved further away from d1), weighted by the known densities. A pilot chooses the mixture.
Mechanisms that add ``dpverify`` noise have their density from :class:`dpverify.audits.Additive`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy import special

from dpverify.audits.betting import mechanism_name
from dpverify.audits.errors import AuditFinding, MechanismFailed
from dpverify.audits.means import log_e_path, mean_interval
from dpverify.audits.result import finite_exp
from dpverify.audits.sampling import Draw, call, check_pair
from dpverify.errors import InvalidArgument
from dpverify.guarantees import ApproxDP

Floats = npt.NDArray[np.float64]
PILOT = 2000  # outputs on the dataset itself
PILOT_OTHERS = 6000  # on all others together that might be drawn from
SEEN = 20  # outputs of positive excess in the pilot, without which its variance is not believed
OWN_SHARE = 0.2  # of the outputs come from the dataset itself, so that weights are at most 5
AWAY = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
# epsilons tried for the lower bound, as multiples of the claim's
GRID = np.concatenate([np.arange(1, 18) / 20.0, np.arange(175, 226) / 200.0, 1.125 * 1.02 ** np.arange(1, 200)])
RELATIVE_SLACK = 1e-9  # losses are lowered by so much, relative to the log-densities: rounding is no violation


class MechanismWithDensity(Protocol):
    """``log_density(dataset, outputs)`` returns the log-density (or log-mass) of each output, -inf off the support.

    It may also have ``further(mine, other)``: datasets to draw from for the tails, or anything else that call and
    ``log_density`` take in the place of a dataset.
    """

    def __call__(self, dataset: Any, size: int, rng: np.random.Generator, /) -> Any: ...

    def log_density(self, dataset: Any, outputs: Any, /) -> Any: ...


@dataclass(frozen=True, eq=False)
class Direction:
    """What was learned about ``H(P||Q)`` for one order of the datasets.

    Attributes:
        favours: the dataset that is P, "d0" or "d1".
        delta: unbiased estimate of the hockey-stick divergence at the claimed epsilon, up to the rounding slack.
        std_error: its standard error.
        low, high: two-sided interval at confidence 1 - alpha, by betting: no approximation. It cannot end closer to the
            mean than about ``ln(2/alpha) / draws`` (five times that with importance sampling): what was not drawn
            may exist. The library's own noise has a certified upper bound from :mod:`dpverify.accounting`.
        log_e_value: of the test of ``delta <= claimed``, at the end; valid for every sample size.
        losses, weights: the privacy losses drawn (inf: impossible on the other dataset), and their importance weights.
    """

    favours: str
    delta: float
    std_error: float
    low: float
    high: float
    log_e_value: float
    losses: Floats = field(repr=False)
    weights: Floats = field(repr=False)
    path: Floats = field(repr=False)  # log_e_value after each output

    def delta_at(self, epsilon: float) -> tuple[float, float]:
        """Estimate and standard error at another epsilon, from the same draws."""
        return _mean(_excess(self.losses, epsilon) * self.weights)


@dataclass(frozen=True, eq=False)
class LikelihoodResult:
    """The outcome of :func:`audit_likelihood`.

    Attributes:
        violated: the claim is rejected at level alpha: the average of both directions' e-values reached 1/alpha.
        rejected_after: after so many outputs in each direction, besides the pilot; None if it did not.
        e_value: that average at the end.
        epsilon_lower: lower bound on epsilon at the claimed delta, confidence 1 - alpha.
        directions: d0 over d1, then d1 over d0.
        density_z: how many standard errors the sampler and ``log_density`` disagree by, in an identity that holds if
            they belong together (``E_P min(1, q/p) = E_Q min(1, p/q)``); beyond 5 the audit means nothing.
    """

    violated: bool
    rejected_after: int | None
    e_value: float
    epsilon_lower: float
    directions: tuple[Direction, Direction]
    claim: ApproxDP
    alpha: float
    draws: int
    seed: int
    mechanism: str
    density_z: float

    def rejects(self, epsilon: float, alpha: float | None = None) -> int | None:
        """After how many of the same outputs (epsilon, claimed delta) is rejected at level ``alpha``; None: not at all.

        A test of its own: over several of them the false-alarm probabilities add up.
        """
        paths = [log_e_path(_excess(d.losses, epsilon) * d.weights, self.claim.delta) for d in self.directions]
        return _first(_average(*paths), self.alpha if alpha is None else alpha)

    @property
    def delta(self) -> float:
        """The larger of the two estimates: the mechanism's delta on this pair at the claimed epsilon."""
        return max(direction.delta for direction in self.directions)

    def raise_if_violated(self) -> None:
        """Raise :class:`dpverify.PrivacyViolation` if the claim is rejected."""
        if self.violated:
            raise AuditFinding(self.describe(), self)

    def describe(self) -> str:
        verdict = "violates" if self.violated else "was not found to violate"
        after = f" (rejected after {self.rejected_after:,} outputs)" if self.rejected_after is not None else ""
        lines = [f"{self.mechanism} {verdict} ({self.claim.epsilon:g}, {self.claim.delta:g})-DP{after}"]
        for d in self.directions:
            lines.append(
                f"  delta({self.claim.epsilon:g}) for {d.favours}: {d.delta:.4g}, standard error {d.std_error:.2g}, "
                f"in [{d.low:.4g}, {d.high:.4g}]"
            )
        lines.append(f"  epsilon_lower: {self.epsilon_lower:.4g} at delta = {self.claim.delta:g}")
        if abs(self.density_z) > 5.0:
            lines.append(f"  warning:       log_density does not fit the outputs (z = {self.density_z:.1f})")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.describe()


def audit_likelihood(
    mechanism: MechanismWithDensity,
    d0: Any,
    d1: Any,
    claim: ApproxDP,
    *,
    alpha: float = 0.05,
    draws: int = 200_000,
    seed: int = 0,
    proposals: Sequence[Any] | None = None,
) -> LikelihoodResult:
    """Audit with the privacy loss as the witness; see the module for the method.

    Args:
        mechanism: called as ``mechanism(dataset, size, rng)``, with ``log_density(dataset, outputs)`` of shape
            (size,); outputs of shape (size,) or (size, k).
        d0, d1: two different neighbouring datasets.
        draws: outputs drawn for each of the two directions, besides the pilot.
        proposals: datasets to draw from for the tails, besides d0 and d1. None: the mechanism's ``further``, if it has
            one; else d0 + s (d0 - d1) and d1 + s (d1 - d0) for a few s, where the datasets are numeric arrays and the
            mechanism takes them.

    Raises:
        InvalidArgument, MechanismFailed: as :func:`dpverify.audit`; and a log-density that is NaN, +inf, of the wrong
            shape, or that calls an output of the mechanism itself impossible.
    """
    if not (isinstance(alpha, int | float) and 0.0 < alpha < 1.0):
        raise InvalidArgument("alpha", alpha, "greater than 0 and less than 1")
    if not (isinstance(draws, int | np.integer) and draws >= 1000):
        raise InvalidArgument("draws", draws, "an integer of at least 1000")
    if not callable(getattr(mechanism, "log_density", None)):
        raise InvalidArgument("mechanism", mechanism, "an object with log_density(dataset, outputs)", "or use audit")
    check_pair(d0, d1)
    sides = [
        _direction(mechanism, (d0, d1)[i], (d0, d1)[1 - i], i, claim, alpha, draws, seed, proposals) for i in (0, 1)
    ]
    first, second = sides[0][0], sides[1][0]
    path = _average(first.path, second.path)
    rejected = _first(path, alpha)
    overlaps = [(overlap.mean(), overlap.var() / len(overlap)) for _, overlap in sides]
    spread = math.sqrt(float(overlaps[0][1] + overlaps[1][1]))
    gap = float(overlaps[0][0] - overlaps[1][0])
    z = gap / spread if spread > 0 else (0.0 if abs(gap) < 1e-6 else math.inf)
    return LikelihoodResult(
        rejected is not None,
        rejected,
        finite_exp(float(path[-1])),
        _epsilon_lower((first, second), claim, alpha),
        (first, second),
        claim,
        alpha,
        draws,
        seed,
        mechanism_name(mechanism),
        z,
    )


def _direction(
    mechanism: MechanismWithDensity,
    mine: Any,
    other: Any,
    side: int,
    claim: ApproxDP,
    alpha: float,
    draws: int,
    seed: int,
    proposals: Sequence[Any] | None,
) -> tuple[Direction, Floats]:
    """One order of the datasets; also ``min(1, q/p)`` on outputs of ``mine``, for the density check."""
    own = _outputs(mechanism, mine, PILOT, seed, (side, 0), side)
    own_log = _log_density(mechanism, mine, own)
    if np.isneginf(own_log).any():
        raise InvalidArgument(
            f"log_density on d{side}",
            "-inf for an output that the mechanism returned on the same dataset",
            "finite there",
            "the log-density does not belong to the mechanism",
        )
    overlap = np.exp(np.minimum(_log_density(mechanism, other, own) - own_log, 0.0))
    further = getattr(mechanism, "further", _further)
    candidates = list(proposals) if proposals is not None else further(mine, other)
    chosen = _choose(mechanism, mine, other, own, candidates, proposals is not None, claim.epsilon, seed, side)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(side, 2)))
    if chosen is None:
        outputs = _outputs(mechanism, mine, draws, seed, (side, 3), side)
        log_p = _log_density(mechanism, mine, outputs)
        log_mixture = log_p
    else:
        number = int(rng.binomial(draws, OWN_SHARE))
        parts = [_outputs(mechanism, mine, number, seed, (side, 3), side)] if number else []
        parts += [_outputs(mechanism, chosen, draws - number, seed, (side, 4), side)] if number < draws else []
        outputs = np.concatenate(parts)[rng.permutation(draws)]
        log_p = _log_density(mechanism, mine, outputs)
        log_mixture = _mixture(log_p, _log_density(mechanism, chosen, outputs))
    weights = np.exp(log_p - log_mixture)
    losses, slack = _losses(log_p, _log_density(mechanism, other, outputs))
    values = _excess(losses, claim.epsilon) * weights
    mean, error = _mean(values)
    top = 1.0 if chosen is None else 1.0 / OWN_SHARE
    raised = np.minimum(_excess(losses + 2.0 * slack, claim.epsilon) * weights, top)
    low, high = mean_interval(np.minimum(values, top), top, alpha, raised)
    path = log_e_path(values, claim.delta)
    found = Direction(("d0", "d1")[side], mean, error, low, min(1.0, high), float(path[-1]), losses, weights, path)
    return found, overlap


def _further(mine: Any, other: Any) -> list[Any]:
    """Datasets that lie beyond ``mine``, seen from ``other``; none unless both are numeric and of one shape."""
    try:
        a, b = np.asarray(mine, dtype=np.float64), np.asarray(other, dtype=np.float64)
    except (TypeError, ValueError):
        return []
    if a.shape != b.shape:
        return []
    return [a + s * (a - b) if a.shape else float(a + s * (a - b)) for s in AWAY]


def _choose(
    mechanism: MechanismWithDensity,
    mine: Any,
    other: Any,
    own: npt.NDArray[Any],
    candidates: Sequence[Any],
    insist: bool,
    epsilon: float,
    seed: int,
    side: int,
) -> Any | None:
    """The candidate whose mixture with ``mine`` estimates with the least variance; None: ``mine`` alone does.

    All second moments are estimated on the pilot outputs of all candidates together: on its own outputs a
    candidate that lies too far out would see nothing of what it misses.
    """
    taken, pools = [], [own]
    each = min(PILOT, PILOT_OTHERS // max(1, len(candidates)))
    for number, candidate in enumerate(candidates):
        try:
            pools.append(_outputs(mechanism, candidate, each, seed, (side, 1, number), side))
            _log_density(mechanism, candidate, own)
            taken.append(candidate)
        except (MechanismFailed, InvalidArgument):
            if insist:
                raise  # else the mechanism does not take data out there
    pooled = np.concatenate(pools)
    logs = [_log_density(mechanism, dataset, pooled) for dataset in (mine, *taken)]
    log_p, log_pool = logs[0], special.logsumexp(logs, axis=0) - math.log(len(logs))
    excess = _excess(_losses(log_p, _log_density(mechanism, other, pooled))[0], epsilon)
    if (excess > 0).sum() < SEEN:
        return None
    mixtures = [log_p, *(_mixture(log_p, log_s) for log_s in logs[1:])]
    with np.errstate(invalid="ignore"):
        moments = [np.where(excess > 0, excess**2 * np.exp(2.0 * log_p - m - log_pool), 0.0).mean() for m in mixtures]
    best = int(np.argmin(moments))
    return taken[best - 1] if best else None


def _mixture(log_p: Floats, log_s: Floats) -> Floats:
    mixed: Floats = np.logaddexp(log_p + math.log(OWN_SHARE), log_s + math.log(1.0 - OWN_SHARE))
    return mixed


def _losses(log_p: Floats, log_q: Floats) -> tuple[Floats, Floats]:
    """Privacy losses, lowered by the rounding slack, and that slack; +inf where only q vanishes, -inf where p does."""
    finite = np.isfinite(log_p) & np.isfinite(log_q)
    p, q = np.where(finite, log_p, 0.0), np.where(finite, log_q, 0.0)
    slack = RELATIVE_SLACK * np.maximum(1.0, np.abs(p) + np.abs(q))
    return np.where(finite, p - q - slack, np.where(np.isneginf(log_p), -np.inf, np.inf)), slack


def _excess(losses: Floats, epsilon: float) -> Floats:
    """``(1 - e^(epsilon - loss))_+``."""
    gap = np.minimum(epsilon - losses, 0.0)
    excess: Floats = -np.expm1(gap)
    return excess


def _mean(values: Floats) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))


def _average(first: Floats, second: Floats) -> Floats:
    """Of two wealths, given by their logarithms."""
    averaged: Floats = np.logaddexp(first, second) - math.log(2.0)
    return averaged


def _first(path: Floats, alpha: float) -> int | None:
    """After how many outputs the wealth first reached 1/alpha."""
    reached = np.flatnonzero(path >= math.log(1.0 / alpha))
    return int(reached[0]) + 1 if len(reached) else None


def _epsilon_lower(directions: tuple[Direction, Direction], claim: ApproxDP, alpha: float) -> float:
    """Tested upwards on a fixed grid, fine about the claim; exact where delta is 0 (the largest loss drawn)."""
    if claim.delta <= 0.0:
        drawn = [d.losses[(d.weights > 0) & ~np.isneginf(d.losses)] for d in directions]
        return max(0.0, *(float(losses.max(initial=0.0)) for losses in drawn))
    bound = 0.0
    for epsilon in (claim.epsilon or 1.0) * GRID:
        paths = [log_e_path(_excess(d.losses, float(epsilon)) * d.weights, claim.delta) for d in directions]
        if _first(_average(*paths), alpha) is None:
            return bound
        bound = float(epsilon)
    return bound


def _outputs(
    mechanism: MechanismWithDensity, dataset: Any, size: int, seed: int, key: tuple[int, ...], side: int
) -> npt.NDArray[Any]:
    outputs = np.asarray(call(mechanism, dataset, Draw(0, side, size, seed, (7, *key))))
    if outputs.ndim < 1 or len(outputs) != size:
        raise InvalidArgument(
            f"the mechanism's output on d{side}", f"of shape {outputs.shape}", f"of shape ({size},) or ({size}, k)"
        )
    return outputs


def _log_density(mechanism: MechanismWithDensity, dataset: Any, outputs: npt.NDArray[Any]) -> Floats:
    values = np.asarray(mechanism.log_density(dataset, outputs), dtype=np.float64)
    if values.shape != (len(outputs),):
        raise InvalidArgument(
            "log_density(dataset, outputs)", f"of shape {values.shape}", f"of shape ({len(outputs)},)"
        )
    if np.isnan(values).any() or np.isposinf(values).any():
        raise InvalidArgument("log_density(dataset, outputs)", "NaN or +inf somewhere", "finite or -inf")
    return values

"""``combine``: one verdict from the audits of many machines, or shards.

Shards that drew independent outputs multiply: each ran with a seed of its own (``seed=shard``), or all with one
evidence file, which sees to it. Shards that may share randomness (one seed, several pairs of datasets) are averaged:
that is valid whatever they share. Combine all shards that ran, never those that look well.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dpverify.audits.errors import AuditFinding
from dpverify.audits.lower_bound import SET_ASIDE
from dpverify.audits.result import FORMAT, AuditResult, finite_exp
from dpverify.errors import InvalidArgument
from dpverify.guarantees import ApproxDP


@dataclass(frozen=True)
class CombinedResult:
    """What several audits of one claim come to together.

    Attributes:
        violated: the e-value reaches 1 / alpha; with probability at most alpha if all shards keep the claim.
        log_e_value: of all shards; e_value: the same, at most the largest float.
        pairs: used by all shards; shards: their number; dependent: whether they were averaged.
    """

    violated: bool
    log_e_value: float
    pairs: int
    shards: int
    dependent: bool
    claim: ApproxDP
    alpha: float

    @property
    def e_value(self) -> float:
        return finite_exp(self.log_e_value)

    def describe(self) -> str:
        """The outcome in two lines."""
        claimed = f"({self.claim.epsilon:g}, {self.claim.delta:g})-DP"
        head = f"{claimed} is violated" if self.violated else f"no violation of {claimed} found (this proves nothing)"
        how = "averaged" if self.dependent else "multiplied"
        return (
            f"{head}\n  evidence:      e-value {self.e_value:.3g} from {self.shards} shards, {how}, {self.pairs} pairs "
            f"(needed: {1 / self.alpha:.3g}, alpha = {self.alpha:g})"
        )

    def raise_if_violated(self) -> None:
        """Raise :class:`dpverify.PrivacyViolation` if the claim is rejected."""
        if self.violated:
            raise AuditFinding(self.describe(), self)

    def __str__(self) -> str:
        return self.describe()


def combine(
    shards: Iterable[AuditResult | Mapping[str, Any]], *, alpha: float = 0.05, dependent: bool = False
) -> CombinedResult:
    """The e-value of several audits together: their product if independent, else their average.

    Args:
        shards: results of ``dpverify.audit`` on one claim, or what their ``to_dict`` (``dpverify audit --json``)
            gave. Each counts with what it earned itself, not with the evidence that it went on from.
        alpha: level of the joint verdict; the shards' own alphas only say when they stopped.
        dependent: average, which is valid whatever the shards share.

    Raises:
        InvalidArgument: nothing to combine, several claims, or one randomness counted twice.

    Source: Vovk, Wang, E-values: calibration, combination and applications (Ann. Stat. 2021), Propositions 3.1, 4.2.

    >>> import dpverify as dv
    >>> from dpverify.audits.combine import combine
    >>> def leaky(dataset, size, rng):
    ...     return dataset + rng.laplace(scale=0.25, size=size)
    >>> shards = [dv.audit(leaky, 1.0, 0.0, dv.ApproxDP(1.0), max_pairs=10, seed=shard) for shard in range(12)]
    >>> any(shard.violated for shard in shards), combine(shards).violated
    (False, True)
    """
    if not 0.0 < alpha < 1.0:
        raise InvalidArgument("alpha", alpha, "greater than 0 and less than 1")
    parts = [_Part.of(shard) for shard in shards]
    if not parts:
        raise InvalidArgument("shards", "empty", "at least one result")
    claims = sorted({(part.claim.epsilon, part.claim.delta) for part in parts})
    if len(claims) > 1:
        raise InvalidArgument("shards", claims, "audits of one claim", "combine those of each claim by themselves")
    if not dependent:
        _refuse_twice(parts)
    factors = [part.log_factor for part in parts]
    largest = max(factors)
    average = largest + math.log(math.fsum(math.exp(f - largest) for f in factors) / len(factors))
    # the part of the wealth that the shards staked on their lower bounds is set aside once, as in a single audit
    log_e = math.log1p(-SET_ASIDE) + (average if dependent else math.fsum(factors))
    reached = log_e >= math.log(1.0 / alpha)
    return CombinedResult(
        reached, log_e, sum(part.pairs for part in parts), len(parts), dependent, parts[0].claim, alpha
    )


@dataclass(frozen=True)
class _Part:
    log_factor: float
    pairs: int
    claim: ApproxDP
    source: tuple[str, int, int]  # mechanism, seed, run: what the outputs were drawn with

    @staticmethod
    def of(shard: AuditResult | Mapping[str, Any]) -> _Part:
        if isinstance(shard, AuditResult):
            path = shard.path_log_wealth
            source = (shard.mechanism, int(shard.seed), shard.run)
            return _Part(float(path[-1] - path[0]), shard.pairs, shard.claim, source)
        try:
            if shard["format"] != FORMAT:
                raise KeyError
            wealth = [float(w) for w in shard["path"]["log_wealth"]]
            source = (str(shard["mechanism"]), int(shard["seed"]), int(shard["run"]))
            claim = ApproxDP(shard["epsilon"], shard["delta"])
            part = _Part(wealth[-1] - wealth[0], int(shard["pairs"]), claim, source)
        except (KeyError, IndexError, TypeError, ValueError):
            needed = f"results of dpverify.audit, or dictionaries of format {FORMAT!r}"
            raise InvalidArgument("shards", _short(shard), needed) from None
        if math.isnan(part.log_factor) or part.log_factor == math.inf:
            raise InvalidArgument("shards", _short(shard), "results with a sound path of wealth")
        return part


def _refuse_twice(parts: list[_Part]) -> None:
    seen: set[tuple[int, int]] = set()
    for part in parts:
        _, seed, run = part.source
        if (seed, run) in seen:
            raise InvalidArgument(
                "shards",
                f"two with seed {seed} and run {run}",
                "of different seeds, because these drew with the same randomness",
                "audit with seed=shard, or pass dependent=True",
            )
        seen.add((seed, run))


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else text[:77] + "..."

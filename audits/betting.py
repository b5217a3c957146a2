"""``audit``: does a mechanism keep its claim? A test by betting that stops as soon as the evidence suffices."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dpverify.audits import evidence as evidence_store
from dpverify.audits.events import Floats
from dpverify.audits.lower_bound import SET_ASIDE, History
from dpverify.audits.process import Process, average, next_block
from dpverify.audits.result import AuditResult, finite_exp
from dpverify.audits.sampling import Encoder, Mechanism, check_pair, repeats_itself, sample_block
from dpverify.audits.witness import most_telling
from dpverify.errors import InvalidArgument
from dpverify.guarantees import ApproxDP

REPEATED = 32  # outputs drawn twice to see whether the mechanism uses the generator that it is given


@dataclass
class _Run:
    """The state of one audit between blocks."""

    processes: list[Process]
    log_wealth: float
    pairs: int = 0
    drawn: int = 0
    violated: bool = False


def audit(
    mechanism: Mechanism,
    d0: Any,
    d1: Any = None,
    claim: ApproxDP | None = None,
    *,
    alpha: float = 0.05,
    max_pairs: int = 200_000,
    seed: int = 0,
    n_jobs: int | None = 1,
    evidence: str | Path | None = None,
    progress: bool = False,
    floating_point: bool = False,
    stop_early: bool = True,
    trees: bool = False,
) -> AuditResult:
    """Test whether ``mechanism`` keeps ``claim`` on neighbouring datasets, by betting against the claim.

    Args:
        mechanism: called as ``mechanism(dataset, size, rng)``; returns ``size`` independent outputs, an array of
            shape (size,) or (size, k), of numbers, booleans or text. It must draw its randomness from ``rng``.
        d0, d1: two neighbouring datasets, anything that the mechanism takes; or d0 an iterable of such pairs and
            d1 None: the wealth is then the average over the pairs.
        claim: the guarantee under test.
        alpha: in (0, 1): the probability with which a mechanism that keeps its claim is rejected, whatever
            it is and however often one looks.
        max_pairs: stop after so many pairs of outputs (on each pair of datasets).
        seed: at least 0; the result is a function of it.
        n_jobs: workers that draw outputs, through joblib; None leaves it to ``joblib.parallel_config``, with
            which a cluster is reached. The result does not depend on it.
        evidence: a file in which the wealth accumulates from run to run; each run draws fresh outputs.
        progress: show the wealth on the terminal.
        floating_point: also watch the bits of the outputs; such findings are labelled.
        stop_early: stop at the violation; else go on to ``max_pairs`` for a better ``epsilon_lower``.
        trees: a third of the wealth follows an ensemble of trees (needs scikit-learn, ``pip install dpverify[trees]``):
            for vectors whose leak only three and more coordinates together show. Some seconds slower.

    Returns:
        AuditResult: see there for what it does and does not say.

    Raises:
        InvalidArgument: an argument is not what it must be, or the datasets are equal.
        BadOutput: the mechanism returned something else than ``size`` outputs of one kind.
        MechanismFailed: the mechanism raised; dataset, size and seed are in the error.

    Source: arXiv 2509.07055 (sequential audits by betting), with the bets of ``dpverify.audits.bets``.

    >>> import dpverify as dv
    >>> def leaky(dataset, size, rng):  # sensitivity 1, but half the noise that epsilon = 1 needs
    ...     return sum(dataset) + rng.laplace(scale=0.5, size=size)
    >>> from dpverify.audits import audit
    >>> result = audit(leaky, [0], [1], dv.ApproxDP(epsilon=1.0))
    >>> result.violated, result.pairs < 300
    (True, True)
    """
    claim = _checked(claim, alpha, max_pairs, seed, n_jobs)
    pairs = _pairs(d0, d1)
    name = mechanism_name(mechanism)
    key = evidence_store.key(name, claim.epsilon, claim.delta, floating_point)
    start = evidence_store.Evidence(math.log1p(-SET_ASIDE))
    before = start if evidence is None else evidence_store.load(evidence, key, start)
    encoder = Encoder()
    reproducible = repeats_itself(mechanism, pairs[0], REPEATED, seed, (before.runs,))
    threshold = math.log(1.0 / alpha)
    run = _Run([], before.log_e_value, violated=before.log_e_value >= threshold)
    track = [(0, before.log_e_value, run.violated)]
    kept = evidence_store.kept_on_failure(evidence, key, before, run)
    with _progress(progress, name, max_pairs) as show, kept:
        block = 0
        while run.pairs < max_pairs and not (run.violated and stop_early):
            size = next_block(run.pairs, max_pairs)
            outputs = sample_block(mechanism, pairs, size, seed, (before.runs, block), n_jobs, encoder)
            _advance(run, outputs, claim, before.log_e_value, threshold, stop_early, (floating_point, trees))
            track.append((run.pairs, run.log_wealth, run.violated))
            show(run.pairs, run.log_wealth)
            block += 1
    options = (", floating_point=True" if floating_point else "") + ("" if stop_early else ", stop_early=False")
    options += ", trees=True" if trees else ""
    request = _Request(name, claim, alpha, max_pairs, seed, options, reproducible)
    if evidence is not None:
        mine = evidence_store.Evidence(run.log_wealth, before.pairs + run.pairs, before.runs + 1)
        run.log_wealth = evidence_store.store(evidence, key, mine).log_e_value  # with runs that waited for this one
        run.violated = run.violated or run.log_wealth >= threshold
    return _finish(run, track, request, before.runs, encoder)


def _advance(
    run: _Run,
    outputs: list[tuple[Floats, Floats]],
    claim: ApproxDP,
    log_start: float,
    threshold: float,
    stop_early: bool,
    extras: tuple[bool, bool],
) -> None:
    """Take one block; where the wealth passes the threshold within it, take it up to there only."""
    if not run.processes:
        run.processes = [Process.start(x.shape[1], *extras) for x, _ in outputs]
    paths = [
        process.paths(x, y, claim.epsilon, claim.delta) for process, (x, y) in zip(run.processes, outputs, strict=True)
    ]
    shares = [e.share / len(run.processes) for process in run.processes for e in process.experts]
    wealth = log_start + average([path for family in paths for path in family], shares)
    size = len(wealth)
    passed = np.flatnonzero(wealth >= threshold)
    used = int(passed[0]) + 1 if len(passed) and stop_early else size
    run.drawn += size
    run.pairs += used
    run.violated = run.violated or len(passed) > 0
    run.log_wealth = float(wealth[used - 1])
    for process, (x, y), family in zip(run.processes, outputs, paths, strict=True):
        process.commit(x[:used], y[:used], family)


@dataclass(frozen=True)
class _Request:
    """What was asked, for the result."""

    mechanism: str
    claim: ApproxDP
    alpha: float
    max_pairs: int
    seed: int
    options: str
    reproducible: bool


def _finish(
    run: _Run, track: list[tuple[int, float, bool]], request: _Request, number: int, encoder: Encoder
) -> AuditResult:
    experts = [expert for process in run.processes for expert in process.experts]
    shares = [expert.share / len(run.processes) for expert in experts]
    claim = request.claim
    history = History(
        records=tuple(expert.records for expert in experts),
        shares=tuple(shares),
        log_e=np.array([log_e for _, log_e, _ in track[1:]]),
        violated=np.array([violated for _, _, violated in track[1:]], dtype=bool),
        refuted=run.violated,
        claimed=claim.epsilon,
        delta=claim.delta,
        alpha=request.alpha,
    )
    witness = most_telling(experts, claim.epsilon, claim.delta, encoder)
    return AuditResult(
        violated=run.violated,
        e_value=finite_exp(run.log_wealth),
        log_e_value=run.log_wealth,
        pairs=run.pairs,
        drawn=run.drawn,
        witness=witness,
        claim=claim,
        alpha=request.alpha,
        seed=request.seed,
        run=number,
        mechanism=request.mechanism,
        reproducible=request.reproducible,
        dataset_pairs=max(1, len(run.processes)),
        max_pairs=request.max_pairs,
        options=request.options,
        path_pairs=np.array([float(n) for n, _, _ in track]),
        path_log_wealth=np.array([w for _, w, _ in track]),
        history=history,
    )


def _checked(claim: ApproxDP | None, alpha: float, max_pairs: int, seed: int, n_jobs: int | None) -> ApproxDP:
    if not isinstance(claim, ApproxDP):
        raise InvalidArgument("claim", claim, "a claim such as ApproxDP(epsilon=1.0, delta=1e-6)")
    if not (isinstance(alpha, int | float) and 0.0 < alpha < 1.0):
        raise InvalidArgument("alpha", alpha, "greater than 0 and less than 1")
    if not (isinstance(max_pairs, int | np.integer) and max_pairs >= 1):
        raise InvalidArgument("max_pairs", max_pairs, "an integer of at least 1")
    if n_jobs == 0:
        raise InvalidArgument("n_jobs", n_jobs, "at least 1, -1 for all cores, or None", "n_jobs=1")
    if not (isinstance(seed, int | np.integer) and seed >= 0):
        raise InvalidArgument("seed", seed, "an integer of at least 0", "results are functions of the seed")
    return claim


def _pairs(d0: Any, d1: Any) -> list[tuple[Any, Any]]:
    """One pair, or the pairs of an iterable."""
    if d1 is not None:
        check_pair(d0, d1)
        return [(d0, d1)]
    advice = "pass d0 and d1, or an iterable of (d0, d1) as d0 and d1=None"
    if not isinstance(d0, Iterable) or isinstance(d0, str | bytes):
        raise InvalidArgument("d1", d1, "a dataset, unless d0 is an iterable of pairs", advice)
    pairs = []
    for pair in d0:
        if not (isinstance(pair, tuple | list) and len(pair) == 2):
            raise InvalidArgument("d1", d1, "a dataset, unless d0 is an iterable of pairs", advice)
        check_pair(pair[0], pair[1])
        pairs.append((pair[0], pair[1]))
    if not pairs:
        raise InvalidArgument("d0", d0, "at least one pair of datasets where d1 is None", advice)
    return pairs


def mechanism_name(mechanism: Any) -> str:
    """How the mechanism is called in reports and evidence files."""
    if isinstance(mechanism, functools.partial):
        return mechanism_name(mechanism.func)
    named = mechanism if hasattr(mechanism, "__qualname__") else type(mechanism)
    return f"{named.__module__}:{named.__qualname__}"


@contextmanager
def _progress(wanted: bool, name: str, max_pairs: int) -> Iterator[Any]:
    if not wanted:
        yield lambda pairs, log_wealth: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[wealth]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns) as bar:
        task = bar.add_task(name, total=max_pairs, wealth="e-value 1")

        def show(pairs: int, log_wealth: float) -> None:
            bar.update(task, completed=pairs, wealth=f"{pairs} pairs, e-value 10^{log_wealth / math.log(10.0):.1f}")

        yield show

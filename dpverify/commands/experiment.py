"""The example of `dpverify verify`: private attention over health-insurance records, against the exact."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dpverify.cross_attention import Release, attention, release_attention
from dpverify.cross_attention.release import Method
from dpverify.datasets import HealthData, health_insurance
from dpverify.errors import DrownedDenominatorWarning, OutOfBoundsWarning
from dpverify.guarantees import ApproxDP

DELTA = 1e-6
EPSILON = 1.0
SWEEP = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
FAILURE_PROBABILITY = 0.05
FEW_COVARIATES = ("lncoins", "disea")
Step = Callable[[str], None]


@dataclass(frozen=True)
class Measurement:
    """One release on the health data, in the unit of the values (visits a year).

    Attributes:
        bound: error bound of one query at failure probability 0.05.
        worst: largest error over all held-out queries.
        rms: root mean square error over them.
        r2: share of the variance of exact attention's answers that the release reproduces; can be negative.
    """

    mechanism: str
    covariates: int
    claim: ApproxDP
    bound: float
    worst: float
    rms: float
    r2: float
    build_s: float
    query_s: float
    numbers: int
    release: Release

    @property
    def bytes(self) -> int:
        return 8 * self.numbers


@dataclass(frozen=True)
class Experiment:
    """All measurements: the table's rows, and the functional release over a range of epsilon."""

    table: tuple[Measurement, ...]
    sweep: tuple[Measurement, ...]
    rows: int
    queries: int


def run(step: Step) -> Experiment:
    """Run the example; ``step`` is told what comes next."""
    full, few = health_insurance(), health_insurance(FEW_COVARIATES)
    exact_full, exact_few = (attention(d.queries, d.keys, d.values) for d in (full, few))
    sweep = []
    for epsilon in SWEEP:
        step(f"functional release at epsilon = {epsilon:g}")
        sweep.append(measure(full, exact_full, "functional", ApproxDP(epsilon, DELTA)))
    main = next(m for m in sweep if m.claim.epsilon == EPSILON)
    step("functional release, two covariates")
    functional_few = measure(few, exact_few, "functional", ApproxDP(EPSILON, DELTA))
    step("tree release, two covariates")
    tree_few = measure(few, exact_few, "dptree", ApproxDP(EPSILON, DELTA))
    return Experiment((main, functional_few, tree_few), tuple(sweep), len(full.keys), len(full.queries))


def measure(data: HealthData, exact: npt.NDArray[np.float64], method: Method, claim: ApproxDP) -> Measurement:
    """Release, answer the held-out queries, and compare with exact attention."""
    with warnings.catch_warnings():
        # the bounds clip a few rows, and the tree's noise drowns its normaliser: both show in the numbers
        warnings.simplefilter("ignore", OutOfBoundsWarning)
        warnings.simplefilter("ignore", DrownedDenominatorWarning)
        start = time.perf_counter()
        release = release_attention(data.keys, data.values, claim, bounds=data.bounds, method=method)
        built = time.perf_counter()
        answers = release.query(data.queries)
        done = time.perf_counter()
    error = answers - exact
    return Measurement(
        mechanism=method,
        covariates=data.keys.shape[1],
        claim=claim,
        bound=release.error_bound(FAILURE_PROBABILITY),
        worst=float(np.abs(error).max()),
        rms=float(np.sqrt((error**2).mean())),
        r2=float(1.0 - (error**2).sum() / ((exact - exact.mean()) ** 2).sum()),
        build_s=built - start,
        query_s=(done - built) / len(data.queries),
        numbers=sum(array.size for array in release.state.arrays().values()),
        release=release,
    )

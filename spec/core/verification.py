"""Check a lemma over its domain, and report it as data (for the ledger, the terminal and the report)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from dpverify.spec.core.domain import points
from dpverify.spec.core.errors import HypothesisNotMet
from dpverify.spec.core.lemma import Lemma


@dataclass(frozen=True)
class LemmaReport:
    """The outcome of checking one lemma.

    Attributes:
        checked: points at which the hypotheses held and the conclusion was compared with the oracle.
        skipped: points of the domain outside the hypotheses.
        failure: None, or what went wrong at the first failing point.
        seconds: wall-clock time.
    """

    lemma: Lemma
    checked: int
    skipped: int
    failure: str | None
    seconds: float

    @property
    def passed(self) -> bool:
        return self.failure is None


def verify_lemma(lemma: Lemma, *, count: int = 24, seed: int = 0, limit_s: float = 60.0) -> LemmaReport:
    """Check ``lemma`` at ``count`` points of its domain, and its enclosure if it has one.

    A lemma checked nowhere, or too slowly, fails.

    Every failure is reported, never raised: a broken oracle is a result too.
    """
    start = time.perf_counter()
    checked = skipped = 0
    failure: str | None = None
    for parameters in points(lemma.domain, count, np.random.default_rng(seed)):
        try:
            lemma.check(**parameters)
            checked += 1
        except HypothesisNotMet:
            skipped += 1
        except Exception as error:  # whatever goes wrong in a check is the lemma's failure
            failure = _message(error, parameters)
            break
        if time.perf_counter() - start > limit_s:
            failure = f"{lemma.id}: time-out: {checked} points took more than {limit_s:g} s"
            break
    if failure is None and checked == 0:
        failure = f"{lemma.id}: no point of its domain meets its hypotheses, so nothing was checked"
    if failure is None and lemma.enclosure is not None:
        try:
            lemma.enclose()
        except Exception as error:
            failure = f"{error}\n  enclosure: {lemma.enclosure} ({type(error).__name__})"
    return LemmaReport(lemma, checked, skipped, failure, time.perf_counter() - start)


def _message(error: Exception, parameters: dict[str, Any]) -> str:
    return f"{error}\n  at {parameters} ({type(error).__name__})"

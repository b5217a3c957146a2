"""The ledger: lemma by evidence, generated from the lemmas, the contracts and the audits, never typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dpverify.spec.core.contract import enforcing, relying_on
from dpverify.spec.core.lemma import Lemma
from dpverify.spec.core.registry import lemmas
from dpverify.spec.core.verification import LemmaReport


@dataclass(frozen=True)
class LedgerRow:
    """One lemma and what speaks for it.

    Attributes:
        evidence: among "oracle" (has one; see ``checked``), "proved" (names a theorem), "enforced".
        checked: points compared with the oracle in this run, None if the oracle was not run.
        failure: what went wrong in this run, or None.
        enforced_by, relied_on_by: qualified names of functions.
    """

    lemma: Lemma
    evidence: tuple[str, ...]
    checked: int | None
    failure: str | None
    enforced_by: tuple[str, ...]
    relied_on_by: tuple[str, ...]


def ledger(reports: Mapping[str, LemmaReport] | None = None) -> list[LedgerRow]:
    """One row a lemma, in the order of the registry.

    Args:
        reports: what :func:`verify_lemma` returned, by identifier; a lemma without a report is shown as
            not checked in this run.
    """
    return [_row(lemma, (reports or {}).get(lemma.id)) for lemma in lemmas().values()]


def _row(lemma: Lemma, report: LemmaReport | None) -> LedgerRow:
    enforcers = enforcing(lemma.id)
    evidence = ["oracle"]
    if lemma.theorems:
        evidence.append("proved")
    if enforcers:
        evidence.append("enforced")
    return LedgerRow(
        lemma,
        tuple(evidence),
        None if report is None else report.checked,
        None if report is None else report.failure,
        enforcers,
        relying_on(lemma.id),
    )

"""The ledger: lemma by evidence, generated from the lemmas, the contracts and the audits, never typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dpverify.spec.core.contract import enforcing, load_contracts, relying_on
from dpverify.spec.core.lemma import Lemma
from dpverify.spec.core.registry import lemmas
from dpverify.spec.core.verification import LemmaReport


@dataclass(frozen=True)
class LedgerRow:
    """One lemma and what speaks for it.

    Attributes:
        evidence: among "oracle" (has one; see ``checked``), "proved" (names a theorem), "enclosed" (interval
            arithmetic, over ``enclosed_over``), "enforced".
        enclosed_over: what is shown by interval arithmetic and over which box, or None.
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
    enclosed_over: str | None = None


def ledger(reports: Mapping[str, LemmaReport] | None = None) -> list[LedgerRow]:
    """One row a lemma, in the order of the registry.

    Args:
        reports: what :func:`verify_lemma` returned, by identifier; a lemma without a report is shown as
            not checked in this run.
    """
    load_contracts()
    return [_row(lemma, (reports or {}).get(lemma.id)) for lemma in lemmas().values()]


def _row(lemma: Lemma, report: LemmaReport | None) -> LedgerRow:
    enforcers = enforcing(lemma.id)
    evidence = ["oracle"]
    if lemma.theorems:
        evidence.append("proved")
    if lemma.enclosure is not None:
        evidence.append("enclosed")
    if enforcers:
        evidence.append("enforced")
    return LedgerRow(
        lemma,
        tuple(evidence),
        None if report is None else report.checked,
        None if report is None else report.failure,
        enforcers,
        relying_on(lemma.id),
        None if lemma.enclosure is None else str(lemma.enclosure),
    )

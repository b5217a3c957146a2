"""The ledger: lemma by evidence, generated from the lemmas, the contracts and the audits, never typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dpverify.spec.core.contract import auditing, enforcing, load_contracts, relying_on
from dpverify.spec.core.lemma import Lemma
from dpverify.spec.core.proofs import rechecked
from dpverify.spec.core.registry import lemmas
from dpverify.spec.core.verification import LemmaReport


@dataclass(frozen=True)
class LedgerRow:
    """One lemma and what speaks for it.

    Attributes:
        evidence: among "oracle" (has one; see ``checked``), "proved" (names a theorem), "enclosed" (interval
            arithmetic, over ``enclosed_over``), "enforced", "audited" (a statistical test with its alpha).
        rechecked: whether this machine built and audited the very proofs that are present.
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
    rechecked: bool = False

    @property
    def evidence_text(self) -> str:
        """The evidence in words; theorems that were not built on this machine say so."""
        proved = "proved" if self.rechecked else "proved (not rechecked here)"
        return ", ".join(proved if kind == "proved" else kind for kind in self.evidence)


def ledger(reports: Mapping[str, LemmaReport] | None = None) -> list[LedgerRow]:
    """One row a lemma, in the order of the registry.

    Args:
        reports: what :func:`verify_lemma` returned, by identifier; a lemma without a report is shown as
            not checked in this run.
    """
    load_contracts()
    here = rechecked()
    return [_row(lemma, (reports or {}).get(lemma.id), here) for lemma in lemmas().values()]


def _row(lemma: Lemma, report: LemmaReport | None, proofs_rechecked: bool) -> LedgerRow:
    enforcers = enforcing(lemma.id)
    evidence = ["oracle"]
    if lemma.theorems:
        evidence.append("proved")
    if lemma.enclosure is not None:
        evidence.append("enclosed")
    if enforcers:
        evidence.append("enforced")
    if auditing(lemma.id):
        evidence.append("audited")
    return LedgerRow(
        lemma,
        tuple(evidence),
        None if report is None else report.checked,
        None if report is None else report.failure,
        enforcers,
        relying_on(lemma.id),
        None if lemma.enclosure is None else str(lemma.enclosure),
        proofs_rechecked,
    )

"""What must hold: one lemma a file, by chapter, each with its oracle; and the ledger of them all."""

if __name__ != "dpverify.spec":
    raise ImportError(
        f"this folder was imported as {__name__!r}; import it as 'dpverify.spec'. A top-level 'spec' would "
        "collide with a folder of the same name in the user's own project."
    )

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.contract import contract
from dpverify.spec.core.domain import Choice, Integer, Real
from dpverify.spec.core.enclosure import Enclosure
from dpverify.spec.core.errors import ConclusionViolated, HypothesisNotMet, OracleUnreliable
from dpverify.spec.core.exhibit import Exhibit, exhibits
from dpverify.spec.core.ledger import LedgerRow, ledger
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions
from dpverify.spec.core.registry import UnknownLemma, lemma, lemmas
from dpverify.spec.core.verification import LemmaReport, verify_lemma

__all__ = [
    "Choice",
    "Comparison",
    "ConclusionViolated",
    "Enclosure",
    "Exhibit",
    "Hypothesis",
    "HypothesisNotMet",
    "Integer",
    "LedgerRow",
    "Lemma",
    "LemmaReport",
    "OracleUnreliable",
    "Real",
    "Source",
    "UnknownLemma",
    "at_most",
    "at_two_precisions",
    "contract",
    "equal",
    "exhibits",
    "ledger",
    "lemma",
    "lemmas",
    "verify_lemma",
]

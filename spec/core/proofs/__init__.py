"""Machine-checked proofs (``spec/proofs``): build and audit them, and keep lemmas, statements and formulas tied to it.

Works on three levels: without Coq the sources are compared with the snapshot of what was audited
(:func:`check_sources`) and the lemmas with its theorems (:func:`check_ties`); with Coq everything is proved
again and compared with what Coq prints (:func:`audit`); and the links let Coq certify Python's own numbers
(:func:`check_links`).
"""

from dpverify.spec.core.proofs.auditing import audit, recheck, rechecked, take_snapshot
from dpverify.spec.core.proofs.coq import build, coq_missing
from dpverify.spec.core.proofs.errors import CoqMissing, Problem, ProofsRejected
from dpverify.spec.core.proofs.links import check_links
from dpverify.spec.core.proofs.snapshot import Snapshot, check_sources, check_ties, read_snapshot
from dpverify.spec.core.proofs.sources import PROOFS

__all__ = [
    "PROOFS",
    "CoqMissing",
    "Problem",
    "ProofsRejected",
    "Snapshot",
    "audit",
    "build",
    "check_links",
    "check_sources",
    "check_ties",
    "coq_missing",
    "read_snapshot",
    "recheck",
    "rechecked",
    "take_snapshot",
]

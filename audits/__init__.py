"""How we try to break it: statistical and deterministic audits of privacy claims."""

if __name__ != "dpverify.audits":
    raise ImportError(
        f"this folder was imported as {__name__!r}; import it as 'dpverify.audits'. A top-level 'audits' would "
        "collide with a folder of the same name in the user's own project."
    )

from dpverify.audits.additive import Additive
from dpverify.audits.betting import audit
from dpverify.audits.combine import CombinedResult, combine
from dpverify.audits.errors import AuditFinding, BadOutput, EvidenceLocked, MechanismFailed
from dpverify.audits.fixed_sample import FixedSampleResult, fixed_sample
from dpverify.audits.likelihood import LikelihoodResult, audit_likelihood
from dpverify.audits.neighbours import attention_pairs, coordinate_search, replacements, worst_pair
from dpverify.audits.replay import LiveNoise, NoiseSource, ReplayResult, replay
from dpverify.audits.result import AuditResult
from dpverify.audits.witness import Witness

__all__ = [
    "Additive",
    "AuditFinding",
    "AuditResult",
    "BadOutput",
    "CombinedResult",
    "EvidenceLocked",
    "FixedSampleResult",
    "LikelihoodResult",
    "LiveNoise",
    "MechanismFailed",
    "NoiseSource",
    "ReplayResult",
    "Witness",
    "attention_pairs",
    "audit",
    "audit_likelihood",
    "combine",
    "coordinate_search",
    "fixed_sample",
    "replacements",
    "replay",
    "worst_pair",
]

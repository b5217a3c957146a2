"""Mutants of the statements: change a constant or a hypothesis, and the proof must no longer go through.

A hypothesis too many is accepted by Coq, even one that cannot be met; the comparison of statements with the
snapshot is what refuses it.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dpverify.spec.core.proofs.coq import build, locked, run
from dpverify.spec.core.proofs.sources import PROOFS, blank_comments, files


@dataclass(frozen=True)
class Mutant:
    """One change: in ``file``, the first occurrence of ``old`` after ``after`` becomes ``new``."""

    file: str
    after: str
    old: str
    new: str

    @property
    def title(self) -> str:
        where = self.after or "start of file"
        return f"{self.file} ({where}): {' '.join(self.old.split())!r} -> {' '.join(self.new.split())!r}"


@dataclass(frozen=True)
class Outcome:
    """What Coq said: "refused", "accepted", or "time-out", which decides nothing."""

    mutant: Mutant
    outcome: str
    seconds: float


MUTANTS = (
    Mutant("TLap.v", "Section TLap", "(1 + (exp eps - 1) / (2 * delta))", "(1 + (exp eps - 1) / delta)"),
    Mutant("TLap.v", "Section TLap", "0 < delta <= / 2.", "0 < delta < 1."),
    Mutant("TLap.v", "Section TLap", "tl_b : R := Delta / eps", "tl_b : R := 1 / eps"),
    Mutant("TLap.v", "Theorem tlap_pointwise", "Rabs (z - z') <= Delta", "Rabs (z - z') <= 2 * Delta"),
    Mutant("TLap.v", "Theorem tlap_dp (", "lo hi + delta.", "lo hi + delta / 2."),
    Mutant("TLap.v", "Definition tl_var", "(1 - delta", "(1 - 2 * delta"),
    Mutant("VectorTLap.v", "Definition tail_at", "(2 * (exp L - 1))", "(exp L - 1)"),
    Mutant("VectorTLap.v", "Theorem tail_superadditive", "<= tail_at (s + t)", "<= tail_at (s + t) / 2"),
    Mutant("VectorTLap.v", "Theorem tlap_dp_vector (", "l1 ms ms' <= Delta", "l1 ms ms' <= 2 * Delta"),
    Mutant("VectorTLap.v", "Theorem tlap_dp_nodes", "(INR k * delta)", "delta"),
    Mutant("DP.v", "Theorem dp_compose", "(delta1 + delta2)", "(delta1)"),
    Mutant("DP.v", "Definition group_delta", "(exp eps - 1)", "(exp eps + 1)"),
    Mutant("DP.v", "Theorem dp_failure_probability", "(delta + pf)", "delta"),
    Mutant("DP.v", "Theorem dp_perturbed", "(1 + exp eps)", "2"),
    Mutant("IntegerTable.v", "Definition shift_ok", "(at_zero t ws) (at_shift t ws)", "(at_zero t ws) (at_zero t ws)"),
    Mutant("SmallTable.v", "Lemma small_table_ok", "small_table 4", "small_table 5"),
    Mutant("Segtree.v", "Theorem leaf_in_exactly_k1_nodes", "= k + 1", "= k"),
    Mutant("Segtree.v", "Theorem interval_decomposition_size", "2 * (k - 1)", "2 * (k - 2)"),
    Mutant("Segtree.v", "Theorem prefix_decomposition_size", "Nat.max 1 k", "Nat.max 1 (k - 1)"),
    Mutant("Sensitivity.v", "Theorem replace_one_row (", "<= 2 * Rw * G", "<= Rw * G"),
    Mutant("PoissonTail.v", "Theorem texp_one_sided", "<= exp x.", "<= (1 - eps_s s X / 2) * exp x."),
    Mutant("PoissonTail.v", "Theorem eps_s_poisson_tail", "(S s + j) / INR", "(s + j) / INR"),
    Mutant("Ratio.v", "Definition signed_error", "2 * V * es", "V * es"),
    Mutant("Ratio.v", "Definition nonneg_error", "(1 - es)", "(1 + es)"),
    Mutant("RatioOneSided.v", "Definition one_sided_relative", "(1 - e)", "(1 + e)"),
    Mutant("RatioOneSided.v", "Theorem noisy_ratio_clamped (", "(Rabs e1) (Rabs", "(Rabs e2) (Rabs"),
    Mutant("FunctionalSensitivity.v", "Theorem functional_sensitivity :", "4 * (b2", "3 * (b2"),
    Mutant("Nystrom.v", "Theorem contraction_sensitivity", "(1 + eta)", "(1 + eta / 2)"),
    Mutant("Nystrom.v", "Theorem residual_error (", "- 2 * sumn m", "- sumn m"),
    Mutant("Nystrom.v", "Theorem residual_error_contraction", "<= 1 * nsq r y", "<= 2 * nsq r y"),
    Mutant("Direction.v", "Theorem direction_lipschitz", "<= s * nsq", "<= s / 2 * nsq"),
    Mutant("Direction.v", "Theorem taylor_log_concave", "<= texp (S s) t * texp", "<= / 2 * texp (S s) t * texp"),
    Mutant("JointHeads.v", "Theorem joint_sensitivity_shares", "sumn heads share <= 1", "sumn heads share <= 2"),
    Mutant("LazyDraw.v", "Theorem jitter_covers", "INR n * e <= jitter", "e <= jitter"),
    Mutant("Normaliser.v", "Definition normaliser_least", "- (s * B * m)", "- (s * B * m / 2)"),
    Mutant("Lipschitz.v", "Theorem net_extension", "e + 2 * L * e0", "e + L * e0"),
    Mutant("NetSize.v", "Theorem net_cardinality", "<= 2 * e0 * INR N", "<= 3 * e0 * INR N"),
    Mutant("Betting.v", "Theorem wealth_factor_nonneg", "/ (exp eps + delta)", "1"),
    Mutant("Hoeffding.v", "Theorem hoeffding (", "(2 * sum_squares bs)", "(sum_squares bs)"),
    Mutant("Hoeffding.v", "Theorem bernstein (", "b * t / 3", "b * t / 4"),
    Mutant("Features.v", "Fixpoint features_at", "sqrt (INR (fact b))", "INR (fact b)"),
    Mutant("Rounding.v", "Theorem round_l1", "Z.of_nat m - 1", "Z.of_nat m - 2"),
    Mutant("TableMonotone.v", "Section Monotone", "w i * w (S j) <= w (S i) * w j", "w i * w j <= w (S i) * w (S j)"),
    Mutant("HockeyStick.v", "Definition hockey_stick", "exp eps * q i", "q i"),
    Mutant("Exhibits.v", "Theorem budget_split_by_height_fails", "k := (h + 1)%nat", "k := h"),
)


def mutate(text: str, mutant: Mutant) -> str:
    """The text with the change made.

    Raises:
        ValueError: the place to change is not there; the list of mutants is out of date.
    """
    start = blank_comments(text).find(mutant.after)
    position = text.find(mutant.old, start)
    if start < 0 or position < 0:
        raise ValueError(f"{mutant.title}: there is no such text; bring the list of mutants up to date")
    return text[:position] + mutant.new + text[position + len(mutant.old) :]


def run_mutants(
    mutants: Sequence[Mutant] = MUTANTS, source: Path = PROOFS, into: Path | None = None, limit_s: float = 60.0
) -> list[Outcome]:
    """Compile each mutant against the real development; nothing in the source tree changes."""
    folder = build(source, into)
    outcomes = []
    for mutant in mutants:
        with tempfile.TemporaryDirectory() as scratch, locked(folder):
            work = Path(scratch)
            for file in files(source):
                compiled = folder / f"{file}o"
                target = work / f"{file}o"
                target.parent.mkdir(exist_ok=True)
                if file != mutant.file:
                    shutil.copy(compiled, target)
            (work / mutant.file).write_text(mutate((source / mutant.file).read_text("utf-8"), mutant), "utf-8")
            start = time.perf_counter()
            done = run(["coqc", "-q", "-w", "none", "-R", ".", "DPVerify", mutant.file], work, limit_s)
            outcome = {0: "accepted", 124: "time-out"}.get(done.returncode, "refused")
            outcomes.append(Outcome(mutant, outcome, time.perf_counter() - start))
    return outcomes

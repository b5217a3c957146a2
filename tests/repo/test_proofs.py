"""The tie between lemmas, the audited snapshot, the Coq files and Python's formulas; and that each part can fail.

What needs no Coq runs everywhere. The rest is skipped, with the reason, where Coq is not installed.
"""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from dpverify.spec import lemma, lemmas
from dpverify.spec.core.proofs import (
    PROOFS,
    ProofsRejected,
    audit,
    build,
    check_links,
    check_sources,
    check_ties,
    coq_missing,
    read_snapshot,
    recheck,
    rechecked,
    take_snapshot,
)
from dpverify.spec.core.proofs.auditing import MACHINE, REALS
from dpverify.spec.core.proofs.links import (
    decomposition_claims,
    function,
    sensitivity_claims,
    table_claims,
    value_claim,
)
from dpverify.spec.core.proofs.mutants import MUTANTS, Mutant, mutate, run_mutants
from dpverify.spec.core.proofs.sources import blank_comments, scan, theorems

MISSING = coq_missing()
needs_coq = pytest.mark.skipif(MISSING is not None, reason=f"proofs not rechecked here: {MISSING}")

SMALL = "-R . DPVerify\ntools/Sums.v\nCosine.v\n"
Edit = Callable[[str], str]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the whole development, to be damaged."""
    return Path(shutil.copytree(PROOFS, tmp_path / "proofs"))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A development of two of our files, built, with its own snapshot; tests work on copies of it."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "proofs" / "tools").mkdir(parents=True)
    for name in ("tools/Sums.v", "Cosine.v"):
        shutil.copy(PROOFS / name, folder / "proofs" / name)
    (folder / "proofs" / "_CoqProject").write_text(SMALL)
    take_snapshot(folder / "proofs", folder / "build")
    return folder


def edit(source: Path, name: str, change: Edit) -> None:
    text = (source / name).read_text(encoding="utf-8")
    changed = change(text)
    assert changed != text
    (source / name).write_text(changed, encoding="utf-8")


def replaced(old: str, new: str) -> Edit:
    return lambda text: text.replace(old, new, 1)


def rejected(check: Callable[[], object], *words: str) -> ProofsRejected:
    with pytest.raises(ProofsRejected) as caught:
        check()
    for word in words:
        assert word in str(caught.value)
    return caught.value


# --- without Coq ---------------------------------------------------------------------------------------------


def test_snapshot_describes_the_sources_and_every_cited_theorem_was_audited() -> None:
    snapshot = check_sources()
    cited = check_ties(lemmas().values(), snapshot)
    assert "noise.truncated_laplace_variance" in cited["TLap.tlap_variance"]
    assert len(snapshot.theorems) >= 110


def test_snapshot_rests_on_nothing_but_the_real_numbers_and_machine_arithmetic() -> None:
    axioms = read_snapshot().axioms
    assert set(axioms["reals"]) == REALS
    assert all(name in REALS or MACHINE.match(name) for name in axioms["intervals"])


def test_chapters_of_the_brief_are_covered() -> None:
    names = set(read_snapshot().theorems)
    assert {
        "DP.dp_failure_probability",
        "DP.dp_group_exact",
        "RatioOneSided.softmax_absolute_error_one_sided",
        "RatioOneSided.noisy_ratio_clamped",
        "FunctionalSensitivity.functional_sensitivity_ranges",
        "VectorTLap.tlap_dp_vector",
        "PoissonTail.eps_s_poisson_tail",
        "PoissonTail.eps_s_monotone",
        "IntegerTable.table_ok_sound",
        "SmallTable.small_table_dp",
        "NetSize.net_cardinality",
        "Exhibits.relative_error_signed_fails",
        "Exhibits.budget_split_by_height_fails",
    } <= names


def test_words_above_theorems_name_lemmas_that_exist() -> None:
    known = set(lemmas())
    named = {
        m.group(1) for t in read_snapshot().theorems.values() if (m := re.match(r"([a-z]+\.[a-z0-9_]+)\b", t.says))
    }
    assert len(named) >= 30
    assert named <= known


def test_lemma_naming_a_missing_theorem() -> None:
    broken = dataclasses.replace(lemma("noise.truncated_laplace_variance"), theorems=("TLap.tlap_varianze",))
    error = rejected(
        lambda: check_ties([broken], read_snapshot()),
        "spec/proofs/TLap.v  tlap_varianze",
        "noise.truncated_laplace_variance",
        "did you mean TLap.tlap_variance",
    )
    assert error.problems[0].lemmas == ("noise.truncated_laplace_variance",)


def test_error_messages_of_lemmas_point_to_files_and_theorems_that_exist() -> None:
    for stated in lemmas().values():
        for theorem in stated.theorems:
            file, name = theorem.rsplit(".", 1)
            words = (PROOFS / f"{file}.v").read_text(encoding="utf-8").split()
            assert {"Theorem", "Corollary", "Example"} & {words[i - 1] for i, word in enumerate(words) if word == name}


def test_edited_proof_makes_the_snapshot_stale(copy: Path) -> None:
    edit(copy, "Taylor.v", replaced("Proof.", "Proof. idtac."))
    rejected(lambda: check_sources(copy), "spec/proofs/Taylor.v", "stale snapshot", "audited: ", "snapshot`")


def test_new_and_removed_theorems_make_the_snapshot_stale(copy: Path) -> None:
    edit(copy, "Taylor.v", replaced("Theorem exp_taylor_relative", "Theorem exp_taylor_new"))
    cited = {"Taylor.exp_taylor_relative": ["kernel.something"]}
    rejected(
        lambda: check_sources(copy, cited),
        "exp_taylor_new: stale snapshot: the theorem is in the sources and not in the snapshot",
        "exp_taylor_relative: stale snapshot: the theorem is in the snapshot and no longer in the sources (cited by "
        "kernel.something)",
    )


def test_nothing_counts_as_rechecked_before_an_audit_or_after_a_change(copy: Path, tmp_path: Path) -> None:
    assert not rechecked(copy, tmp_path)
    (tmp_path / "audited").write_text("something else")
    assert not rechecked(copy, tmp_path)


def test_missing_or_broken_snapshot(copy: Path) -> None:
    (copy / "statements.json").write_text("{}")
    rejected(lambda: check_sources(copy), "spec/proofs/statements.json", "cannot be read")
    (copy / "statements.json").unlink()
    rejected(lambda: read_snapshot(copy), "spec/proofs/statements.json", "cannot be read")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("Qed.", "Admitted.", ("'Admitted' is a way around a proof", "spec/proofs/Taylor.v  Derive_n_exp_lin")),
        ("Proof.", "Proof. admit.", ("'admit'",)),
        ("Open Scope R_scope.", "Open Scope R_scope.\nAxiom magic : 0 = 1.", ("'Axiom'",)),
        ("Open Scope R_scope.", "Open Scope R_scope.\nVariable x : R.", ("'Variable' outside a section",)),
        ("Open Scope R_scope.", "Open Scope R_scope.\nUnset Guard Checking.", ("'Unset Guard Checking'",)),
        ("(** kernel.taylor_remainder", "Definition two := 2.\n(* *)(** kernel", ()),
    ],
)
def test_ways_around_a_proof_are_found(copy: Path, old: str, new: str, words: tuple[str, ...]) -> None:
    edit(copy, "Taylor.v", replaced(old, new))
    found = "\n".join(map(str, scan(copy)))
    assert bool(found) == bool(words)
    for word in words:
        assert word in found


def test_theorem_without_words_is_found(copy: Path) -> None:
    edit(
        copy,
        "NetSize.v",
        lambda text: text.replace("(** adaptive.net_size", "(** x *)\n\nLemma y : True. easy. Qed.\n(*"),
    )
    assert not scan(copy)
    edit(
        copy,
        "NetSize.v",
        lambda text: text.replace("Theorem net_cardinality", "Lemma z : True. easy. Qed.\nTheorem net_cardinality"),
    )
    assert "net_cardinality: line" in str(scan(copy)[0])
    assert "no comment above it" in str(scan(copy)[0])


def test_comments_nest_and_strings_hide() -> None:
    text = 'a (* x (* Admitted *) y *) b "Axiom (*" c'
    blank = blank_comments(text)
    assert len(blank) == len(text)
    assert blank.split() == ["a", "b", "c"]


def test_list_of_mutants_fits_the_sources() -> None:
    assert len(MUTANTS) >= 15
    for mutant in MUTANTS:
        text = (PROOFS / mutant.file).read_text(encoding="utf-8")
        assert mutate(text, mutant) != text
    with pytest.raises(ValueError, match="no such text"):
        mutate("", MUTANTS[0])


def test_folder_without_a_development_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="clone the repository"):
        theorems(tmp_path)


# --- with Coq ------------------------------------------------------------------------------------------------


@needs_coq
@pytest.mark.slow
def test_everything_is_proved_again_and_states_what_the_snapshot_says() -> None:
    cited = check_ties(lemmas().values(), read_snapshot())
    found = audit(citations=cited)
    assert found.theorems == read_snapshot().theorems
    assert rechecked()


@needs_coq
@pytest.mark.slow
def test_python_formulas_have_the_values_of_the_coq_definitions() -> None:
    assert check_links() >= 70


@needs_coq
@pytest.mark.slow
def test_links_can_fail() -> None:
    name = "noise.truncated_laplace_normaliser"
    value = function(name, "support_bound")(1.0, 1.0, 1e-6)
    delta = Fraction(1e-6)
    term = f"tl_B 1 1 ({delta.numerator}/{delta.denominator})"
    assert check_links([value_claim(name, "support_bound", value, term)]) == 1
    off = value_claim(name, "support_bound(1.0, 1.0, 1e-06)", value * (1 + 2.0**-46), term)
    rejected(lambda: check_links([off]), "support_bound(1.0, 1.0, 1e-06)", f"cited by {name}")
    wrong_node = dataclasses.replace(decomposition_claims([2])[0])
    wrong_node = dataclasses.replace(wrong_node, coq=wrong_node.coq.replace("[(2, 0)]", "[(1, 0); (1, 1)]"))
    rejected(lambda: check_links([wrong_node]), "tree.interval_decomposition", "interval(start, stop, 2)")
    sensitivity = sensitivity_claims()[0]
    assert check_links([sensitivity]) == 1
    low = dataclasses.replace(sensitivity, coq=sensitivity.coq.replace("2 * (", "2.0001 * ("))
    rejected(lambda: check_links([low]), "attention.functional_sensitivity", "l2(1.0, -1.0, 1.0, 0.5")
    claim = table_claims()[3]
    wrong_sum = dataclasses.replace(claim, coq=claim.coq.replace(" = ", " + 1 = ", 1))
    rejected(lambda: check_links([table_claims()[0], wrong_sum]), "noise.integer_table_delta", "3, 1359/500)")


@needs_coq
@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            replaced("(P (x i) c - P y c) ^ 2", "(P y c - P (x i) c) ^ 2"),
            (
                "distance_separable: the statement changed (cited by distance.separability)",
                "+Sums.sumn d (fun c : nat => Sums.sumn n (fun i : nat => w i * (P y c - P (x i) c) ^ 2))",
            ),
        ),
        (
            replaced("fun i => x i - y i.", "fun i => y i - x i."),
            (
                "Cosine.v  vsub: a definition that statements use changed "
                "(cited by distance.law_of_cosines, distance.separability)",
            ),
        ),
        (
            lambda text: text.replace("Require Import Sums.", "Require Import Sums PropExtensionality.", 1).replace(
                "  unfold nsq, dot, vsub.\n  rewrite <- sumn_plus",
                "  pose proof (propositional_extensionality True True (conj (fun x => x) (fun x => x))) as Extra.\n"
                "  unfold nsq, dot, vsub.\n  rewrite <- sumn_plus",
                1,
            ),
            ("law_of_cosines: it rests on an axiom that is not allowed", "+ PropExtensionality."),
        ),
        (
            lambda text: text.replace(
                "  sumn n (fun i => w i * nsq d (vsub (P (x i)) (P y)))\n  = sumn d",
                "  0 = 1 -> sumn n (fun i => w i * nsq d (vsub (P (x i)) (P y)))\n  = sumn d",
                1,
            ).replace("  unfold nsq, dot, vsub. induction n", "  intros _. unfold nsq, dot, vsub. induction n", 1),
            ("distance_separable: the statement changed", "+0 = 1 ->"),
        ),
        (
            replaced("2 * dot d x y = nsq d x", "3 * dot d x y = nsq d x"),
            ("spec/proofs/Cosine.v  law_of_cosines: line", "Coq does not accept it"),
        ),
        (
            lambda text: text + "\n(** New. *)\nTheorem extra : True.\nProof. exact I. Qed.\n",
            ("extra: stale snapshot: the theorem is not in the snapshot",),
        ),
    ],
    ids=["statement", "definition", "axiom", "vacuous", "false", "new theorem"],
)
def test_audit_refuses(small: Path, tmp_path: Path, change: Edit, words: tuple[str, ...]) -> None:
    shutil.copytree(small, tmp_path, dirs_exist_ok=True)
    cited = {
        "Cosine.law_of_cosines": ["distance.law_of_cosines"],
        "Cosine.distance_separable": ["distance.separability"],
    }
    edit(tmp_path / "proofs", "Cosine.v", change)
    rejected(lambda: audit(tmp_path / "proofs", tmp_path / "build", cited), *words)


@needs_coq
@pytest.mark.slow
def test_build_leaves_the_sources_alone(small: Path) -> None:
    before = sorted(path.name for path in PROOFS.rglob("*"))
    build(small / "proofs", small / "build")
    assert (small / "build" / "Cosine.vo").is_file()
    assert sorted(path.name for path in PROOFS.rglob("*")) == before
    assert not list((small / "proofs").rglob("*.vo"))


@needs_coq
@pytest.mark.slow
def test_independent_checker_accepts_and_refuses(small: Path, tmp_path: Path) -> None:
    shutil.copytree(small, tmp_path, dirs_exist_ok=True)
    assert "accepts 2 files" in recheck(tmp_path / "proofs", tmp_path / "build")
    edit(tmp_path / "proofs", "Cosine.v", lambda text: text + "\nAxiom magic : 0 = 1.\n")
    rejected(lambda: recheck(tmp_path / "proofs", tmp_path / "build"), "axioms of our own", "DPVerify.Cosine.magic")


@needs_coq
@pytest.mark.slow
def test_every_mutant_of_a_statement_is_refused() -> None:
    control = Mutant("NetSize.v", "", "Open Scope R_scope.", "Open Scope R_scope. (* nothing *)")
    assert [outcome.outcome for outcome in run_mutants([control])] == ["accepted"]
    assert [outcome for outcome in run_mutants() if outcome.outcome != "refused"] == []

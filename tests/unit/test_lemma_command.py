"""`dpverify lemma`: what it prints, what it draws, and what it says to bad input."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import dpverify.spec as spec
from dpverify.cli import main
from dpverify.commands.lemmas import first_point, parse_value
from dpverify.errors import InvalidArgument

VARIANCE = "noise.truncated_laplace_variance"
AT = ["--at", "sensitivity=1", "epsilon=0.7", "delta=1e-5"]


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def test_a_lemma_prints_statement_proof_idea_evidence_and_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lemma", VARIANCE, *AT]) == 0
    out = capsys.readouterr().out
    for part in ("Proof idea: integrate z^2 by parts twice", "arXiv 2407.14717, v3, Fact 3.5", "TLap.tlap_variance"):
        assert part in out
    assert "oracle, proved, enclosed" in out
    assert "for all L in [0.000977, 30]" in out
    assert out.count("4.07603491448 == 4.07603491448 unit of the data, squared") == 2
    assert out.count("holds") == 2


def test_a_lemma_without_a_point_is_shown_at_one_of_its_domain(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lemma", "tree.prefix_decomposition"]) == 0
    assert "at height = " in capsys.readouterr().out


@pytest.mark.parametrize("lemma_id", spec.lemmas())
def test_every_lemma_has_a_worked_point(lemma_id: str) -> None:
    lemma = spec.lemma(lemma_id)
    lemma.require(**first_point(lemma))


@pytest.mark.parametrize("exhibit_id", spec.exhibits())
def test_an_exhibit_shows_its_numbers_and_what_holds_instead(
    exhibit_id: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lemma", exhibit_id]) == 0
    out = capsys.readouterr().out
    for part in ("Counterexample:", "published:", "fails at 1 of 1 points", "lhs = ", "holds instead: "):
        assert part in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["noise.trunc_laplace_variance"], "did you mean noise.truncated_laplace_variance"),
        ([VARIANCE, "--at", "epsilon=1"], "missing: sensitivity, delta"),
        ([VARIANCE, *AT, "foo=1"], "a name among sensitivity, epsilon, delta"),
        ([VARIANCE, *AT, "epsilon=1"], "twice: epsilon"),
        ([VARIANCE, "--at", "sensitivity"], "name=value"),
        ([VARIANCE, "--at", "sensitivity=1", "epsilon=much", "delta=0.1"], "epsilon = a finite number"),
        ([VARIANCE, "--at", "sensitivity=1", "epsilon=True", "delta=0.1"], "epsilon = a finite number"),
        ([VARIANCE, "--at", "sensitivity=1", "epsilon=1", "delta=0.7"], "needs 0 < delta <= 1/2, but delta = 0.7"),
        ([VARIANCE, "--at", "sensitivity=1", "epsilon=1e400", "delta=0.1"], "epsilon = a finite number"),
        (
            ["noise.truncated_laplace_tail", "--at", "fraction=1", "sensitivity=1", "epsilon=800", "delta=0.1"],
            "floats and the oracle can evaluate",
        ),
        (["kernel.feature_dimension", "--at", "d=2.5", "s=3"], "d = an integer"),
        (["kernel.feature_dimension", "--at", "d=10**9", "s=3"], "d = a finite number"),
        (["kernel.feature_dimension", "--at", "d=1000", "s=3"], "d in [1, 40], where the oracle can enumerate"),
        (["tree.sensitivity_l1", "--at", "change=1", "height=2", "leaves_changed=3", "non_negative=no"], "one of 1, 2"),
        (["exhibit.exact_normaliser", "--at", "x=1"], "absent for an exhibit"),
        ([VARIANCE, "--plot", "picture.txt"], "a file name ending in .svg, .png, .pdf"),
        ([VARIANCE, "--plot", "no/such/folder/picture.svg"], "in a folder that exists"),
        ([VARIANCE, "--plot", "picture.svg", "--over", "L"], "one of the numeric parameters sensitivity, epsilon"),
        ([VARIANCE, "--over", "epsilon"], "given together with --plot FILE"),
    ],
)
def test_bad_input_is_refused_with_advice(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["lemma", *arguments]) == 2
    shown = capsys.readouterr()
    assert says in shown.err
    assert "Traceback" not in shown.err
    assert list(tmp_path.iterdir()) == []


def test_booleans_and_words_are_taken_as_they_print(capsys: pytest.CaptureFixture[str]) -> None:
    moves = ["change=2", "height=3", "leaves_changed=2", "non_negative=true"]
    assert main(["lemma", "tree.sensitivity_l1", "--at", *moves]) == 0
    assert "12.0 == 12.0" in capsys.readouterr().out  # c max(2 h, h + 1)
    box = ["first=1", "second=1", "third=0", "scale=1", "radius=3", "shape=box"]
    assert main(["lemma", "kernel.feature_entry_bound", "--at", *box]) == 0
    assert "9.0" in capsys.readouterr().out


def test_values_keep_their_kind() -> None:
    assert parse_value("s", "3.0", spec.Integer(0, 5)) == 3
    assert isinstance(parse_value("s", "3.0", spec.Integer(0, 5)), int)
    assert parse_value("swapped", "FALSE", spec.Choice((False, True))) is False
    with pytest.raises(InvalidArgument, match="False, True"):
        parse_value("swapped", "0", spec.Choice((False, True)))


@pytest.mark.parametrize(
    ("lemma_id", "name", "over"),
    [
        (VARIANCE, "variance.svg", "epsilon"),
        ("attention.end_to_end", "bound.png", None),
        ("tree.leaf_membership", "levels.svg", "leaves"),
        ("privacy.hockey_stick", "divergence.png", None),
    ],
)
def test_a_picture_is_drawn(
    lemma_id: str, name: str, over: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    assert main(["lemma", lemma_id, "--plot", str(path), *(["--over", over] if over else [])]) == 0
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG" if path.suffix == ".png" else b"<?xml")
    assert len(content) > 5000
    assert "both sides over " + (over or "") in capsys.readouterr().out
    if path.suffix == ".svg":
        assert content.count(b"<path") > 10


def test_a_picture_of_a_broken_lemma_is_drawn_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dpverify.spec.noise.truncated_laplace_variance.variance", lambda *at: 1.0)
    assert main(["lemma", VARIANCE, *AT, "--plot", str(tmp_path / "broken.png")]) == 1
    assert (tmp_path / "broken.png").stat().st_size > 5000


def test_one_lemma_is_shown_in_under_two_seconds(tmp_path: Path) -> None:
    """Processor time, once everything is imported: it does not depend on what else the machine does."""
    main(["lemma", VARIANCE, *AT, "--plot", str(tmp_path / "warm.png")])
    start = time.process_time()
    main(["lemma", VARIANCE, *AT, "--plot", str(tmp_path / "timed.png")])
    assert time.process_time() - start < 2.0

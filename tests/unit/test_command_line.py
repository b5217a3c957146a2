"""The command line from a user's side: what it prints, what it writes, how it exits."""

import numpy as np
import pytest

import dpverify as dv
from dpverify.cli import main


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "K.npy", rng.uniform(-0.5, 0.5, (400, 3)))
    np.savetxt(tmp_path / "V.csv", rng.uniform(-1, 1, (400, 2)), delimiter=",", header="left,right", comments="")
    np.save(tmp_path / "Q.npy", rng.uniform(-0.5, 0.5, (5, 3)))
    return tmp_path


def release(files, *extra, epsilon="2"):
    return main(
        ["release", "--keys", str(files / "K.npy"), "--values", str(files / "V.csv"), "--epsilon", epsilon,
         "--delta", "1e-6", "--key-bound", "1", "--value-bound", "2", "-o", str(files / "R.dpv"), *extra]
    )  # fmt: skip


def test_release_and_query_round_trip(files, capsys):
    assert release(files) == 0
    printed = capsys.readouterr().out
    assert "(2, 1e-06)-DP under replace-one" in printed
    assert "certified    delta(2) <=" in printed
    assert "operating system" in printed
    for suffix in ("npy", "csv"):
        out = files / f"A.{suffix}"
        assert main(["query", str(files / "R.dpv"), str(files / "Q.npy"), "-o", str(out)]) == 0
        answers = np.load(out) if suffix == "npy" else np.loadtxt(out, delimiter=",")
        expected = dv.load_release(files / "R.dpv").query(np.load(files / "Q.npy"))
        assert np.array_equal(answers, expected)


def test_query_says_how_far_off_the_answers_may_be(files, capsys):
    assert release(files) == 0
    ask = ["query", str(files / "R.dpv"), str(files / "Q.npy"), "-o", str(files / "A.npy"), "--standard-error"]
    assert main([*ask, str(files / "S.csv")]) == 0
    made, queries = dv.load_release(files / "R.dpv"), np.load(files / "Q.npy")
    assert np.array_equal(np.loadtxt(files / "S.csv", delimiter=","), made.standard_error(queries))
    bounds = made.error_bound(0.05, queries=queries)
    printed = " ".join(capsys.readouterr().out.split())
    assert f"within {np.median(bounds):.4g} (median; at most {bounds.max():.4g}) of exact attention" in printed
    (files / "A.npy").unlink()
    assert main([*ask, str(files / "S.txt")]) == 2
    assert not (files / "A.npy").exists()
    assert "--standard-error must be a .npy or .csv file" in " ".join(capsys.readouterr().err.split())


def test_release_takes_every_option(files, capsys):
    options = ["--shape", "box", "--query-bound", "0.5", "--scale", "0.2", "--degree", "3", "--normaliser-weight", "5"]
    assert release(files, *options) == 0
    loaded = dv.load_release(files / "R.dpv")
    assert loaded.state.parameters.bounds == dv.Bounds(1.0, 0.5, 2.0, "box")
    assert (loaded.state.parameters.scale, loaded.state.features.degree) == (0.2, 3)
    assert release(files, "--method", "dptree", "--degree", "1") == 0
    assert dv.load_release(files / "R.dpv").method == "dptree"


def test_landmarks_make_nystrom_features_and_a_rank_needs_them(files, capsys):
    options = ["--landmarks", str(files / "Q.npy"), "--rank", "4", "--normaliser-weight", "1"]
    assert release(files, *options) == 0
    features = dv.load_release(files / "R.dpv").state.features
    assert (features.kind, len(features.landmarks), features.size) == ("nystrom", 5, 4)
    assert release(files, "--rank", "4") == 2
    assert "--rank must be given with --landmarks only" in " ".join(capsys.readouterr().err.split())
    assert release(files, "--values-nonnegative") == 0
    assert dv.load_release(files / "R.dpv").state.parameters.bounds.values_nonnegative


def test_a_lazy_release_answers_with_its_rows_and_refuses_without(files, capsys):
    assert release(files, "--method", "lazy", "--max-queries", "5") == 0
    ask = ["query", str(files / "R.dpv"), str(files / "Q.npy"), "-o", str(files / "A.npy")]
    assert main(ask) == 2
    assert "pass keys=, values=" in " ".join(capsys.readouterr().err.split())
    rows = ["--keys", str(files / "K.npy"), "--values", str(files / "V.csv")]
    for _ in range(2):  # the second time, the stored answers
        assert main([*ask, *rows]) == 0
    first = np.load(files / "A.npy")
    np.save(files / "Q.npy", np.load(files / "Q.npy") / 2)
    assert main([*ask, *rows]) == 2
    assert "above max_queries = 5" in " ".join(capsys.readouterr().err.split())
    assert np.array_equal(np.load(files / "A.npy"), first)
    assert release(files) == 0
    assert main([*ask, *rows]) == 2
    assert "answers without private rows" in " ".join(capsys.readouterr().err.split())


def test_clipping_is_reported_on_the_error_stream(files, capsys):
    np.save(files / "K.npy", 3 * np.load(files / "K.npy"))
    assert release(files) == 0
    assert "lay outside the public bound 1" in capsys.readouterr().err
    assert release(files, "--out-of-bounds", "raise") == 2
    assert "widen the bound" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: (f / "K.npy").unlink(), "there is no file"),
        (lambda f: (f / "K.npy").write_bytes(b"no"), "--keys must be a readable .npy file"),
        (lambda f: np.save(f / "K.npy", np.array([{}]), allow_pickle=True), "--keys must be a readable .npy file"),
        (lambda f: (f / "V.csv").write_text("a,b\n1,x\n"), "--values must be a readable .csv file"),
        (lambda f: np.save(f / "K.npy", np.full((400, 3), np.nan)), "free of NaN"),
        (lambda f: np.save(f / "K.npy", np.zeros((7, 3))), "as many rows as keys"),
    ],
)
def test_bad_files_are_named_and_nothing_is_written(files, capsys, damage, words):
    damage(files)
    assert release(files) == 2
    assert words in " ".join(capsys.readouterr().err.split())
    assert not (files / "R.dpv").exists()
    assert not list(files.glob("*.part"))


@pytest.mark.parametrize("epsilon", ["0", "-1", "nan"])
def test_bad_epsilon_is_named(files, capsys, epsilon):
    assert release(files, epsilon=epsilon) == 2
    assert "epsilon" in capsys.readouterr().err


def test_query_refuses_what_is_no_release(files, capsys):
    assert main(["query", str(files / "K.npy"), str(files / "Q.npy"), "-o", str(files / "A.npy")]) == 2
    assert "is not a readable release file: it holds a single array" in " ".join(capsys.readouterr().err.split())
    release(files)
    assert main(["query", str(files / "R.dpv"), str(files / "Q.npy"), "-o", str(files / "A.txt")]) == 2
    assert "--output must be a .npy or .csv file" in capsys.readouterr().err
    assert main(["query", str(files / "R.dpv"), str(files / "Q.npy"), "-o", str(files / "absent" / "A.npy")]) == 2
    assert "in a folder that exists" in capsys.readouterr().err


def test_lemmas_prints_the_ledger(capsys):
    assert main(["lemmas"]) == 0
    printed = capsys.readouterr().out
    assert "noise.truncated_laplace_variance" in printed
    assert f"{len(dv.spec.lemmas())} lemmas" in printed


def test_help_teaches(capsys):
    with pytest.raises(SystemExit) as done:
        main(["--help"])
    assert done.value.code == 0
    printed = capsys.readouterr().out
    assert "examples:" in printed
    assert "exit status" in printed
    with pytest.raises(SystemExit) as done:
        main(["release"])
    assert done.value.code == 2

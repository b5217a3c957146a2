"""``dpverify audit`` as a function: exit codes, files, and errors that name what is wrong."""

from __future__ import annotations

import argparse
import json
import pickle
import re
import shlex
import sys

import numpy as np
import pytest

import dpverify as dv
from dpverify.audits.errors import BadOutput, EvidenceLocked, MechanismFailed
from dpverify.cli import main
from dpverify.commands.audit import NONE_FOUND, USAGE, VIOLATION, add_arguments, run
from dpverify.errors import InvalidArgument
from dpverify.spec.core.registry import UnknownLemma

MECHANISMS = """
import numpy as np

def good(dataset, size, rng):
    return dataset.sum() + rng.laplace(size=size)

class Holder:
    @staticmethod
    def leaky(dataset, size, rng):
        return dataset.sum() + rng.laplace(scale=0.3, size=size)

def fails(dataset, size, rng):
    raise OSError("no disk")

def ends(dataset, size, rng):
    raise SystemExit(0)

def ragged(dataset, size, rng):
    return [[1.0] * (i % 2 + 1) for i in range(size)]

def other_arguments(dataset):
    return 0.0

class Mechanism:
    def __call__(self, dataset, size, rng):
        return good(dataset, size, rng)

constant = 3
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "audited_by_test.py").write_text(MECHANISMS)
    np.save(tmp_path / "d0.npy", np.array([1.0, 0.0]))
    np.save(tmp_path / "d1.npy", np.array([0.0, 0.0]))
    (tmp_path / "list.json").write_text("[1.0, 0.5]")
    (tmp_path / "broken.npy").write_text("not an array")
    (tmp_path / "table.csv").write_text("1,2")
    (tmp_path / "raises_by_test.py").write_text("\nx = 1 / 0\n")
    (tmp_path / "unfinished_by_test.py").write_text("def f(:\n")
    (tmp_path / "needs_by_test.py").write_text("import no_such_module\n")
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "audited_by_test", raising=False)
    yield tmp_path
    sys.modules.pop("audited_by_test", None)


def command(*words):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    said: list[str] = []
    return run(parser.parse_args(words), said.append, said.append), "".join(said)


PAIR = ("--pair", "d0.npy", "d1.npy", "--epsilon", "1")


def test_a_violation_exits_with_1_and_writes_what_was_found(folder):
    code, said = command("audited_by_test:Holder.leaky", *PAIR, "--json", "out.json", "--plot", "out.png")
    assert code == VIOLATION
    assert "violates (1, 0)-DP" in said
    assert json.loads((folder / "out.json").read_text())["violated"] is True
    assert (folder / "out.png").read_bytes().startswith(b"\x89PNG")


def test_none_found_exits_with_0(folder):
    code, said = command("audited_by_test:good", *PAIR, "--delta", "1e-6", "--max-pairs", "300", "--evidence", "e.json")
    assert code == NONE_FOUND
    assert "proves nothing" in said
    assert json.loads((folder / "e.json").read_text())["audits"]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("audited_by_test", *PAIR), "package.module:name"),
        (("audited_by_test.py:good", *PAIR), "without .py and without slashes"),
        (("./audited_by_test:good", *PAIR), "without .py and without slashes"),
        (("no_such_module:f", *PAIR), "there is no 'no_such_module' in "),
        (("raises_by_test:f", *PAIR), "raised ZeroDivisionError: division by zero"),
        (("raises_by_test:f", *PAIR), "raises_by_test.py, line 2"),
        (("unfinished_by_test:f", *PAIR), "raised SyntaxError: "),
        (("needs_by_test:f", *PAIR), "raised ModuleNotFoundError: No module named 'no_such_module'"),
        (("audited_by_test:ends", *PAIR), "ended the program (SystemExit: 0); nothing was tested"),
        (("audited_by_test:ragged", *PAIR), "must be an array, or lists of rows of one length"),
        (("audited_by_test:Mechanism", *PAIR), "name an instance, Mechanism(...)"),
        (("audited_by_test:other_arguments", *PAIR), "a mechanism is called as mechanism(dataset, size, rng)"),
        (("audited_by_test:nothing", *PAIR), "nothing"),
        (("audited_by_test:constant", *PAIR), "callable"),
        (("audited_by_test:fails", *PAIR), "no disk"),
        (("audited_by_test:good", "--pair", "d0.npy", "absent.npy", "--epsilon", "1"), "absent.npy"),
        (("audited_by_test:good", "--pair", "d0.npy", "broken.npy", "--epsilon", "1"), "broken.npy"),
        (("audited_by_test:good", "--pair", "d0.npy", "table.csv", "--epsilon", "1"), "table.csv"),
        (("audited_by_test:good", "--pair", "d0.npy", "d0.npy", "--epsilon", "1"), "d1"),
        (("audited_by_test:good", "--pair", "d0.npy", "d1.npy", "--epsilon", "-1"), "epsilon"),
        (("audited_by_test:good", *PAIR, "--delta", "1"), "delta"),
        (("audited_by_test:good", *PAIR, "--alpha", "0"), "alpha"),
        (("audited_by_test:good", *PAIR, "--max-pairs", "0"), "max_pairs"),
        (("audited_by_test:good", *PAIR, "--seed", "-1"), "seed must be an integer of at least 0"),
        (("audited_by_test:good", *PAIR, "--jobs", "0"), "--jobs must be at least 1, or -1"),
        (("audited_by_test:good", *PAIR, "--json", "no/out.json"), "--json must be in a folder that exists"),
        (("audited_by_test:good", *PAIR, "--json", "."), "--json must be a file, not a folder"),
        (("audited_by_test:good", *PAIR, "--plot", "out.xyz"), "--plot must be a file name ending in .png, .svg"),
        (("audited_by_test:good", *PAIR, "--evidence", "."), "evidence must be a file, not a folder"),
        (("audited_by_test:good", *PAIR, "--evidence", "no/e.json"), "create no first"),
        (("audited_by_test:good", "--pair", "d0.npy", "objects.npy", "--epsilon", "1"), "without pickles"),
    ],
)
def test_usage_errors_exit_with_2_and_name_the_fault(folder, words, named):
    code, said = command(*words)
    assert code == USAGE
    assert named in said


def test_the_command_that_is_named_gives_the_same_again(folder):
    _, said = command("audited_by_test:Holder.leaky", *PAIR, "--delta", "1e-6", "--seed", "5", "--max-pairs", "900")
    (again,) = re.findall(r"command:\s+dpverify audit (.*)", said)
    assert command(*shlex.split(again)) == (VIOLATION, said)
    first = command("audited_by_test:good", *PAIR, "--max-pairs", "50", "--evidence", "e.json")[1]
    second = command("audited_by_test:good", *PAIR, "--max-pairs", "50", "--evidence", "e.json")[1]
    assert "command:" in first
    assert "run 1 of its evidence" in second
    assert "command:" not in second  # no command starts from there


def test_switches_reach_the_audit_and_the_command_that_is_named(folder):
    early = json.loads(save(folder, "early.json"))
    late = json.loads(save(folder, "late.json", "--to-the-end"))
    assert early["pairs"] < late["pairs"] == 400
    said = command("audited_by_test:Holder.leaky", *PAIR, "--max-pairs", "100", "--trees", "--to-the-end")[1]
    assert "--trees --to-the-end" in said
    assert "stop_early=False, trees=True" in said


def save(folder, name, *switches):
    command("audited_by_test:Holder.leaky", *PAIR, "--max-pairs", "400", "--json", name, *switches)
    return (folder / name).read_text()


def test_datasets_may_be_json(folder):
    (folder / "other.json").write_text("[0.0, 0.5]")
    (folder / "audited_by_test.py").write_text(MECHANISMS.replace("dataset.sum()", "sum(dataset)"))
    code, _ = command("audited_by_test:Holder.leaky", "--pair", "list.json", "other.json", "--epsilon", "1")
    assert code == VIOLATION


def test_through_the_command_line_mistakes_are_told_from_defects(folder, capsys, monkeypatch):
    """2: the caller can mend it, and there is no traceback; 3: we must, and there is one."""
    words = ["audit", "audited_by_test:good", *PAIR, "--max-pairs", "50"]
    assert main(words) == 0
    assert main([*words, "--alpha", "7"]) == 2
    assert "Traceback" not in capsys.readouterr().err
    for error in (KeyError("lost"), ValueError("odd"), AssertionError("never"), TypeError("no")):

        def defect(*arguments, error=error, **options):
            raise error

        monkeypatch.setattr("dpverify.audits.betting.audit", defect)
        assert main(words) == 3
        said = capsys.readouterr().err
        assert "Traceback" in said
        assert f"dpverify audit: {type(error).__name__}: {error}; this is a defect of dpverify" in " ".join(
            said.split()
        )


@pytest.mark.parametrize(
    "error",
    [
        InvalidArgument("x", 1, "2"),
        dv.ReleaseFileError("damaged"),
        dv.CapacityError("too large"),
        EvidenceLocked("e.json.lock", 30.0),
        MechanismFailed("d0", 1, 0, (0,), "RuntimeError: no"),
        UnknownLemma("nothing", []),
        PermissionError(13, "Permission denied", "file"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_error_of_the_caller_s_exits_with_2(error, capsys, monkeypatch):
    def mistaken(console):
        raise error

    monkeypatch.setattr("dpverify.commands.lemmas.show_ledger", mistaken)
    assert main(["lemmas"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("dpverify lemmas: ")
    assert "Traceback" not in said


@pytest.mark.parametrize("kind", [InvalidArgument, BadOutput])
def test_errors_come_home_whole_from_a_worker(kind):
    error = kind("x", [1], "2", "write 2")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert (type(copy), str(copy), copy.value, copy.advice) == (kind, str(error), [1], "write 2")

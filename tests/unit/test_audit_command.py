"""``dpverify audit`` as a function: exit codes, files, and errors that name what is wrong."""

from __future__ import annotations

import argparse
import json
import sys

import numpy as np
import pytest

from dpverify.commands.audit import NONE_FOUND, USAGE, VIOLATION, add_arguments, run

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
        (("no_such_module:f", *PAIR), "no_such_module"),
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
    ],
)
def test_usage_errors_exit_with_2_and_name_the_fault(folder, words, named):
    code, said = command(*words)
    assert code == USAGE
    assert named in said


def test_datasets_may_be_json(folder):
    (folder / "other.json").write_text("[0.0, 0.5]")
    (folder / "audited_by_test.py").write_text(MECHANISMS.replace("dataset.sum()", "sum(dataset)"))
    code, _ = command("audited_by_test:Holder.leaky", "--pair", "list.json", "other.json", "--epsilon", "1")
    assert code == VIOLATION

"""Documents are true: their Python runs, their commands exist, their lemmas and links are there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import dpverify as dv
from dpverify.cli import parser

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [
    pytest.param(block, id=f"{page.name}-{i}")
    for page in PAGES
    for i, block in enumerate(re.findall(r"^```python\n(.*?)^```", page.read_text(), flags=re.M | re.S))
]


# one of them compares fresh noise with an error bound at failure probability 1e-9
@pytest.mark.slow
@pytest.mark.statistical(alpha=1e-9)
@pytest.mark.parametrize("block", BLOCKS)
def test_python_in_documents_runs(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "document", "exec"), {"__name__": "document"})


def test_there_is_python_to_run():
    assert len(BLOCKS) >= 5


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_lemmas_named_in_documents_exist(page):
    text = page.read_text()
    for name in re.findall(r"lemmas?\s+`([a-z]+\.[a-z0-9_]+)`", text) + re.findall(r"`(exhibit\.[a-z0-9_]+)`", text):
        assert name in {**dv.spec.lemmas(), **dv.spec.exhibits()}, f"{page.name} names {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+\.md)\)", page.read_text()):
        assert (page.parent / target).is_file(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_in_documents_parse(page):
    text = page.read_text().replace("\\\n", " ")
    for line in re.findall(r"^\s*(dpverify [a-z].*)$", text, flags=re.M):
        if line.startswith(("dpverify/", "dpverify    ")):
            continue
        words = line.split("#")[0].split()[1:]
        parser().parse_args(words)


def test_make_targets_named_in_the_readme_exist():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    for target in re.findall(r"make ([a-z]+)\b", (ROOT / "README.md").read_text()):
        assert target in targets or target == "them"


def test_documents_do_not_name_the_machine_they_were_written_on():
    for path in [*PAGES, *ROOT.glob("*.toml"), ROOT / "Makefile", ROOT / ".ci/run"]:
        text = path.read_text()
        assert "/work/" not in text
        assert "/tmp/" not in text


@pytest.mark.slow
def test_the_audit_in_the_readme_finds_the_bug(tmp_path):
    """As a user would: the block in a file of its own, plain pytest, the fixture from the installed package."""
    block = next(b.values[0] for b in BLOCKS if "dp_audit" in b.values[0])
    (tmp_path / "test_mine.py").write_text(block)
    fixed = block.replace("scale=1.0", "scale=2.0").replace("test_my", "test_fixed")
    (tmp_path / "test_fixed.py").write_text(fixed)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 1 passed" in done.stdout
    assert "noisy_sum violates (1, 0)-DP" in done.stdout
    assert "output is at least" in done.stdout or "output is below" in done.stdout

"""Documents are true: their Python runs, their commands exist, their lemmas and links are there."""

import re
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


@pytest.mark.slow
@pytest.mark.parametrize("block", BLOCKS)
def test_python_in_documents_runs(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "document", "exec"), {"__name__": "document"})


def test_there_is_python_to_run():
    assert len(BLOCKS) >= 5


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_lemmas_named_in_documents_exist(page):
    chapters = {name.split(".")[0] for name in dv.spec.lemmas()} | {"exhibit"}
    known = set(dv.spec.lemmas()) | set(dv.spec.exhibits())
    for name in re.findall(r"`([a-z]+\.[a-z0-9_]+)`", page.read_text()):
        if name.split(".")[0] in chapters:
            assert name in known, f"{page.name} names {name}"


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

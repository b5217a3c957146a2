"""Reading the Coq files as text, without Coq: which theorems there are, and no way around a proof."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from dpverify.spec.core.proofs.errors import Problem

PROOFS = Path(__file__).resolve().parents[2] / "proofs"

_THEOREM = re.compile(r"^[ \t]*(?:Theorem|Corollary|Example)\s+([A-Za-z_][\w']*)", re.MULTILINE)
_DEFINITION = re.compile(r"^[ \t]*(?:Definition|Fixpoint|Record|Inductive)\s+([A-Za-z_][\w']*)", re.MULTILINE)
_PROVED = re.compile(r"^[ \t]*(?:Theorem|Corollary|Example|Lemma)\s+([A-Za-z_][\w']*)", re.MULTILINE)
_ESCAPE = re.compile(
    r"\b(Admitted|Admit|admit|give_up|Axioms?|Parameters?|Conjectures?|Abort|Declare|Extract|Load|Primitive"
    r"|bypass_check|Unset\s+(?:Guard|Positivity|Universe)\s+\w+|Set\s+\w*\s*Type\s*In\s*Type|type_in_type)\b"
)
_OUTSIDE = re.compile(r"^[ \t]*(Variables?|Hypothes[ie]s|Context|Section|End)\b\s*([\w']*)", re.MULTILINE)


@dataclass(frozen=True)
class Stated:
    """A theorem as the sources state it.

    Attributes: ``name`` ("File.theorem"), ``file`` (path below the folder of proofs), ``line``, and ``says``,
    the comment above it.
    """

    name: str
    file: str
    line: int
    says: str


def files(source: Path) -> list[str]:
    """The Coq files of a development, in the order in which ``_CoqProject`` lists them.

    Raises:
        FileNotFoundError: there is no development here (an installed package carries none).
    """
    project = source / "_CoqProject"
    if not project.is_file():
        raise FileNotFoundError(
            f"{project} does not exist: the proofs are not part of an installed package; clone the repository"
        )
    lines = project.read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip().endswith(".v") and not line.startswith("#")]


def label(file: str) -> str:
    """How messages name a file of the development."""
    return f"spec/proofs/{file}"


def digest(source: Path, file: str) -> str:
    """A short hash of a file's text."""
    return hashlib.sha256((source / file).read_bytes()).hexdigest()[:16]


def blank_comments(text: str) -> str:
    """The text with comments (they nest) and strings replaced by blanks of the same length."""
    out: list[str] = []
    depth, quoted, i = 0, False, 0
    while i < len(text):
        pair = text[i : i + 2]
        if not quoted and pair in ("(*", "*)") and (pair == "(*" or depth):
            depth += 1 if pair == "(*" else -1
            out.append("  ")
            i += 2
            continue
        if depth == 0 and text[i] == '"':
            quoted = not quoted
        hidden = depth or quoted or text[i] == '"'
        out.append(text[i] if text[i] == "\n" or not hidden else " ")
        i += 1
    return "".join(out)


def theorems(source: Path) -> dict[str, Stated]:
    """Every Theorem, Corollary and Example outside ``tools/``, by name "File.theorem"."""
    found: dict[str, Stated] = {}
    for file in files(source):
        if file.startswith("tools/"):
            continue
        text = (source / file).read_text(encoding="utf-8")
        for match in _THEOREM.finditer(blank_comments(text)):
            name = f"{Path(file).stem}.{match.group(1)}"
            start = match.start(1)
            found[name] = Stated(name, file, text.count("\n", 0, start) + 1, _comment_above(text[: match.start()]))
    return found


def definitions(source: Path) -> list[str]:
    """Every definition of the development, tools included: what the statements are made of."""
    found = []
    for file in files(source):
        text = blank_comments((source / file).read_text(encoding="utf-8"))
        found += [f"{Path(file).stem}.{match.group(1)}" for match in _DEFINITION.finditer(text)]
    return found


def theorem_at(source: Path, file: str, line: int) -> str:
    """The theorem or lemma whose text contains a line, or "" before the first one."""
    text = blank_comments((source / file).read_text(encoding="utf-8"))
    before = [m.group(1) for m in _PROVED.finditer(text) if text.count("\n", 0, m.start(1)) < line]
    return before[-1] if before else ""


def scan(source: Path) -> list[Problem]:
    """What no audited file may contain: a way around a proof, or a theorem without words."""
    problems = []
    for file in files(source):
        text = blank_comments((source / file).read_text(encoding="utf-8"))
        for match in _ESCAPE.finditer(text):
            line = text.count("\n", 0, match.start(1)) + 1
            what = f"line {line}: {' '.join(match.group(1).split())!r} is a way around a proof"
            problems.append(Problem(what, label(file), theorem_at(source, file, line)))
        problems += _assumptions_outside_sections(file, text)
    for stated in theorems(source).values():
        if not stated.says:
            what = f"line {stated.line}: no comment above it says in words what it states"
            problems.append(Problem(what, label(stated.file), stated.name.split(".")[1]))
    return problems


def _assumptions_outside_sections(file: str, text: str) -> list[Problem]:
    """A Variable or Hypothesis outside a section is an axiom under another name."""
    problems, depth = [], 0
    for match in _OUTSIDE.finditer(text):
        word = match.group(1)
        if word in ("Section", "End"):
            depth += 1 if word == "Section" else -1
        elif depth == 0:
            line = text.count("\n", 0, match.start(1)) + 1
            problems.append(Problem(f"line {line}: {word!r} outside a section assumes what is not proved", label(file)))
    return problems


def _comment_above(before: str) -> str:
    """The comment that ends just above, on one line of plain words; "" if there is none."""
    stripped = before.rstrip()
    if not stripped.endswith("*)"):
        return ""
    comment = stripped[stripped.rfind("(*") + 2 : -2].lstrip("*")
    return " ".join(comment.split())

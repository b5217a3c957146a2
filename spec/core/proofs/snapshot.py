"""The snapshot of what was audited: every statement and definition as Coq printed it, kept under version control.

It can be compared with the sources and with the lemmas without Coq, so that a machine without Coq still
notices that a proof was edited, or that a lemma names a theorem that does not exist.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dpverify.spec.core.proofs.errors import Citations, Problem, reject
from dpverify.spec.core.proofs.sources import PROOFS, digest, files, label, scan, theorems

if TYPE_CHECKING:
    from dpverify.spec.core.lemma import Lemma

SNAPSHOT = "statements.json"
UPDATE = (
    "If the change is meant, read it, then run `python -m dpverify.spec.core.proofs snapshot` and commit the result."
)


@dataclass(frozen=True)
class Theorem:
    """An audited theorem: its file, its meaning in words, and its statement as Coq prints it.

    ``exact`` is a hash of the fully explicit form (no notation, all implicit arguments).
    """

    file: str
    says: str
    statement: str
    exact: str


@dataclass(frozen=True)
class Definition:
    """A definition that statements are made of, as Coq prints it, with the hash of its explicit form."""

    text: str
    exact: str


@dataclass(frozen=True)
class Snapshot:
    """What an audit found.

    Attributes:
        coq: the version that printed it.
        axioms: for each group of files, the axioms that all its theorems together rest on.
        sources: a hash of each Coq file.
    """

    coq: str
    axioms: Mapping[str, tuple[str, ...]]
    sources: Mapping[str, str]
    theorems: Mapping[str, Theorem]
    definitions: Mapping[str, Definition]

    def text(self) -> str:
        """The snapshot as it is kept on disk."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"


def read_snapshot(source: Path = PROOFS) -> Snapshot:
    """The snapshot beside the proofs.

    Raises:
        ProofsRejected: there is none, or it cannot be read.
    """
    path = source / SNAPSHOT
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return Snapshot(
            coq=raw["coq"],
            axioms={group: tuple(names) for group, names in raw["axioms"].items()},
            sources=dict(raw["sources"]),
            theorems={name: Theorem(**fields) for name, fields in raw["theorems"].items()},
            definitions={name: Definition(**fields) for name, fields in raw["definitions"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reject([Problem(f"the snapshot cannot be read ({type(error).__name__}: {error})", label(SNAPSHOT))], UPDATE)
        raise  # unreachable: reject has raised


def check_sources(source: Path = PROOFS, citations: Citations | None = None) -> Snapshot:
    """Compare the Coq files with the snapshot, without Coq: same theorems, same text, no way around a proof.

    Returns:
        The snapshot, if it describes exactly these files.

    Raises:
        ProofsRejected: naming each file and theorem that does not fit.
    """
    cited = citations or {}
    kept, stated = read_snapshot(source), theorems(source)
    problems = scan(source)
    for name in stated.keys() - kept.theorems.keys():
        what = "stale snapshot: the theorem is in the sources and not in the snapshot"
        problems.append(_problem(what, stated[name].file, name, cited))
    for name in kept.theorems.keys() - stated.keys():
        what = "stale snapshot: the theorem is in the snapshot and no longer in the sources"
        problems.append(_problem(what, kept.theorems[name].file, name, cited))
    now = {file: digest(source, file) for file in files(source)}
    for file in sorted(now.keys() | kept.sources.keys()):
        if now.get(file) != kept.sources.get(file):
            what = "stale snapshot: the file is not the one that was audited"
            was, found = kept.sources.get(file, "no such file"), now.get(file, "no such file")
            problems.append(Problem(what, label(file), difference=f"audited: {was}\nnow:     {found}"))
    reject(problems, UPDATE)
    return kept


def check_ties(lemmas: Iterable[Lemma], snapshot: Snapshot) -> Citations:
    """Every theorem that a lemma names must have been audited.

    Returns:
        For each cited theorem, the identifiers of the lemmas that cite it.

    Raises:
        ProofsRejected: naming lemma, theorem, file, and the nearest theorem there is.
    """
    cited: dict[str, list[str]] = {}
    for lemma in lemmas:
        for theorem in lemma.theorems:
            cited.setdefault(theorem, []).append(lemma.id)
    problems = []
    for theorem, names in cited.items():
        if theorem not in snapshot.theorems:
            near = difflib.get_close_matches(theorem, snapshot.theorems, n=2, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else "no audited theorem has a name like it"
            file, _, short = theorem.rpartition(".")
            problems.append(Problem("no such theorem was audited", label(f"{file}.v"), short, tuple(names), hint))
    reject(problems)
    return cited


def compare(found: Snapshot, kept: Snapshot, citations: Citations | None = None) -> list[Problem]:
    """Where two snapshots say different things: statements, definitions, axioms. The hashes of files are left out."""
    cited = citations or {}
    problems = []
    for name in [*kept.theorems, *(n for n in found.theorems if n not in kept.theorems)]:
        old, new = kept.theorems.get(name), found.theorems.get(name)
        if old is None or new is None:
            gone = "in the snapshot and not in the development" if new is None else "not in the snapshot"
            where = (old or new or Theorem("", "", "", "")).file
            problems.append(_problem(f"stale snapshot: the theorem is {gone}", where, name, cited))
        elif (old.statement, old.exact) != (new.statement, new.exact):
            problems.append(
                _problem("the statement changed", new.file, name, cited, _diff(old.statement, new.statement))
            )
    for name in [*kept.definitions, *(n for n in found.definitions if n not in kept.definitions)]:
        was, now = kept.definitions.get(name), found.definitions.get(name)
        if was != now:
            change = _diff(was.text if was else "", now.text if now else "")
            users = tuple(
                sorted({x for t, s in found.theorems.items() if name in s.statement for x in cited.get(t, ())})
            )
            file, _, short = name.rpartition(".")
            problems.append(
                Problem("a definition that statements use changed", label(f"{file}.v"), short, users, change)
            )
    for group in sorted(found.axioms.keys() | kept.axioms.keys()):
        old_axioms, new_axioms = kept.axioms.get(group, ()), found.axioms.get(group, ())
        if old_axioms != new_axioms:
            change = _diff("\n".join(old_axioms), "\n".join(new_axioms))
            problems.append(
                Problem(f"the axioms below the {group} theorems changed", label(SNAPSHOT), difference=change)
            )
    return problems


def _problem(what: str, file: str, name: str, cited: Citations, difference: str = "") -> Problem:
    return Problem(what, label(file), name.split(".")[-1], tuple(cited.get(name, ())), difference)


def _diff(old: str, new: str) -> str:
    if old == new:
        return "the printed text is the same: a notation, an implicit argument or a name below it changed"
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), "snapshot", "now", lineterm="", n=1))
    return "\n".join(lines[2:])

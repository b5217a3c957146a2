"""The audit: what Coq itself says the theorems state and rest on, compared with the snapshot."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from dpverify.spec.core.proofs.coq import build, build_folder, compile_text, coq_version, locked, run
from dpverify.spec.core.proofs.errors import Citations, Problem, reject
from dpverify.spec.core.proofs.snapshot import (
    SNAPSHOT,
    UPDATE,
    Definition,
    Snapshot,
    Theorem,
    check_sources,
    compare,
    read_snapshot,
)
from dpverify.spec.core.proofs.sources import PROOFS, definitions, digest, files, label, scan, theorems

# Coq's classical real numbers; nothing of ours.
REALS = frozenset(
    {
        "ClassicalDedekindReals.sig_not_dec",
        "ClassicalDedekindReals.sig_forall_dec",
        "FunctionalExtensionality.functional_extensionality_dep",
        "Classical_Prop.classic",
    }
)
# Files that compute with interval arithmetic also rest on the machine integers and floats of Coq's kernel.
BY_INTERVALS = re.compile(r"^\s*From Interval Require", re.MULTILINE)
MACHINE = re.compile(r"^(PrimInt63|PrimFloat|Uint63|FloatAxioms)\.")
_BEGIN = "@@ "
STAMP = "audited"


def audit(source: Path = PROOFS, into: Path | None = None, citations: Citations | None = None) -> Snapshot:
    """Build the development, and compare statements, definitions, axioms and sources with the snapshot.

    Args:
        citations: which lemmas cite which theorem (:func:`check_ties`), for the messages.

    Raises:
        CoqMissing: Coq is not installed.
        ProofsRejected: with every problem found.
    """
    kept = read_snapshot(source)
    found = observe(source, into, citations)
    reject(compare(found, kept, citations), UPDATE)
    check_sources(source, citations)
    ((into or build_folder(source)) / STAMP).write_text(_standing(source), encoding="utf-8")
    return found


def rechecked(source: Path = PROOFS, into: Path | None = None) -> bool:
    """Whether these very files and this snapshot passed :func:`audit` on this machine. Needs no Coq, takes no time.

    A ledger shows "proved" if so, and "proved (not rechecked here)" if only :func:`check_sources` passes.
    """
    stamp = (into or build_folder(source)) / STAMP
    return stamp.is_file() and stamp.read_text(encoding="utf-8") == _standing(source)


def _standing(source: Path) -> str:
    parts = [digest(source, name) for name in (SNAPSHOT, *files(source))]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def take_snapshot(source: Path = PROOFS, into: Path | None = None) -> list[Problem]:
    """Write a new snapshot; the differences from the old one are returned, to be read by a person."""
    found = observe(source, into)
    path = source / SNAPSHOT
    changes = compare(found, read_snapshot(source)) if path.is_file() else []
    path.write_text(found.text(), encoding="utf-8")
    return changes


def observe(source: Path = PROOFS, into: Path | None = None, citations: Citations | None = None) -> Snapshot:
    """What Coq says, after a build: statements, definitions, axioms.

    Raises:
        ProofsRejected: a way around a proof in the sources, a file that does not compile, an axiom not allowed.
    """
    reject(scan(source))
    folder = build(source, into)
    stated, defined = theorems(source), definitions(source)
    groups = _groups(source, list(stated))
    with locked(folder):
        printed = _ask(folder, _questions(source, list(stated), defined, groups))
        axioms = {group: _axioms(printed[f"axioms {group}"]) for group in groups}
        problems = []
        for group, names in groups.items():
            if _forbidden(group, axioms[group]):
                problems += _culprits(folder, group, names, citations or {}, source)
        reject(problems)
    return Snapshot(
        coq=coq_version(),
        axioms=axioms,
        sources={file: digest(source, file) for file in files(source)},
        theorems={
            name: Theorem(
                stated[name].file,
                stated[name].says,
                _statement(printed[f"text {name}"]),
                _hash(printed[f"exact {name}"]),
            )
            for name in stated
        },
        definitions={
            name: Definition(_definition(printed[f"text {name}"]), _hash(printed[f"exact {name}"])) for name in defined
        },
    )


def recheck(source: Path = PROOFS, into: Path | None = None, limit_s: float = 1800.0) -> str:
    """Let the independent checker ``coqchk`` read each of our compiled proofs again; returns its last words.

    The libraries (Coq's, Coquelicot, Interval) are taken as installed: to check those too takes the better part
    of an hour.

    Raises:
        ProofsRejected: the checker does not accept a file, or finds an axiom of our own.
    """
    folder = build(source, into)
    modules = [f"DPVerify.{file[:-2].replace('/', '.')}" for file in files(source)]
    ours = [word for module in modules for word in ("-norec", module)]
    with locked(folder):
        done = run(["coqchk", "-silent", "-o", "-R", ".", "DPVerify", *ours], folder, limit_s)
    summary = done.stdout + done.stderr  # the summary comes on the error stream
    if done.returncode != 0 or "CONTEXT SUMMARY" not in summary:
        reject([Problem("coqchk does not accept it", label("_CoqProject"), difference=summary[-2000:])])
    lines = [line.strip() for line in summary.splitlines()]
    assumed = [line for line in lines if line.startswith("DPVerify.")]
    assumed += [line for line in lines if "relying on" in line and not line.endswith("<none>")]
    if assumed:
        reject([Problem("coqchk finds axioms of our own", label("_CoqProject"), difference="\n".join(assumed))])
    return f"coqchk accepts {len(modules)} files and finds no axiom of ours"


def _groups(source: Path, names: Sequence[str]) -> dict[str, list[str]]:
    """Theorems by what they may rest on: "reals", or "intervals" for files that use interval arithmetic."""
    by_intervals = {
        Path(f).stem for f in files(source) if BY_INTERVALS.search((source / f).read_text(encoding="utf-8"))
    }
    groups: dict[str, list[str]] = {"reals": [], "intervals": []}
    for name in names:
        groups["intervals" if name.split(".")[0] in by_intervals else "reals"].append(name)
    return {group: members for group, members in groups.items() if members}


def _questions(source: Path, names: list[str], defined: list[str], groups: dict[str, list[str]]) -> str:
    # Coquelicot's short names are imported, ours are not: our notations cannot change how a statement is printed
    lines = [
        "Require Import Reals List. From Coquelicot Require Import Coquelicot.",
        f"Require {' '.join(Path(file).stem for file in files(source))}.",
        "Set Printing Width 110. Set Printing Depth 10000. Open Scope R_scope.",
    ]
    for mode in ("text", "exact"):
        if mode == "exact":
            lines.append("Set Printing All.")
        lines += [f"{_marker(f'{mode} {name}')} Check @{name}." for name in names]
        lines += [f"{_marker(f'{mode} {name}')} Print {name}." for name in defined]
    lines.append("Unset Printing All.")
    for group, members in groups.items():
        lines.append(f"Definition all_{group} := ({', '.join('@' + name for name in members)}, tt).")
        lines.append(f"{_marker(f'axioms {group}')} Print Assumptions all_{group}.")
    return "\n".join(lines) + "\n"


def _marker(what: str) -> str:
    return f'Goal True. idtac "{_BEGIN}{what}". Abort.'


def _ask(folder: Path, questions: str) -> dict[str, str]:
    done = compile_text(questions, "Questions", folder)
    if done.returncode != 0:
        reject([Problem("Coq cannot print the statements", "Questions.v", difference=done.stderr[-2000:])])
    answers = {}
    for part in done.stdout.split(_BEGIN)[1:]:
        title, _, answer = part.partition("\n")
        answers[title.strip()] = answer.strip("\n")
    return answers


def _statement(printed: str) -> str:
    """The type of a theorem, without its name."""
    _, _, body = printed.partition("\n     : ")
    return "\n".join(line.removeprefix("       ") for line in body.splitlines()).strip()


def _definition(printed: str) -> str:
    return printed.split("\n\nArguments", 1)[0].strip()


def _hash(printed: str) -> str:
    return hashlib.sha256(" ".join(printed.split()).encode()).hexdigest()[:16]


def _axioms(printed: str) -> tuple[str, ...]:
    return tuple(sorted(set(re.findall(r"^([\w.']+)\s*(?::|$)", printed, flags=re.MULTILINE)) - {"Axioms"}))


def _forbidden(group: str, axioms: Sequence[str]) -> list[str]:
    allowed = [name in REALS or (group == "intervals" and bool(MACHINE.match(name))) for name in axioms]
    return [name for name, fine in zip(axioms, allowed, strict=True) if not fine]


def _culprits(folder: Path, group: str, names: list[str], cited: Citations, source: Path) -> list[Problem]:
    """Which theorems rest on an axiom that is not allowed; asked one by one, since it is slow."""
    head = f"Require {' '.join(sorted({name.split('.')[0] for name in names}))}.\n"
    asked = _ask(folder, head + "".join(f"{_marker(name)} Print Assumptions {name}.\n" for name in names))
    stated, problems = theorems(source), []
    for name in names:
        extra = _forbidden(group, _axioms(asked[name]))
        if extra:
            difference = "\n".join(f"+ {axiom}" for axiom in extra)
            what = "it rests on an axiom that is not allowed"
            problems.append(
                Problem(what, label(stated[name].file), name.split(".")[1], tuple(cited.get(name, ())), difference)
            )
    return problems

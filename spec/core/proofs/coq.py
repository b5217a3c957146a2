"""Running Coq: is it there, build the development outside the source tree, compile one more file against it."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dpverify.spec.core.proofs.errors import CoqMissing, Problem, reject
from dpverify.spec.core.proofs.sources import PROOFS, files, label, theorem_at

PACKAGES = ("coq", "libcoq-coquelicot", "libcoq-interval")
MEMORY_KB = 6_000_000  # a proof that needs more has gone astray
_WHERE = re.compile(r'File "\./([^"]+)", line (\d+)')


def coq_missing() -> str | None:
    """None if Coq and its libraries are installed, else what is missing and how to get it."""
    advice = f"install it with `apt-get install --no-install-recommends {' '.join(PACKAGES)}`"
    for program in ("coqc", "coq_makefile", "coqchk", "make"):
        if shutil.which(program) is None:
            return f"{program} is not installed; {advice}"
    where = Path(_run(["coqc", "-where"], Path.cwd(), 60).stdout.strip())
    for library in ("Coquelicot", "Interval"):
        if not (where / "user-contrib" / library).is_dir():
            return f"the Coq library {library} is not installed; {advice}"
    return None


def coq_version() -> str:
    """Version of Coq, such as "8.16.1"."""
    return _run(["coqc", "--print-version"], Path.cwd(), 60).stdout.split()[0]


def build_folder(source: Path = PROOFS) -> Path:
    """Where compiled files go: ``build/proofs`` of the checkout, or below the temporary folder."""
    checkout = source.parents[1]
    if (checkout / "pyproject.toml").is_file():
        return checkout / "build" / "proofs"
    return Path(tempfile.gettempdir()) / f"dpverify-proofs-{os.getuid()}" / source.name


def build(source: Path = PROOFS, into: Path | None = None, limit_s: float = 600.0) -> Path:
    """Compile the development; only what changed is compiled again.

    Args:
        source: folder with ``_CoqProject`` and the Coq files; nothing is written there.
        into: folder for copies and compiled files; :func:`build_folder` if None.

    Returns:
        The folder with the compiled files.

    Raises:
        CoqMissing: Coq or a library is not installed.
        ProofsRejected: a file does not compile; it names file, line, theorem and Coq's message.
    """
    missing = coq_missing()
    if missing:
        raise CoqMissing(missing)
    folder = into or build_folder(source)
    with locked(folder):
        wanted = files(source)
        for old in [*folder.glob("*.v"), *folder.glob("tools/*.v")]:
            if str(old.relative_to(folder)) not in wanted:
                for leftover in old.parent.glob(f"{old.stem}.*"):
                    leftover.unlink()
        for name in ["_CoqProject", *wanted]:
            _copy_if_changed(source / name, folder / name)
        _run(["coq_makefile", "-f", "_CoqProject", "-o", "CoqMakefile"], folder, 60)
        done = _run(["make", "-f", "CoqMakefile", f"-j{min(2, os.cpu_count() or 1)}"], folder, limit_s)
        if done.returncode != 0:
            reject([_failure(source, done)])
    return folder


def compile_text(text: str, name: str, folder: Path, limit_s: float = 300.0) -> subprocess.CompletedProcess[str]:
    """Compile one more file, ``name``.v, against a compiled development; the result carries what Coq printed."""
    (folder / f"{name}.v").write_text(text, encoding="utf-8")
    return _run(["coqc", "-q", "-w", "none", "-R", ".", "DPVerify", f"{name}.v"], folder, limit_s)


def run(command: Sequence[str], folder: Path, limit_s: float) -> subprocess.CompletedProcess[str]:
    """Run a command under a limit of time and memory. Return code 124: out of time."""
    return _run(command, folder, limit_s)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One build at a time in a folder, also across processes."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _run(command: Sequence[str], folder: Path, limit_s: float) -> subprocess.CompletedProcess[str]:
    # `timeout` ends the children too, which subprocess's own limit does not
    limited = ["bash", "-c", f'ulimit -v {MEMORY_KB}; exec timeout {limit_s:g} "$@"', "bash", *command]
    return subprocess.run(limited, cwd=folder, capture_output=True, text=True, check=False)


def _copy_if_changed(source: Path, target: Path) -> None:
    data = source.read_bytes()
    if not target.is_file() or target.read_bytes() != data:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _failure(source: Path, done: subprocess.CompletedProcess[str]) -> Problem:
    if done.returncode == 124:
        return Problem("the build ran out of time", label("_CoqProject"))
    place = _WHERE.search(done.stderr)
    if place is None:
        return Problem("the build failed", label("_CoqProject"), difference=done.stderr[-2000:])
    file, line = place.group(1), int(place.group(2))
    message = done.stderr[place.end() :].split("make", 1)[0].strip(" \n,")[:2000]
    return Problem(f"line {line}: Coq does not accept it", label(file), theorem_at(source, file, line), (), message)

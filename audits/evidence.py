"""Evidence that accumulates from run to run: a JSON file with the wealth that each audit has reached.

A run goes on from the wealth of the runs before it, with fresh outputs: the product of the e-values of independent
runs is an e-value, so the false-alarm probability stays alpha over all runs together. What is tested is "every
version of the mechanism so far kept the claim": after a fix, delete the entry (or the file) to start again.

Several processes may use one file at a time. ``load`` hands out a run number, hence randomness that no other run has,
and ``store`` multiplies the run's own factor into the file. Factors count in the order of the run numbers, whichever
run ends first: among runs that go on at once the lucky ones stop early, so multiplying them as they come and looking
each time would favour them (two fair double-or-nothing bets in parallel: the first to end has doubled three times out
of four). For the same reason a run that begins while an earlier one is still going on starts from next to nothing: it
gives no verdict of its own, and its factor is counted when the earlier one has reported. A run that was killed leaves
nothing behind; whoever kills runs for what they show has no evidence left.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from dpverify.atomic import write_whole
from dpverify.audits.lock import HeldLock, locked, try_lock
from dpverify.errors import InvalidArgument

FORMAT = "dpverify-evidence-1"
TIMEOUT = 30.0  # seconds to wait for the file; whoever holds it needs milliseconds
OUT_OF_ORDER = -700.0  # log wealth without a verdict: alpha * e^-700 of false alarms is none

Entry = dict[str, Any]


@dataclass(frozen=True)
class Evidence:
    """What earlier runs of one audit came to; from ``load`` also a place in the file, held while the object lives.

    Attributes:
        log_e_value: where the next run starts; pairs: drawn by the runs that have been counted.
        runs: runs begun so far. ``load`` returns the number of the run that it was called for.
    """

    log_e_value: float
    pairs: int = 0
    runs: int = 0
    place: HeldLock | None = field(default=None, repr=False, compare=False)


class EvidenceDiscarded(UserWarning):
    """The entry was deleted while an audit ran, so what it came to is not kept."""


class _Progress(Protocol):
    log_wealth: float
    pairs: int


def key(mechanism: str, epsilon: float, delta: float, floating_point: bool) -> str:
    """Under which name an audit's evidence is kept."""
    return f"{mechanism} epsilon={epsilon!r} delta={delta!r}" + (" floating_point" if floating_point else "")


def load(path: str | Path, name: str, start: Evidence, *, timeout: float = TIMEOUT) -> Evidence:
    """Begin a run: reserve its number, and say what it starts from (``start`` if it is the first).

    Raises:
        InvalidArgument: the file is something else, or its folder does not exist.
        EvidenceLocked: another process held the file for ``timeout`` seconds.
    """
    target = _target(path)
    with locked(_beside(target, "lock"), timeout):
        entries = _read(target)
        entry = _sound(entries.get(name), start, target)
        for number, opened in list(entry["open"].items()):
            if _is_over(target, name, number, opened):
                del entry["open"][number]
        _settle(entry)
        number = str(entry["runs"])
        place = try_lock(_place(target, name, number))
        if place is None:
            needed = f"a file whose earlier run {number} has ended"
            raise InvalidArgument(
                "evidence", str(path), needed, "its entry was deleted while that run goes on: wait for it"
            )
        begun = entry["log_e_value"] if not entry["open"] else OUT_OF_ORDER
        entry["open"][number] = {"log_e_value": begun, "pairs": entry["pairs"], "by": _myself()}
        entry["runs"] += 1
        _write(target, entries | {name: entry})
    return Evidence(begun, entry["pairs"], entry["runs"] - 1, place)


def store(path: str | Path, name: str, evidence: Evidence, *, timeout: float = TIMEOUT) -> Evidence:
    """End the run with number ``evidence.runs - 1``: multiply its factor in, and return what all runs come to.

    Args:
        evidence: log wealth (from what ``load`` returned on) and pairs (on top of those) at the end of the run.

    Returns:
        The evidence of all runs up to the first that is still going on.

    Raises:
        InvalidArgument, EvidenceLocked: as ``load``.
    """
    target, number = _target(path), str(evidence.runs - 1)
    with locked(_beside(target, "lock"), timeout):
        entries = _read(target)
        entry = _sound(entries.get(name), Evidence(0.0), target)
        opened = entry["open"].pop(number, None)
        with suppress(PermissionError):  # a system that cannot remove an open file: it stays, empty
            _place(target, name, number).unlink(missing_ok=True)
        if opened is None:
            message = f"{path}: the entry {name!r} was deleted during the audit, so run {number} is not kept"
            warnings.warn(message, EvidenceDiscarded, stacklevel=3)
            return evidence
        own = {"log_factor": evidence.log_e_value - opened["log_e_value"], "pairs": evidence.pairs - opened["pairs"]}
        here = (opened["log_e_value"], opened["pairs"]) == (entry["log_e_value"], entry["pairs"])
        if here and not entry["open"] and not entry["waiting"]:  # it went on from here: what it says, not rounded
            entry["log_e_value"], entry["pairs"] = evidence.log_e_value, evidence.pairs
        else:
            entry["waiting"][number] = own
            _settle(entry)
        _write(target, entries | {name: entry})
    return Evidence(entry["log_e_value"], entry["pairs"], entry["runs"])


@contextmanager
def kept_on_failure(path: str | Path | None, name: str, before: Evidence, run: _Progress) -> Iterator[None]:
    """If the block raises or is interrupted, store what the run came to by then: losing runs count as well."""
    try:
        yield
    except BaseException:
        if path is not None:
            store(path, name, Evidence(run.log_wealth, before.pairs + run.pairs, before.runs + 1))
        raise


def _settle(entry: Entry) -> None:
    """Count the runs that wait, up to the first that is still going on."""
    going_on = min((int(number) for number in entry["open"]), default=entry["runs"])
    for number in sorted(entry["waiting"], key=int):
        if int(number) < going_on:
            own = entry["waiting"].pop(number)
            entry["log_e_value"] += own["log_factor"]
            entry["pairs"] += own["pairs"]


def _is_over(target: Path, name: str, number: str, opened: Entry) -> bool:
    """Whether a run that never reported is over: its process is gone, or it was in this very thread."""
    held = try_lock(_place(target, name, number))
    if held is not None:
        held.release(remove=True)
    return held is not None or opened["by"] == _myself()


def _myself() -> str:
    return f"{platform.node()}:{os.getpid()}:{threading.get_ident()}"


def _place(target: Path, name: str, number: str) -> Path:
    """The file that a run holds a lock on for as long as it goes on."""
    return _beside(target, f"{hashlib.sha256(name.encode()).hexdigest()[:12]}-{number}.run")


def _beside(target: Path, suffix: str) -> Path:
    return target.with_name(f"{target.name}.{suffix}")


def _target(path: str | Path) -> Path:
    target = Path(path)
    if target.is_dir():
        raise InvalidArgument("evidence", str(path), "a file, not a folder")
    if not target.parent.is_dir():
        raise InvalidArgument("evidence", str(path), "in a folder that exists", f"create {target.parent} first")
    return target


def _write(target: Path, entries: dict[str, Entry]) -> None:
    """Replace the file as a whole."""
    kept = {name: {k: v for k, v in entry.items() if v != {}} for name, entry in entries.items()}
    text = json.dumps({"format": FORMAT, "audits": kept}, indent=2) + "\n"

    def write(file: IO[bytes]) -> None:
        file.write(text.encode())

    write_whole("evidence", target, write)


def _read(target: Path) -> dict[str, Entry]:
    if not target.exists():
        return {}
    try:
        content = json.loads(target.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise KeyError
        audits = content["audits"]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        audits = None
    if not isinstance(audits, dict):
        needed = f"an evidence file of format {FORMAT!r}, or absent"
        raise InvalidArgument("evidence", str(target), needed, "pass another name, or delete it if it is one")
    return audits


def _sound(raw: Any, start: Evidence, target: Path) -> Entry:
    """One entry, checked and with all its parts."""
    if raw is None:
        return {"log_e_value": start.log_e_value, "pairs": start.pairs, "runs": start.runs, "open": {}, "waiting": {}}
    try:
        entry: Entry = {
            "log_e_value": float(raw["log_e_value"]),
            "pairs": int(raw["pairs"]),
            "runs": int(raw["runs"]),
            "open": {
                str(int(n)): {"log_e_value": float(o["log_e_value"]), "pairs": int(o["pairs"]), "by": str(o["by"])}
                for n, o in raw.get("open", {}).items()
            },
            "waiting": {
                str(int(n)): {"log_factor": float(w["log_factor"]), "pairs": int(w["pairs"])}
                for n, w in raw.get("waiting", {}).items()
            },
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InvalidArgument("evidence", str(target), "an evidence file with complete entries") from None
    values = [entry["log_e_value"], *(w["log_factor"] for w in entry["waiting"].values())]
    numbers = [int(number) for part in ("open", "waiting") for number in entry[part]]
    if (
        any(value != value for value in values)
        or min(entry["pairs"], entry["runs"]) < 0
        or max(numbers, default=-1) >= entry["runs"]
    ):
        raise InvalidArgument("evidence", str(target), "an evidence file with sound entries")
    return entry

"""Evidence that accumulates from run to run: a JSON file with the wealth that each audit has reached.

A run goes on from the wealth of the runs before it, with fresh outputs: the product of the e-values of independent
runs is an e-value, so the false-alarm probability stays alpha over all runs together. What is tested is "every
version of the mechanism so far kept the claim": after a fix, delete the entry (or the file) to start again.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from dpverify.errors import InvalidArgument

FORMAT = "dpverify-evidence-1"


@dataclass(frozen=True)
class Evidence:
    """What earlier runs of one audit came to."""

    log_e_value: float
    pairs: int = 0
    runs: int = 0


def key(mechanism: str, epsilon: float, delta: float, floating_point: bool) -> str:
    """Under which name an audit's evidence is kept."""
    return f"{mechanism} epsilon={epsilon!r} delta={delta!r}" + (" floating_point" if floating_point else "")


def load(path: str | Path, name: str, start: Evidence) -> Evidence:
    """The evidence so far; ``start`` if the file or the entry does not exist.

    Raises:
        InvalidArgument: the file is something else.
    """
    entry = _read(Path(path)).get(name)
    if entry is None:
        return start
    try:
        found = Evidence(float(entry["log_e_value"]), int(entry["pairs"]), int(entry["runs"]))
    except (KeyError, TypeError, ValueError):
        raise InvalidArgument("evidence", str(path), "an evidence file with complete entries") from None
    if found.log_e_value != found.log_e_value or found.pairs < 0 or found.runs < 0:
        raise InvalidArgument("evidence", str(path), "an evidence file with sound entries")
    return found


def store(path: str | Path, name: str, evidence: Evidence) -> None:
    """Replace one entry; the file is written whole and then moved into place."""
    target = Path(path)
    entries = _read(target) | {name: asdict(evidence)}
    scratch = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    scratch.write_text(json.dumps({"format": FORMAT, "audits": entries}, indent=2) + "\n", encoding="utf-8")
    os.replace(scratch, target)


def _read(path: Path) -> dict[str, dict[str, float]]:
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise KeyError
        audits = content["audits"]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        audits = None
    if not isinstance(audits, dict):
        raise InvalidArgument("evidence", str(path), f"an evidence file of format {FORMAT!r}, or absent")
    return audits

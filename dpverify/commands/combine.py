"""``dpverify combine RESULT.json ...``: one verdict from audits that ran on several machines.

Exit codes are those of ``dpverify audit``: 0 no violation found, 1 violation, 2 usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from dpverify.commands.audit import NONE_FOUND, VIOLATION
from dpverify.errors import InvalidArgument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``dpverify combine``."""
    parser.add_argument("results", nargs="+", metavar="RESULT", help="what dpverify audit --json wrote, on every shard")
    parser.add_argument("--alpha", type=float, default=0.05, help="of the joint verdict (default %(default)s)")
    parser.add_argument(
        "--dependent", action="store_true", help="shards that may share randomness: average, not multiply"
    )


def run(arguments: argparse.Namespace) -> int:
    """Read the results, judge them together; returns the exit code."""
    from dpverify.audits import combine  # waits, so that the command line's --help answers at once

    shards = [read_result(path) for path in arguments.results]
    together = combine(shards, alpha=arguments.alpha, dependent=arguments.dependent)
    sys.stdout.write(together.describe() + "\n")
    return VIOLATION if together.violated else NONE_FOUND


def read_result(path: str) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        InvalidArgument: it is not sound JSON, or no object.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InvalidArgument("RESULT", path, "a file that dpverify audit --json wrote", str(error)) from None
    if not isinstance(found, dict):
        raise InvalidArgument(
            "RESULT", path, "a file that dpverify audit --json wrote", f"it holds a {type(found).__name__}"
        )
    return found

"""``dpverify audit MODULE:NAME --pair D0 D1 --epsilon E --delta D``: the audit from the command line.

Exit codes: 0 no violation found, 1 violation, 2 usage (also a mechanism that fails or returns something else).
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dpverify.errors import InvalidArgument

NONE_FOUND, VIOLATION, USAGE = 0, 1, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``dpverify audit``."""
    parser.add_argument("mechanism", metavar="MODULE:NAME", help="a function mechanism(dataset, size, rng)")
    parser.add_argument("--pair", nargs=2, metavar=("D0", "D1"), required=True, help="two .npy or .json files")
    parser.add_argument("--epsilon", type=float, required=True)
    parser.add_argument("--delta", type=float, default=0.0)
    parser.add_argument("--alpha", type=float, default=0.05, help="false-alarm probability (default 0.05)")
    parser.add_argument("--max-pairs", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="workers that draw outputs (-1: all cores)")
    parser.add_argument("--json", metavar="OUT", help="write the result as JSON")
    parser.add_argument("--plot", metavar="OUT", help="draw the wealth (.png, .svg, .pdf)")
    parser.add_argument("--evidence", metavar="FILE", help="accumulate evidence from run to run")
    parser.add_argument("--floating-point", action="store_true", help="also watch the bits of the outputs")
    parser.add_argument("--progress", action="store_true")


def run(
    arguments: argparse.Namespace,
    write: Callable[[str], Any] = sys.stdout.write,
    complain: Callable[[str], Any] = sys.stderr.write,
) -> int:
    """Carry it out; returns the exit code."""
    from dpverify.audits.betting import audit  # waits, so that the command line's --help answers at once
    from dpverify.audits.errors import MechanismFailed
    from dpverify.guarantees import ApproxDP

    try:
        mechanism = load_mechanism(arguments.mechanism)
        d0, d1 = (load_dataset(path) for path in arguments.pair)
        result = audit(
            mechanism,
            d0,
            d1,
            ApproxDP(arguments.epsilon, arguments.delta),
            alpha=arguments.alpha,
            max_pairs=arguments.max_pairs,
            seed=arguments.seed,
            n_jobs=arguments.jobs,
            evidence=arguments.evidence,
            progress=arguments.progress,
            floating_point=arguments.floating_point,
        )
        if arguments.json:
            result.save(arguments.json)
        if arguments.plot:
            result.plot(arguments.plot)
    except (InvalidArgument, MechanismFailed, OSError) as error:
        complain(f"dpverify audit: {error}\n")
        return USAGE
    write(result.describe() + "\n")
    return VIOLATION if result.violated else NONE_FOUND


def load_mechanism(name: str) -> Any:
    """The object called ``package.module:name``, found from the current folder as well.

    Raises:
        InvalidArgument: there is no such module or name, or it is not callable.
    """
    module_name, colon, attribute = name.partition(":")
    if not colon or not module_name or not attribute:
        raise InvalidArgument("mechanism", name, "of the form package.module:name")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found: Any = importlib.import_module(module_name)
    except ImportError as error:
        raise InvalidArgument("mechanism", name, "a module that can be imported", str(error)) from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise InvalidArgument("mechanism", name, f"in {module_name}, which has no {part!r}")
        found = getattr(found, part)
    if not callable(found):
        raise InvalidArgument("mechanism", name, "callable")
    return found


def load_dataset(path: str) -> Any:
    """A dataset from a .npy file (no pickles) or a .json file.

    Raises:
        InvalidArgument: it is neither, or does not read as what it is.
    """
    import numpy as np

    file = Path(path)
    try:
        if file.suffix == ".npy":
            return np.load(file, allow_pickle=False)
        if file.suffix == ".json":
            return json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, EOFError) as error:
        raise InvalidArgument("pair", path, f"a sound {file.suffix} file", str(error)) from error
    raise InvalidArgument("pair", path, "a .npy or .json file")

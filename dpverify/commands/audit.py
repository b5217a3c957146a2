"""``dpverify audit MODULE:NAME --pair D0 D1 --epsilon E --delta D``: the audit from the command line.

Exit codes: 0 no violation found, 1 violation, 2 usage (also a mechanism that fails or returns something else); what is
neither is raised, and the command line makes it 3.
"""

from __future__ import annotations

import argparse
import importlib
import json
import shlex
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dpverify.errors import InvalidArgument

NONE_FOUND, VIOLATION, USAGE = 0, 1, 2
PICTURES = (".png", ".svg", ".pdf")


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
    parser.add_argument(
        "--trees", action="store_true", help="also bet by trees (needs scikit-learn; some seconds slower)"
    )
    parser.add_argument("--to-the-end", action="store_true", help="go on after a violation, for a better epsilon_lower")
    parser.add_argument("--progress", action="store_true", help="show the wealth on the terminal")


def run(
    arguments: argparse.Namespace,
    write: Callable[[str], Any] | None = None,
    complain: Callable[[str], Any] | None = None,
) -> int:
    """Carry it out; returns the exit code. What is neither a finding nor the caller's mistake is raised."""
    from dpverify.audits.betting import audit  # waits, so that the command line's --help answers at once
    from dpverify.audits.errors import MechanismFailed
    from dpverify.guarantees import ApproxDP

    write, complain = write or sys.stdout.write, complain or sys.stderr.write  # as they are now: they may be redirected
    try:
        _check_options(arguments)  # before anything runs: an audit may take hours
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
            stop_early=not arguments.to_the_end,
            trees=arguments.trees,
        )
        if arguments.json:
            result.save(arguments.json)
        if arguments.plot:
            result.plot(arguments.plot)
    except (InvalidArgument, MechanismFailed, OSError) as error:
        complain(f"dpverify audit: {error}\n")
        return USAGE
    except SystemExit as error:  # its own exit status, often 0, must not pass for "none found"
        complain(f"dpverify audit: {arguments.mechanism} ended the program (SystemExit: {error}); nothing was tested\n")
        return USAGE
    write(result.describe() + "\n")
    if not result.run:  # a run that goes on from evidence is reproduced by its number, which the report names
        write(f"  command:       {command_line(arguments)}\n")
    return VIOLATION if result.violated else NONE_FOUND


def command_line(arguments: argparse.Namespace) -> str:
    """The command that gives the same result again, whatever the number of workers."""
    words = ["dpverify", "audit", arguments.mechanism, "--pair", *arguments.pair, f"--epsilon={arguments.epsilon!r}"]
    words += [f"--delta={arguments.delta!r}"] if arguments.delta else []
    words += [f"--alpha={arguments.alpha!r}", f"--max-pairs={arguments.max_pairs}", f"--seed={arguments.seed}"]
    switches = "floating_point", "trees", "to_the_end"
    words += [f"--{name.replace('_', '-')}" for name in switches if getattr(arguments, name)]
    return shlex.join(words)


def _check_options(arguments: argparse.Namespace) -> None:
    """What the audit itself does not look at, or only at its end."""
    if arguments.jobs == 0:
        raise InvalidArgument("--jobs", 0, "at least 1, or -1 for all cores")
    for option, path in (("--json", arguments.json), ("--plot", arguments.plot)):
        if path and not Path(path).parent.is_dir():
            raise InvalidArgument(option, path, "in a folder that exists", f"create {Path(path).parent} first")
        if path and Path(path).is_dir():
            raise InvalidArgument(option, path, "a file, not a folder")
    if arguments.plot and Path(arguments.plot).suffix not in PICTURES:
        raise InvalidArgument("--plot", arguments.plot, f"a file name ending in {', '.join(PICTURES)}")


def load_mechanism(name: str) -> Any:
    """The object called ``package.module:name``, found from the current folder as well.

    Raises:
        InvalidArgument: there is no such module or name, or it is not callable.
    """
    module_name, _, attribute = name.partition(":")
    if module_name.endswith(".py") or not all(
        part.isidentifier() for part in (*module_name.split("."), *attribute.split("."))
    ):
        advice = "the module as in an import statement, without .py and without slashes"
        raise InvalidArgument("mechanism", name, "of the form package.module:name", advice)
    if "" not in sys.path:
        sys.path.insert(0, "")
    found = _imported(name, module_name)
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise InvalidArgument("mechanism", name, f"in {module_name}, which has no {part!r}")
        found = getattr(found, part)
    if isinstance(found, type):
        needed, advice = (
            "a function, or an object that can be called",
            f"it is a class: name an instance, {attribute}(...)",
        )
        raise InvalidArgument("mechanism", name, needed, advice)
    if not callable(found):
        raise InvalidArgument("mechanism", name, "callable", f"it is {type(found).__name__}")
    return found


def _imported(name: str, module_name: str) -> Any:
    needed = "in a module that can be imported"
    try:
        return importlib.import_module(module_name)
    except (ImportError, SyntaxError) as error:
        if isinstance(error, ModuleNotFoundError) and error.name and f"{module_name}.".startswith(f"{error.name}."):
            advice = f"there is no {error.name!r} in {Path.cwd()} or among the installed packages"
        else:
            advice = f"importing {module_name} raised {type(error).__name__}: {error}"
        raise InvalidArgument("mechanism", name, needed, advice) from error
    except Exception as error:  # whatever the caller's module does when it is run
        at = traceback.extract_tb(error.__traceback__)[-1]
        advice = f"importing {module_name} raised {type(error).__name__}: {error} ({at.filename}, line {at.lineno})"
        raise InvalidArgument("mechanism", name, needed, advice) from error


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
    except FileNotFoundError:
        raise InvalidArgument("--pair", path, "a file that exists") from None
    except (ValueError, EOFError, RecursionError) as error:
        raise InvalidArgument("--pair", path, f"a sound {file.suffix} file without pickles", str(error)) from error
    raise InvalidArgument("--pair", path, "a .npy or .json file")

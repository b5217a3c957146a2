"""The command line: `dpverify verify | lemmas | lemma | audit | combine | gallery | release | query`.

Exit status: 0 all is well, 1 a check failed, 2 bad usage or bad input, 3 a defect of dpverify itself.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from dpverify import __version__
from dpverify.commands import audit, combine

OK, USAGE, DEFECT = 0, 2, 3  # 1, a failed check, is what a command returns

REPORT = "this is a defect of dpverify: please report it with the traceback above"
EXAMPLES = """examples:
  dpverify verify                                  check every lemma, then release real data and measure
  dpverify lemmas                                  the ledger: lemma, evidence, who enforces it
  dpverify lemma noise.truncated_laplace_variance --at sensitivity=1 epsilon=0.7 delta=1e-5
  dpverify release --keys K.npy --values V.csv --epsilon 1 --delta 1e-6 \\
                   --key-bound 1 --value-bound 10 -o attention.dpv
  dpverify audit my_package.module:mechanism --pair D0.npy D1.npy --epsilon 1 --delta 1e-6
  dpverify combine shard-*.json                    one verdict from audits on several machines
  dpverify gallery                                 broken mechanisms, each caught with a witness
  dpverify query attention.dpv Q.npy -o answers.npy

exit status: 0 all is well, 1 a check failed, 2 bad usage or input, 3 a defect of dpverify itself"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    options = parser().parse_args(arguments)
    console, errors = Console(), Console(stderr=True)
    try:
        return _run(options, console, errors)
    except Exception as error:
        mine = not isinstance(error, _input_errors())
        if mine:
            traceback.print_exc()
        text = f"{type(error).__name__}: {error}; {REPORT}" if mine else _text(error)
        errors.print(f"[red]dpverify {options.command}:[/] {escape(text)}", highlight=False, soft_wrap=True)
        return DEFECT if mine else USAGE


def _input_errors() -> tuple[type[Exception], ...]:
    """What the caller can mend. Any other error, also a plain ValueError or KeyError, is a defect and not hidden."""
    from dpverify.audits.errors import MechanismFailed
    from dpverify.errors import InvalidArgument, ReleaseFileError
    from dpverify.spec.core.errors import HypothesisNotMet
    from dpverify.spec.core.registry import UnknownLemma

    return InvalidArgument, ReleaseFileError, HypothesisNotMet, UnknownLemma, MechanismFailed, OSError, MemoryError


def _run(options: argparse.Namespace, console: Console, errors: Console) -> int:
    # each command imports what it needs, so that --help answers at once
    if options.command == "lemmas":
        from dpverify.commands.lemmas import show_ledger

        show_ledger(console)
        return OK
    if options.command == "lemma":
        from dpverify.commands.lemmas import show_lemma

        return show_lemma(console, options.id, options.at, options.plot, options.over)
    if options.command == "release":
        from dpverify.commands import attention

        return attention.release(console, errors, options)
    if options.command == "query":
        from dpverify.commands import attention

        return attention.query(console, errors, options)
    if options.command == "audit":
        return audit.run(options)
    if options.command == "combine":
        return combine.run(options)
    if options.command == "gallery":
        from dpverify.commands.gallery import show_gallery

        return show_gallery(console, options.seed)
    from dpverify.commands.verify import verify

    return verify(console, options.output, workers=options.workers)


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = argparse.ArgumentParser(
        prog="dpverify",
        description="Verify differential privacy: checkable lemmas, exact noise, private attention.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"dpverify {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    verify = commands.add_parser(
        "verify", help="check every lemma against its oracle, release real data, measure, write an HTML report"
    )
    verify.add_argument("-o", "--output", default="dpverify-report", help="folder of the report (%(default)s)")
    verify.add_argument("--workers", type=int, default=2, help="processes that check lemmas (%(default)s)")

    commands.add_parser("lemmas", help="print the ledger: every lemma, its evidence, who enforces it")

    lemma = commands.add_parser("lemma", help="explain one lemma (or exhibit) and check it at a point")
    lemma.add_argument("id", help="such as noise.truncated_laplace_variance; `dpverify lemmas` lists them")
    lemma.add_argument("--plot", metavar="FILE", help="draw both sides over a range of one parameter (svg, png, pdf)")
    lemma.add_argument(
        "--over", metavar="NAME", help="the parameter to draw over; default: epsilon or the first number"
    )
    lemma.add_argument(
        "--at", nargs="+", default=[], metavar="NAME=VALUE", help="the point; every parameter of the lemma"
    )

    release = commands.add_parser(
        "release",
        help="release attention over private keys and values",
        description="Release attention over private keys and values, (epsilon, delta)-DP when one row is "
        "replaced. The bounds are public: choose them without looking at the data.",
    )
    release.add_argument("--keys", required=True, metavar="FILE", help="(n, d) array, .npy or .csv")
    release.add_argument("--values", required=True, metavar="FILE", help="(n, d_v) or (n,) array, .npy or .csv")
    release.add_argument("--epsilon", required=True, type=float, help="> 0")
    release.add_argument("--delta", required=True, type=float, help="in (0, 1/2]; well below 1/n")
    release.add_argument("--key-bound", required=True, type=float, help="public bound on keys, > 0")
    release.add_argument("--value-bound", required=True, type=float, help="public bound on values, > 0")
    release.add_argument("--query-bound", type=float, help="public bound on queries (default: the key bound)")
    release.add_argument(
        "--shape",
        choices=("ball", "box", "positive_box"),
        default="ball",
        help="what is bounded: row norms (ball), entries in [-b, b] (box), key and query entries in [0, b] "
        "(positive_box); default %(default)s",
    )
    release.add_argument("--scale", type=float, help="logits are scale * <q, k>; default 1/d")
    release.add_argument("--values-nonnegative", action="store_true", help="no value is below 0: less noise is needed")
    release.add_argument(
        "--method",
        choices=("functional", "lazy", "dptree"),
        default="functional",
        help="one noisy matrix (functional), the exact kernel with noise as queries come (lazy; the file then needs "
        "the rows again for every query), the published trees (dptree); default %(default)s",
    )
    release.add_argument("--degree", type=int, help="of the polynomial kernel; default: relative error 1e-3")
    release.add_argument(
        "--landmarks",
        metavar="FILE",
        help="functional: Nystrom features on these *public* points, (r, d), .npy or .csv",
    )
    release.add_argument("--rank", type=int, help="with --landmarks: keep so many directions; less noise, more error")
    release.add_argument(
        "--max-queries", type=int, help="lazy: how many different queries will be answered; default 2048"
    )
    release.add_argument("--normaliser-weight", type=float, help="functional and lazy; default: least noise")
    release.add_argument(
        "--out-of-bounds",
        choices=("clip", "raise"),
        default="clip",
        help="rows outside the bounds; default %(default)s",
    )
    release.add_argument("-o", "--output", required=True, metavar="FILE", help="the release file to write")

    query = commands.add_parser("query", help="answer queries from a release; costs no privacy")
    query.add_argument("release", help="file written by `dpverify release`")
    query.add_argument("queries", help="(m, d) array, .npy or .csv")
    query.add_argument("-o", "--output", required=True, metavar="FILE", help=".npy or .csv")
    query.add_argument("--keys", metavar="FILE", help="of a lazy release only: the private keys that were released")
    query.add_argument("--values", metavar="FILE", help="of a lazy release only: the private values")
    query.add_argument(
        "--standard-error",
        metavar="FILE",
        help="write one standard deviation of each answer as well, in the same shape (.npy or .csv)",
    )

    one = commands.add_parser(
        "audit",
        help="test a mechanism of your own against its claim",
        description="Test mechanism(dataset, size, rng) -> outputs against a claim, on two neighbouring datasets. "
        "Exit status: 0 no violation found (which proves nothing), 1 violation, 2 usage, 3 a defect of dpverify.",
    )
    audit.add_arguments(one)

    several = commands.add_parser(
        "combine",
        help="one verdict from audits that ran on several machines",
        description="Combine the results of all shards of an audit: give each its own --seed and --json OUT, and leave "
        "none out. Exit status: 0 no violation found, 1 violation, 2 usage, 3 a defect of dpverify.",
    )
    combine.add_arguments(several)

    gallery = commands.add_parser("gallery", help="broken mechanisms, each caught by an audit with a witness")
    gallery.add_argument("--seed", type=int, default=0, help="of the audits (%(default)s)")
    return top


def _text(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return f"there is no file {error.filename!r}"
    return str(error)


if __name__ == "__main__":
    sys.exit(main())

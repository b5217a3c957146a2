"""`dpverify lemmas` and `dpverify lemma ID`: the ledger, and one lemma or exhibit with a worked number."""

from __future__ import annotations

import ast
import importlib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import mpmath
import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dpverify.errors import InvalidArgument
from dpverify.spec import (
    Choice,
    Comparison,
    ConclusionViolated,
    Exhibit,
    HypothesisNotMet,
    LedgerRow,
    Lemma,
    OracleUnreliable,
    Real,
    exhibits,
    ledger,
    lemma,
)
from dpverify.spec.core.domain import Parameter, points

KINDS = ("proved", "enclosed", "enforced", "audited")
WIDE = 140  # columns from which the ledger shows everything


def show_ledger(console: Console, rows: Sequence[LedgerRow] | None = None) -> None:
    """The ledger as a table; with reports, what was checked in this run. Wide terminals see all of it."""
    shown = ledger() if rows is None else rows
    table = Table(
        title="Ledger of lemmas",
        title_justify="left",
        header_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        padding=0,
    )
    wide = console.width >= WIDE
    longest = max((len(row.lemma.id) for row in shown), default=0)
    table.add_column("lemma", no_wrap=True, min_width=longest)
    table.add_column("points", no_wrap=True, min_width=6, justify="right")
    for name in KINDS:
        table.add_column(name, no_wrap=True, min_width=len(name), justify="center")
    if wide:
        for name in ("enforced by", "source", "hypotheses", "trusts"):
            table.add_column(name, overflow="fold")
    for row in shown:
        cells = [row.lemma.id, checked_text(row).removesuffix(" points").replace("not run", "-")]
        cells += ["yes" if kind in row.evidence else "" for kind in KINDS]
        if wide:
            cells.append("\n".join(name.rpartition(".")[2] for name in row.enforced_by))
            cells += [str(row.lemma.source), hypotheses_text(row.lemma), trusts_text(row.lemma)]
        table.add_row(*map(escape, cells), style="red" if row.failure else None)
    console.print(table)
    console.print(f"\n{summary(shown)}", highlight=False)
    console.print("Published statements that fail when read literally (they never count as evidence):")
    for exhibit in exhibits().values():
        console.print(f"  {exhibit.id:<31} see {exhibit.corrected}", highlight=False)


def summary(rows: Sequence[LedgerRow]) -> str:
    """The ledger in numbers."""
    count = {kind: sum(kind in row.evidence for row in rows) for kind in KINDS}
    here = "rechecked here" if rows and rows[0].rechecked else "not rechecked here: make proofs"
    idle = sum(not row.enforced_by and not row.relied_on_by for row in rows)
    return (
        f"{len(rows)} lemmas: all with an oracle, {count['proved']} naming machine-checked theorems "
        f"({here}), "
        f"{count['enclosed']} enclosed over a box of parameters, {count['enforced']} enforced at run time, "
        f"{count['audited']} audited, "
        f"{idle} that no function names. `dpverify lemma ID` explains one."
    )


def checked_text(row: LedgerRow) -> str:
    """Outcome of this run in one word."""
    if row.failure:
        return "FAILED"
    return "not run" if row.checked is None else f"{row.checked} points"


def hypotheses_text(stated: Lemma) -> str:
    return "; ".join(h.text for h in stated.hypotheses) or "none"


def trusts_text(stated: Lemma) -> str:
    enclosing = ["mpmath's outward rounding"] if stated.enclosure is not None else []
    return "; ".join([*stated.trusts, *enclosing]) or "nothing beyond the oracle's arithmetic"


def short_name(qualified: str) -> str:
    """A qualified name without the package."""
    return qualified.removeprefix("dpverify.")


def show_lemma(
    console: Console, lemma_id: str, at: Sequence[str], plot: str | None = None, over: str | None = None
) -> int:
    """Statement, idea of the proof, evidence and a worked number; exit status 1 if the conclusion fails there.

    Args:
        lemma_id: of a lemma, or of an exhibit (which fails, as it should: status 0).
        at: "name=value" for every parameter, or nothing for a point of the lemma's domain.
        plot: file for a picture of both sides over a range of one parameter (.svg, .png or .pdf), or None.
        over: that parameter; if not given, epsilon or the first number.
    """
    if lemma_id in exhibits():
        return show_exhibit(console, exhibits()[lemma_id], at, plot)
    stated = lemma(lemma_id)
    parameters = parse_point(stated, at) if at else first_point(stated)
    stated.require(**parameters)
    draw = _plotter(stated, parameters, plot, over)
    row = next(r for r in ledger() if r.lemma.id == lemma_id)
    console.rule(stated.id, align="left")
    show_docstring(console, stated.module)
    facts: list[tuple[str, str]] = [
        ("claim", stated.claim),
        ("source", str(stated.source)),
        ("hypotheses", hypotheses_text(stated)),
        ("evidence", row.evidence_text),
        ("enclosed", row.enclosed_over or "no"),
        ("theorems", ", ".join(stated.theorems) or f"none: {stated.unproved}"),
        ("enforced by", ", ".join(map(short_name, row.enforced_by)) or "nobody"),
        ("relied on by", ", ".join(map(short_name, row.relied_on_by)) or "nobody"),
        ("trusts", trusts_text(stated)),
    ]
    for name, text in facts:
        console.print(f"[bold]{name:12}[/] {escape(text)}", highlight=False)
    console.print(f"\nat {', '.join(f'{k} = {v!r}' for k, v in parameters.items())}", highlight=False)
    status = show_check(console, stated, parameters)
    if draw is not None:
        console.print(f"  {escape(draw())}", highlight=False)
    return status


def _plotter(
    stated: Lemma, parameters: Mapping[str, Any], plot: str | None, over: str | None
) -> Callable[[], str] | None:
    """What draws the picture, once its arguments have been checked; matplotlib is loaded only for that."""
    if plot is None:
        if over is not None:
            raise InvalidArgument("--over", over, "given together with --plot FILE")
        return None
    from dpverify.commands.lemma_plots import check_plot, save_plot

    name = check_plot(stated, plot, over)
    return lambda: save_plot(stated, parameters, plot, name)


def show_check(console: Console, stated: Lemma, parameters: Mapping[str, Any]) -> int:
    """Both sides of every conclusion at one point; 1 if one of them fails."""
    try:
        comparisons = stated.check(**parameters)
    except ConclusionViolated as error:
        console.print(escape(str(error)), style="red", highlight=False, soft_wrap=True)
        return 1
    except HypothesisNotMet:  # of a formula inside
        raise
    except (ArithmeticError, ValueError, OracleUnreliable) as error:
        raise InvalidArgument(
            "--at",
            " ".join(f"{k}={v!r}" for k, v in parameters.items()),
            "a point that floats and the oracle can evaluate",
            f"{type(error).__name__}: {error}",
        ) from error
    for comparison in comparisons:
        console.print(f"  {escape(sides_text(comparison))}  [green]holds[/]", highlight=False)
    return 0


def sides_text(comparison: Comparison) -> str:
    """A comparison at its tightest point, on one line."""
    worst = comparison.worst
    left, right = (mpmath.nstr(side[worst], 12) for side in (comparison.lhs, comparison.rhs))
    label = f"  ({comparison.label})" if comparison.label else ""
    return f"{left} {comparison.relation} {right} {comparison.unit}".rstrip() + label


def show_exhibit(console: Console, exhibit: Exhibit, at: Sequence[str], plot: str | None) -> int:
    """A published statement, where it fails, and what holds instead; 1 if the counterexample does not fail."""
    if at or plot is not None:
        raise InvalidArgument(
            "--at" if at else "--plot",
            " ".join(at) or plot,
            "absent for an exhibit, whose counterexample is fixed",
            f"try `dpverify lemma {exhibit.corrected}`",
        )
    console.rule(exhibit.id, align="left")
    show_docstring(console, exhibit.module)
    console.print(escape(exhibit.describe()), highlight=False, soft_wrap=True)
    return 0 if exhibit.refuted else 1


def show_docstring(console: Console, module: str) -> None:
    """A module's docstring, its paragraphs filled to the width of the terminal."""
    text = (importlib.import_module(module).__doc__ or "").strip()
    for paragraph in re.split(r"\n\s*\n", text):
        console.print(escape(" ".join(paragraph.split())), highlight=False)
        console.print()


def first_point(stated: Lemma) -> dict[str, Any]:
    """A point of the domain that meets the hypotheses, its inside before its corners."""
    candidates = list(points(stated.domain, 64, np.random.default_rng(0)))
    for parameters in reversed(candidates):
        try:
            stated.require(**parameters)
        except HypothesisNotMet:
            continue
        return {name: _rounded(value, stated.domain[name]) for name, value in parameters.items()}
    raise RuntimeError(f"no point of the domain of {stated.id} meets its hypotheses")


def _rounded(value: Any, parameter: Parameter) -> Any:
    """Three digits are easier to read, if they stay inside the range."""
    if not isinstance(parameter, Real):
        return value
    short = float(f"{value:.3g}")
    return short if parameter.low <= short <= parameter.high else value


def parse_point(stated: Lemma, at: Sequence[str]) -> dict[str, Any]:
    """Parameters from "name=value" texts, every one of them once."""
    out: dict[str, Any] = {}
    for text in at:
        name, separator, value = text.partition("=")
        if not separator or name not in stated.domain:
            raise InvalidArgument("--at", text, f"name=value with a name among {', '.join(stated.domain)}")
        if name in out:
            raise InvalidArgument("--at", " ".join(at), f"given once for every parameter; twice: {name}")
        out[name] = parse_value(name, value, stated.domain[name])
    missing = [name for name in stated.domain if name not in out]
    if missing:
        raise InvalidArgument("--at", " ".join(at), f"given for every parameter; missing: {', '.join(missing)}")
    return {name: out[name] for name in stated.domain}


def parse_value(name: str, text: str, parameter: Parameter) -> Any:
    """One value: a number, or one of the choices as it prints (any case)."""
    if isinstance(parameter, Choice):
        for value in parameter.values:
            if text.lower() in (str(value).lower(), repr(value).lower()):
                return value
        raise InvalidArgument("--at", f"{name}={text}", f"{name} = one of {', '.join(map(str, parameter.values))}")
    try:
        number = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        number = None
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
        raise InvalidArgument("--at", f"{name}={text}", f"{name} = a finite number")
    if isinstance(parameter, Real):
        return number
    if number != int(number):
        raise InvalidArgument("--at", f"{name}={text}", f"{name} = an integer")
    if not parameter.low <= number <= parameter.high:
        needed = f"in [{parameter.low}, {parameter.high}], where the oracle can enumerate"
        raise InvalidArgument("--at", f"{name}={text}", f"{name} {needed}")
    return int(number)

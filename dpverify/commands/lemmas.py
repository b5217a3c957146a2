"""`dpverify lemmas` and `dpverify lemma ID`: the ledger, and one lemma with a worked number."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import mpmath
import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dpverify.errors import InvalidArgument
from dpverify.spec import ConclusionViolated, HypothesisNotMet, LedgerRow, Lemma, exhibits, ledger, lemma
from dpverify.spec.core.domain import points

WIDE = 120


def show_ledger(console: Console, rows: Sequence[LedgerRow] | None = None) -> None:
    """The ledger as a table; with reports, what was checked in this run."""
    shown = ledger() if rows is None else rows
    table = Table(title="Ledger of lemmas", title_justify="left", header_style="bold", box=box.SIMPLE_HEAD)
    table.add_column("lemma", no_wrap=True)
    table.add_column("oracle", no_wrap=True, min_width=9)
    table.add_column("proved", justify="center", min_width=6)
    table.add_column("enforced by", no_wrap=True, overflow="ellipsis")
    if console.width >= WIDE:
        table.add_column("source", no_wrap=True, overflow="ellipsis")
    for row in shown:
        cells = [
            row.lemma.id,
            checked_text(row),
            "yes" if "proved" in row.evidence else "",
            ", ".join(name.rpartition(".")[2] for name in row.enforced_by),
            str(row.lemma.source),
        ]
        table.add_row(*cells[: len(table.columns)], style="red" if row.failure else None)
    console.print(table)
    proved = sum("proved" in row.evidence for row in shown)
    enforced = sum("enforced" in row.evidence for row in shown)
    console.print(
        f"{len(shown)} lemmas: all with an oracle, {proved} naming a machine-checked theorem, {enforced} enforced. "
        "`dpverify lemma ID` explains one.",
        highlight=False,
    )
    console.print("Published statements that fail when read literally (they never count as evidence):")
    for exhibit in exhibits().values():
        console.print(f"  {exhibit.id:<44} see {exhibit.corrected}", highlight=False)


def checked_text(row: LedgerRow) -> str:
    """Outcome of this run in one word."""
    if row.failure:
        return "FAILED"
    return "not run" if row.checked is None else f"{row.checked} points"


def short_name(qualified: str) -> str:
    """A qualified name without the package."""
    return qualified.removeprefix("dpverify.")


def show_lemma(console: Console, lemma_id: str, at: Sequence[str]) -> int:
    """Statement, idea of the proof, evidence and a worked number; exit status 1 if the conclusion fails there.

    Args:
        at: "name=value" for every parameter, or nothing for the first point of the lemma's domain.
    """
    stated = lemma(lemma_id)
    row = next(r for r in ledger() if r.lemma.id == lemma_id)
    console.rule(stated.id, align="left")
    console.print(escape((importlib.import_module(stated.module).__doc__ or "").strip()), highlight=False)
    console.print()
    facts: list[tuple[str, str]] = [
        ("claim", stated.claim),
        ("source", str(stated.source)),
        ("hypotheses", "; ".join(h.text for h in stated.hypotheses) or "none"),
        ("evidence", ", ".join(row.evidence)),
        ("theorems", ", ".join(stated.theorems) or "none"),
        ("enforced by", ", ".join(map(short_name, row.enforced_by)) or "nobody"),
        ("relied on by", ", ".join(map(short_name, row.relied_on_by)) or "nobody"),
        ("trusts", "; ".join(stated.trusts) or "nothing beyond the oracle's arithmetic"),
    ]
    for name, text in facts:
        console.print(f"[bold]{name:12}[/] {escape(text)}", highlight=False)
    parameters = parse_point(stated, at) if at else first_point(stated)
    console.print(f"\nat {', '.join(f'{k} = {v!r}' for k, v in parameters.items())}", highlight=False)
    try:
        comparisons = stated.check(**parameters)
    except ConclusionViolated as error:
        console.print(f"[red]{escape(str(error))}[/]", highlight=False)
        return 1
    for comparison in comparisons:
        worst = comparison.worst
        left, right = (mpmath.nstr(side[worst], 12) for side in (comparison.lhs, comparison.rhs))
        label = f"  ({comparison.label})" if comparison.label else ""
        console.print(
            f"  {left} {comparison.relation} {right} {comparison.unit}{label}  [green]holds[/]", highlight=False
        )
    return 0


def first_point(stated: Lemma) -> dict[str, Any]:
    """The first point of the domain that meets the hypotheses, insides before corners."""
    candidates = list(points(stated.domain, 64, np.random.default_rng(0)))
    for parameters in reversed(candidates):
        try:
            stated.require(**parameters)
        except HypothesisNotMet:
            continue
        return dict(parameters)
    raise RuntimeError(f"no point of the domain of {stated.id} meets its hypotheses")


def parse_point(stated: Lemma, at: Sequence[str]) -> Mapping[str, Any]:
    """Parameters from "name=value" texts."""
    out: dict[str, Any] = {}
    for text in at:
        name, separator, value = text.partition("=")
        if not separator or name not in stated.domain:
            raise InvalidArgument("--at", text, f"name=value with a name among {', '.join(stated.domain)}")
        try:
            out[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            out[name] = value
    missing = set(stated.domain) - set(out)
    if missing:
        raise InvalidArgument("--at", " ".join(at), f"given for every parameter; missing: {', '.join(sorted(missing))}")
    return out

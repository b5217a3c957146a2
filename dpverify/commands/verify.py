"""`dpverify verify`: every lemma against its oracle, then a release of real data, a table and a report."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from joblib import Parallel, delayed
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from dpverify.audits.gallery import gallery as broken_mechanisms
from dpverify.commands import experiment, gallery, report, sandwich
from dpverify.commands.lemmas import show_ledger
from dpverify.errors import InvalidArgument
from dpverify.spec import LemmaReport, ledger, lemma, lemmas, verify_lemma

POINTS = 16  # of each lemma's domain


def verify(console: Console, output: str, *, workers: int) -> int:
    """Run everything, print it, write ``output/index.html``; 1 if any lemma failed."""
    if workers < 1:
        raise InvalidArgument("--workers", workers, "at least 1")
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    with _progress(console) as progress:
        task = progress.add_task("lemmas", total=len(lemmas()))
        reports = {}
        for done in check_lemmas(workers):
            reports[done.lemma.id] = done
            progress.update(task, advance=1, description=f"lemmas: {done.lemma.id}")
        progress.update(task, description="lemmas")
        task = progress.add_task("audits of the library's own mechanisms", total=None)
        slices = []
        for found in sandwich.run(workers):
            slices.append(found)
            progress.update(task, completed=len(slices), total=found.of)
        task = progress.add_task("gallery of broken mechanisms", total=None)
        caught = []
        for broken in gallery.run():
            caught.append(broken)
            progress.update(task, completed=len(caught), total=len(broken_mechanisms()))
        task = progress.add_task("releases", total=len(experiment.SWEEP) + 2)

        def step(what: str) -> None:
            progress.update(task, description=what)
            progress.advance(task)

        measured = experiment.run(step)
        progress.update(task, description="releases")
    rows = ledger(reports)
    show_ledger(console, rows)
    console.print()
    console.print(sandwich_table(slices))
    console.print(report.sandwich_legend(), highlight=False)
    console.print()
    console.print(gallery.table(caught))
    console.print(results_table(measured))
    console.print(
        f"Errors are in visits a year over {measured.queries} held-out queries, {measured.rows:,} private rows; "
        f"the bound holds for each query with probability {1 - experiment.FAILURE_PROBABILITY:g}.",
        highlight=False,
    )
    page = folder / "index.html"
    page.write_text(report.html(rows, measured, slices, caught), encoding="utf-8")
    failures = [r for r in reports.values() if not r.passed]
    for failed in failures:
        console.print(f"\n[red]FAILED[/] {failed.failure}", highlight=False)
    for violated in (s for s in slices if s.violated):
        console.print(f"\n[red]VIOLATED[/] {violated.name}: {violated.witness}", highlight=False)
    for missed in (s for s in slices if s.tightened_after is None):
        console.print(
            f"\n[red]{report.NOT_REJECTED}[/] {missed.name}: an epsilon of {sandwich.TIGHTENED:g} times its own "
            f"({missed.pair:.3f}) passed an audit that knows its density",
            highlight=False,
        )
    console.print(
        f"\n{len(reports) - len(failures)} of {len(reports)} lemmas hold at every point checked; "
        f"{time.perf_counter() - start:.0f} s; report: {page}",
        highlight=False,
    )
    return exit_status(reports.values(), slices, caught)


def exit_status(
    reports: Iterable[LemmaReport], slices: Iterable[sandwich.Slice], caught: Iterable[gallery.Caught]
) -> int:
    """0 if all lemmas hold, no mechanism of the library fails, and all that are broken are caught; else 1."""
    good = all(r.passed for r in reports) and not any(s.failed for s in slices) and all(c.violated for c in caught)
    return 0 if good else 1


def check_lemmas(workers: int) -> Iterator[LemmaReport]:
    """Check every lemma over its domain, on several processes, as they finish."""
    ids = list(lemmas())
    if workers == 1:
        yield from (_check(i)[1] for i in ids)
        return
    found = Parallel(n_jobs=workers, return_as="generator_unordered")(delayed(_check_failure)(i) for i in ids)
    for lemma_id, checked, skipped, failure, seconds in found:
        yield LemmaReport(lemma(lemma_id), checked, skipped, failure, seconds)


def _check(lemma_id: str) -> tuple[str, LemmaReport]:
    return lemma_id, verify_lemma(lemma(lemma_id), count=POINTS)


def _check_failure(lemma_id: str) -> tuple[str, int, int, str | None, float]:
    """A report as plain data: lemmas hold functions that do not travel between processes."""
    done = _check(lemma_id)[1]
    return lemma_id, done.checked, done.skipped, done.failure, done.seconds


def results_table(measured: experiment.Experiment) -> Table:
    """One column a mechanism, so that it fits a narrow terminal."""
    table = Table(
        title="Private attention over the RAND health-insurance data", title_justify="left", box=box.SIMPLE_HEAD
    )
    columns = [report.cells(row) for row in measured.table]
    table.add_column("")
    for column in columns:
        table.add_column(column[0], justify="right")
    for i, name in enumerate(report.COLUMNS[1:], start=1):
        table.add_row(name, *(column[i] for column in columns))
    return table


def sandwich_table(slices: list[sandwich.Slice]) -> Table:
    """Claimed, certified and observed epsilon, and the control, on one line for every mechanism."""
    table = Table(title="Claimed, certified, observed", title_justify="left", box=box.SIMPLE_HEAD)
    for name in report.SANDWICH_COLUMNS:
        first, widest = name == "mechanism", max(len(word) for word in name.split())
        table.add_column(name, justify="left" if first else "right", no_wrap=first, min_width=widest)
    for found in sandwich.in_order(slices):
        table.add_row(*report.sandwich_cells(found), style="red" if found.failed else None)
    return table


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<48}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=not console.is_terminal,
    )

"""The HTML report: one self-contained page with the results, two plots, certificates and the ledger."""

from __future__ import annotations

import html as escaping
import io
from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dpverify import __version__
from dpverify.audits.gallery import CLAIM
from dpverify.commands import experiment, gallery, sandwich
from dpverify.commands.experiment import Experiment, Measurement
from dpverify.commands.gallery import Caught
from dpverify.commands.lemmas import checked_text
from dpverify.commands.sandwich import Slice
from dpverify.spec import LedgerRow, exhibits

COLUMNS = (
    "mechanism", "covariates", "epsilon", "delta", "error bound", "worst error", "rms error", "R^2 to exact",
    "build s", "query µs", "bytes",
)  # fmt: skip
LEDGER_COLUMNS = ("lemma", "statement", "claim", "evidence", "checked", "enforced by", "source")
GALLERY_COLUMNS = ("mechanism", "mistake", "caught after", "epsilon >=", "witness", "see")
SANDWICH_COLUMNS = (
    "mechanism", "certified <=", "this pair", "black box >=", "density >=", "0.8 x pair rejected after",
)  # fmt: skip
NOT_REJECTED = "NOT REJECTED"
BLUE, PALE, ORANGE = "#0b5394", "#a9c4de", "#b45f06"

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.5rem }
table { border-collapse: collapse; width: 100%; font-size: .85rem }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ddd; vertical-align: top }
th { border-bottom: 2px solid #888 } .number { text-align: right; font-variant-numeric: tabular-nums }
pre { background: #f5f5f5; padding: .8rem; overflow-x: auto; font-size: .8rem; white-space: pre-wrap }
.ledger td:first-child { white-space: nowrap }
.ledger td:nth-child(2) { min-width: 16rem } .ledger td:nth-child(3) { min-width: 14rem }
.failed { color: #b00020; font-weight: 600 } .plots { display: flex; flex-wrap: wrap; gap: 1rem }
.plots svg { flex: 1 1 28rem; max-width: 34rem; height: auto } .wide { overflow-x: auto }
"""


def cells(row: Measurement) -> list[str]:
    """A measurement as the texts of one table row, in the order of COLUMNS."""
    return [
        row.mechanism,
        str(row.covariates),
        f"{row.claim.epsilon:g}",
        f"{row.claim.delta:g}",
        f"{row.bound:.3g}",
        f"{row.worst:.3g}",
        f"{row.rms:.3g}",
        f"{row.r2:.3g}",
        f"{row.build_s:.2f}",
        f"{1e6 * row.query_s:.0f}",
        f"{row.bytes:,}",
    ]


def sandwich_cells(found: Slice) -> list[str]:
    """One mechanism of the sandwich, in the order of SANDWICH_COLUMNS."""
    return [
        found.name,
        f"{found.upper:.3f}",
        f"{found.pair:.3f}",
        f"{found.lower:.2f}",
        f"{found.lower_likelihood:.3f}",
        f"{found.tightened_after:,}" if found.tightened_after is not None else NOT_REJECTED,
    ]


def sandwich_legend() -> str:
    """What the columns of the sandwich mean."""
    return (
        f"Epsilon at delta = {sandwich.CLAIM.delta:g}; all claim {sandwich.CLAIM.epsilon:g}. Certified: whatever the "
        "neighbours. This pair: of the two datasets that are audited, by the accountant. Black box: observed by "
        f"betting on {sandwich.PAIRS:,} outputs of each, 0 if nothing was found in so few; too high with probability "
        f"{sandwich.ALPHA:g}. Density: observed by an audit that knows the law, in {sandwich.DRAWS:,} outputs for each "
        f"and a pilot; too high with probability {sandwich.TIGHTENED_ALPHA:g}. Last: after how many of these it "
        f"rejected the false claim of {sandwich.TIGHTENED:g} times this pair's epsilon."
    )


def _evidence(row: LedgerRow) -> str:
    """What speaks for a lemma, with the box of its enclosure and the reason where there is no theorem."""
    enclosed = f" ({row.enclosed_over})" if row.enclosed_over else ""
    unproved = f"; no theorem: {row.lemma.unproved}" if row.lemma.unproved else ""
    return row.evidence_text + enclosed + unproved


def html(
    ledger_rows: Sequence[LedgerRow], measured: Experiment, slices: Sequence[Slice], caught: Sequence[Caught]
) -> str:
    """The whole page."""
    failed = sum(row.failure is not None for row in ledger_rows)
    verdict = "every lemma holds at every point checked" if not failed else f"{failed} lemmas FAILED"
    results = [cells(row) for row in measured.table]
    ledger_cells = [
        [
            row.lemma.id,
            row.lemma.statement,
            row.lemma.claim,
            _evidence(row),
            checked_text(row),
            ", ".join(name.rpartition(".")[2] for name in row.enforced_by),
            str(row.lemma.source),
        ]
        for row in ledger_rows
    ]
    ordered = sandwich.in_order(slices)
    certificates = "".join(f"<pre>{_escape(str(row.release.certificate))}</pre>" for row in measured.table)
    broken = [[c.name, c.mistake, *gallery.cells(c)[1:], c.corrected] for c in caught]
    shown = "".join(f"<pre>{_escape(exhibit.describe())}</pre>" for exhibit in exhibits().values())
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>dpverify report</title><style>{STYLE}</style></head><body>
<h1>dpverify {__version__}: {len(ledger_rows)} lemmas, {_escape(verdict)}</h1>
<h2>Private attention over the RAND health-insurance data</h2>
<p>{measured.rows:,} private rows (covariates as keys, yearly doctor visits as values), {measured.queries} held-out
queries. Errors are in visits a year against exact attention; values reach {_reach(measured):g} on either side
of their public centre. The bound holds for each query with probability {1 - experiment.FAILURE_PROBABILITY:g}.</p>
<div class="wide">{_table(COLUMNS, results, numbers_from=1)}</div>
<div class="plots">{accuracy_plot(measured)}{error_plot(measured)}</div>
<h2>Claimed, certified, observed</h2>
<p>The library's own mechanisms. {_escape(sandwich_legend())}
The bars reach from observed (pale: black box) to certified; the orange mark is the claim, the black one this pair.</p>
<div class="wide">{_table(SANDWICH_COLUMNS, map(sandwich_cells, ordered), numbers_from=1)}</div>
<div class="plots">{sandwich_plot(ordered[::-1])}</div>
<h2>Broken mechanisms, caught</h2>
<p>Mistakes that were made in print or in code. Each claims ({CLAIM.epsilon:g}, {CLAIM.delta:g})-DP; an anytime-valid
audit stopped as soon as the evidence sufficed (false-alarm probability {gallery.ALPHA:g}) and names the event.</p>
<div class="wide">{_table(GALLERY_COLUMNS, broken)}</div>
<h2>Certificates</h2>{certificates}
<h2>Published statements that fail when read literally</h2>{shown}
<h2>Ledger</h2>
<div class="wide ledger">{_table(LEDGER_COLUMNS, ledger_cells)}
</div></body></html>
"""


def accuracy_plot(measured: Experiment) -> str:
    """R^2 of the functional release against epsilon."""
    figure, axes = _figure("Accuracy of the functional release", "epsilon", "R² to exact attention")
    axes.plot([m.claim.epsilon for m in measured.sweep], [m.r2 for m in measured.sweep], "o-", color=BLUE)
    axes.axhline(1.0, color="#888", linewidth=0.8, linestyle=":")
    axes.set_xscale("log")
    axes.set_ylim(min(-0.1, max(-1.0, min(m.r2 for m in measured.sweep)) - 0.1), 1.1)
    return _svg(figure)


def error_plot(measured: Experiment) -> str:
    """Error bound and measured error of the functional release against epsilon."""
    figure, axes = _figure("Error of the functional release", "epsilon", "visits a year")
    epsilons = [m.claim.epsilon for m in measured.sweep]
    axes.plot(epsilons, [m.bound for m in measured.sweep], "s--", color=ORANGE, label="bound, one query (95 %)")
    axes.plot(epsilons, [m.worst for m in measured.sweep], "o-", color=BLUE, label=f"worst of {measured.queries}")
    axes.plot(epsilons, [m.rms for m in measured.sweep], "o:", color=BLUE, label="root mean square")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.legend(frameon=False)
    return _svg(figure)


def sandwich_plot(slices: Sequence[Slice]) -> str:
    """Observed lower and certified upper bounds of every mechanism, with the claim and the pair's own epsilon."""
    figure, axes = _figure("Observed lower bounds to certified upper bound", "epsilon", "")
    for height, found in enumerate(slices):
        for lower, colour in ((found.lower, PALE), (found.lower_likelihood, BLUE)):
            axes.plot([lower, found.upper], [height, height], "-", color=colour, linewidth=5, solid_capstyle="butt")
        axes.plot([found.pair], [height], "|", color="black", markersize=10, markeredgewidth=2)
        axes.plot([found.claim.epsilon], [height], "|", color=ORANGE, markersize=16, markeredgewidth=2)
    axes.set_yticks(range(len(slices)), [found.name for found in slices])
    axes.set_xlim(left=-0.03)
    return _svg(figure)


def _figure(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.6, 3.8), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _table(header: Iterable[str], rows: Iterable[Sequence[str]], numbers_from: int | None = None) -> str:
    def line(tag: str, texts: Iterable[str]) -> str:
        out = "<tr>"
        for i, text in enumerate(texts):
            kind = ' class="number"' if numbers_from is not None and i >= numbers_from else ""
            kind = ' class="failed"' if text in ("FAILED", NOT_REJECTED) else kind
            out += f"<{tag}{kind}>{_escape(text)}</{tag}>"
        return out + "</tr>"

    body = "".join(line("td", row) for row in rows)
    return f"<table><thead>{line('th', header)}</thead><tbody>{body}</tbody></table>"


def _reach(measured: Experiment) -> float:
    return measured.table[0].release.state.parameters.bounds.value


def _escape(text: str) -> str:
    return escaping.escape(text)

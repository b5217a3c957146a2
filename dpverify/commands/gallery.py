"""`dpverify gallery`: broken mechanisms, each caught by an audit with a witness."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table

from dpverify.audits import audit
from dpverify.audits.gallery import CLAIM, gallery

ALPHA = 1e-3
MAX_PAIRS = 100_000
COLUMNS = ("broken mechanism", "caught after", "epsilon >=", "witness")


@dataclass(frozen=True)
class Caught:
    """What the audit said of one broken mechanism.

    Attributes:
        pairs: outputs drawn on each dataset until the evidence sufficed (or in all).
        lower: epsilon at the claimed delta is at least this.
    """

    name: str
    mistake: str
    corrected: str
    violated: bool
    pairs: int
    lower: float
    witness: str


def run(seed: int = 0) -> Iterator[Caught]:
    """Audit the whole gallery."""
    for broken in gallery():
        found = audit(broken.mechanism, *broken.pair, CLAIM, alpha=ALPHA, max_pairs=MAX_PAIRS, seed=seed)
        yield Caught(
            broken.name,
            broken.mistake,
            broken.corrected,
            found.violated,
            found.pairs,
            found.epsilon_lower,
            str(found.witness),
        )


def cells(caught: Caught) -> list[str]:
    """One row, in the order of COLUMNS."""
    after = f"{caught.pairs:,} pairs" if caught.violated else "NOT CAUGHT"
    return [caught.name, after, f"{caught.lower:.2f}", caught.witness]


def show_gallery(console: Console, seed: int) -> int:
    """Print the gallery; 1 if a mechanism was not caught."""
    found = list(run(seed))
    console.print(table(found))
    for caught in found:
        console.print(f"{caught.name}: {caught.mistake} ({caught.corrected})", highlight=False)
    return 0 if all(caught.violated for caught in found) else 1


def table(found: list[Caught]) -> Table:
    """The gallery as a table."""
    title = f"Mechanisms that claim ({CLAIM.epsilon:g}, {CLAIM.delta:g})-DP and do not keep it"
    out = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for name in COLUMNS:
        out.add_column(name, justify="right" if name in COLUMNS[1:3] else "left")
    for caught in found:
        out.add_row(*cells(caught), style=None if caught.violated else "red")
    return out

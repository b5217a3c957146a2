"""What the experiments share: one style of picture, and exponents with an interval. Not an experiment itself."""

from __future__ import annotations

import argparse
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from scipy import stats

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "pictures"
# Okabe and Ito (2008): told apart in every common form of colour blindness; markers tell them apart in grey
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "x")


def arguments(doc: str | None, name: str) -> argparse.ArgumentParser:
    """A parser with the options that every experiment has."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", type=Path, default=FOLDER / f"{name}.png", help="where the picture goes")
    parser.add_argument("--seed", type=int, default=0, help="of the data and, where noise is seeded, of the noise")
    return parser


def panels(count: int, *, rows: int = 1, width: float = 4.6, height: float = 3.6) -> tuple[Figure, list[Any]]:
    """A figure with that many axes, each ``width`` by ``height`` inches, in so many rows."""
    columns = -(-count // rows)
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(rows, columns)).flat)
    for axis in axes:
        axis.grid(color="#dddddd", linewidth=0.6)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def save(figure: Figure, path: Path) -> None:
    """Write the picture and say how large it is; a PNG in 128 colours, which is a third of the size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".png":
        buffer = io.BytesIO()
        figure.savefig(buffer, dpi=100)
        Image.open(buffer).convert("RGB").quantize(128, Image.Quantize.MAXCOVERAGE).save(path, optimize=True)
    else:
        figure.savefig(path)
    print(f"picture: {path.name}, {path.stat().st_size / 1000:.0f} kB")


def exponent(x: Sequence[float], y: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Least-squares slope of log y on log x, and the half width of its t interval (nan for two points).

    The interval is about scatter around a straight line: it does not know of a bend.
    """
    fit = stats.linregress(np.log(x), np.log(y))
    if min(y) == max(y):
        return 0.0, 0.0
    if len(x) < 3:
        return float(fit.slope), math.nan
    return float(fit.slope), float(stats.t.ppf((1 + confidence) / 2, len(x) - 2) * fit.stderr)

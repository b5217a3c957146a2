"""A picture of a lemma: both sides of its conclusions over a range of one parameter."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dpverify.errors import InvalidArgument
from dpverify.spec import Comparison, ConclusionViolated, HypothesisNotMet, Integer, Lemma, OracleUnreliable, Real

FORMATS = (".svg", ".png", ".pdf")
BLUE, ORANGE = "#0b5394", "#b45f06"
LEAST_POINTS, MOST_POINTS, BUDGET_S = 5, 33, 0.12
MOST_PANELS = 4


def check_plot(stated: Lemma, path: str, over: str | None) -> str:
    """The parameter to draw over, once everything about the picture is known to be possible.

    Raises:
        InvalidArgument: no such folder, format or numeric parameter.
    """
    if Path(path).suffix.lower() not in FORMATS:
        raise InvalidArgument("--plot", path, f"a file name ending in {', '.join(FORMATS)}")
    if not Path(path).resolve().parent.is_dir():
        raise InvalidArgument("--plot", path, "in a folder that exists")
    numeric = [name for name, p in stated.domain.items() if isinstance(p, Real | Integer) and name != "seed"]
    if over is not None and over not in numeric:
        raise InvalidArgument("--over", over, f"one of the numeric parameters {', '.join(numeric)}")
    if not numeric:
        raise InvalidArgument("--plot", stated.id, "for a lemma with a numeric parameter")
    return over or ("epsilon" if "epsilon" in numeric else numeric[0])


def save_plot(stated: Lemma, parameters: Mapping[str, Any], path: str, name: str) -> str:
    """Write the picture and return one line that says what it shows.

    The conclusions are evaluated along one parameter, the others as given, at as many points as a fraction of a
    second allows.
    """
    parameter = stated.domain[name]
    if not isinstance(parameter, Real | Integer):
        raise InvalidArgument("--over", name, "a numeric parameter")
    found = along(stated, parameters, name, parameter)
    labels = list(dict.fromkeys(c.label for _, comparisons in found for c in comparisons))[:MOST_PANELS]
    columns = min(2, len(labels))
    rows = math.ceil(len(labels) / columns)
    width, height = 5.2 * columns, 3.4 * rows + 0.6
    figure = Figure(figsize=(width, height))
    # fixed margins in inches: a layout engine would draw everything twice, a second
    margins = {"left": 0.85 / width, "right": 1 - 0.2 / width, "bottom": 0.55 / height, "top": 1 - 0.95 / height}
    figure.subplots_adjust(**margins, wspace=0.25, hspace=0.35)
    figure.text(0.1 / width, 1 - 0.28 / height, stated.id, fontsize=11)
    figure.text(0.1 / width, 1 - 0.5 / height, stated.claim, fontsize=7 if columns > 1 else 5)
    for panel, label in enumerate(labels):
        axes = figure.add_subplot(rows, columns, panel + 1)
        curves = [(x, c) for x, comparisons in found for c in comparisons if c.label == label]
        _draw(axes, name, label, curves, log=isinstance(parameter, Real) and parameter.log)
    figure.savefig(path, metadata={"Date": None} if path.lower().endswith(".svg") else None)
    return f"{path}: both sides over {name}, at {len(found)} points"


def along(
    stated: Lemma, parameters: Mapping[str, Any], name: str, parameter: Real | Integer
) -> list[tuple[float, tuple[Comparison, ...]]]:
    """(value, comparisons) at points of the parameter's range that meet the hypotheses, in order.

    Points are taken coarse to fine, so that stopping when the time is spent leaves an even cover.
    """
    found: list[tuple[float, tuple[Comparison, ...]]] = []
    start = time.perf_counter()
    for value in _spread(parameter):
        if len(found) >= LEAST_POINTS and time.perf_counter() - start > BUDGET_S:
            break
        at = {**parameters, name: value}
        try:
            found.append((float(value), stated.check(**at)))
        except ConclusionViolated as error:
            found.append((float(value), (error.comparison,)))
        except (HypothesisNotMet, OracleUnreliable, ArithmeticError):
            continue
    if not found:
        raise InvalidArgument("--at", dict(parameters), "a point around which the hypotheses hold along " + name)
    return sorted(found, key=lambda pair: pair[0])


def _spread(parameter: Real | Integer) -> list[Any]:
    """Values of the range, ends first, then ever finer."""
    shares, step = [0.0, 1.0], 0.5
    while len(shares) < MOST_POINTS:
        shares += [step * k for k in range(1, round(1 / step), 2)]
        step /= 2
    low, high = parameter.low, parameter.high
    if isinstance(parameter, Integer):
        return list(dict.fromkeys(round(low + share * (high - low)) for share in shares))
    if parameter.log:
        return [float(low * (high / low) ** share) for share in shares]
    return [float(low + share * (high - low)) for share in shares]


def _draw(axes: Axes, name: str, label: str, curves: list[tuple[float, Comparison]], *, log: bool) -> None:
    x = [at for at, _ in curves]
    tight = [(c.lhs[c.worst], c.rhs[c.worst]) for _, c in curves]
    left, right = (np.array([_float(pair[side]) for pair in tight]) for side in (0, 1))
    relation = curves[0][1].relation
    axes.plot(x, right, "-", color=ORANGE, linewidth=2.5, alpha=0.7, label="right side")
    axes.plot(x, left, "o", color=BLUE, markersize=4, label=f"left side ({relation} right)")
    if log:
        axes.set_xscale("log")
    finite = np.concatenate([left, right])
    finite = finite[np.isfinite(finite)]
    if finite.size and finite.min() > 0 and finite.max() > 100 * finite.min():
        axes.set_yscale("log")
    axes.set_xlabel(name)
    axes.set_ylabel(curves[0][1].unit)
    axes.set_title(label, loc="left", fontsize=8)
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=7)


def _float(value: Any) -> float:
    """For the eye only: what does not fit a float is not drawn."""
    try:
        return float(value)
    except OverflowError:
        return math.nan

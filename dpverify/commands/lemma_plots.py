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
LEAST_POINTS, MOST_POINTS, BUDGET_S = 5, 33, 0.4
MOST_PANELS = 4


def save_plot(stated: Lemma, parameters: Mapping[str, Any], path: str) -> str:
    """Write the picture and return one line that says what it shows.

    The conclusions are evaluated along the first parameter that is a real number (else the first integer), the
    others as given, at as many points as a fraction of a second allows.
    """
    if Path(path).suffix.lower() not in FORMATS:
        raise InvalidArgument("--plot", path, f"a file name ending in {', '.join(FORMATS)}")
    name, parameter = plotted_parameter(stated)
    found = along(stated, parameters, name, parameter)
    labels = list(dict.fromkeys(c.label for _, comparisons in found for c in comparisons))[:MOST_PANELS]
    columns = min(2, len(labels))
    rows = math.ceil(len(labels) / columns)
    figure = Figure(figsize=(5.2 * columns, 3.4 * rows), layout="constrained")
    figure.suptitle(stated.id, x=0.01, ha="left", fontsize=11)
    for panel, label in enumerate(labels):
        axes = figure.add_subplot(rows, columns, panel + 1)
        curves = [(x, c) for x, comparisons in found for c in comparisons if c.label == label]
        _draw(axes, stated, name, label, curves, log=isinstance(parameter, Real) and parameter.log)
    figure.savefig(path, metadata={"Date": None} if path.lower().endswith(".svg") else None)
    return f"{path}: both sides over {name}, at {len(found)} points"


def plotted_parameter(stated: Lemma) -> tuple[str, Real | Integer]:
    """The parameter along which a lemma is drawn."""
    for kind in (Real, Integer):
        for name, parameter in stated.domain.items():
            if isinstance(parameter, kind) and name != "seed":
                return name, parameter
    raise InvalidArgument("--plot", stated.id, "a lemma with a numeric parameter")


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


def _draw(
    axes: Axes, stated: Lemma, name: str, label: str, curves: list[tuple[float, Comparison]], *, log: bool
) -> None:
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
    axes.set_title(label or stated.claim, loc="left", fontsize=8, wrap=True)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=7)


def _float(value: Any) -> float:
    """For the eye only: what does not fit a float is not drawn."""
    try:
        return float(value)
    except OverflowError:
        return math.nan

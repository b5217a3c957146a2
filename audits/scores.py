"""Columns learned from past outputs: numbers that are large where d0 is more likely and small where d1 is.

``learn_table`` is for outputs with one coordinate or few distinct rows, ``learn_logistic`` for vectors and for
mixtures of categories with numbers, ``learn_trees`` for leaks that only three and more coordinates together show.
What they learn decides the power of an audit, never its error.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.errors import InvalidArgument
from dpverify.threads import one_blas_thread, one_openmp_thread

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
BINS = 48
FEATURES = 256
HUGE = 1e100  # far beyond any scale, and squares do not overflow
SHOWN = 512  # outputs by which a score is described
LEVELS = 12  # a coordinate with at most this many values is a category


@dataclass(frozen=True)
class TableScore:
    """Looks an output's key up among ``edges`` (bin i is [edges[i-1], edges[i])); the score is of its bin.

    ``projection`` turns rows with several coordinates into one key; None takes the only coordinate itself.
    """

    edges: Floats
    scores: Floats
    nan_score: float
    projection: Floats | None = None

    def __call__(self, outputs: Floats) -> Floats:
        keys = _keys(outputs, self.projection)
        found = self.scores[np.searchsorted(self.edges, keys, "right")]
        return np.where(np.isnan(keys), self.nan_score, found)[:, None]

    def describe(self) -> str:
        return "the learned likelihood ratio of the output" + ("" if self.projection is None else " row")


def _keys(outputs: Floats, projection: Floats | None) -> Floats:
    """One number a row, summed in a fixed order: equal rows must get equal keys, whatever the block's size."""
    if projection is None:
        return outputs[:, 0]
    keys = np.zeros(len(outputs))
    for j, factor in enumerate(projection):
        keys += outputs[:, j] * factor
    return keys


def learn_table(x: Floats, y: Floats) -> TableScore | None:
    """Log ratio of smoothed bin frequencies; None for vectors of many distinct rows."""
    projection = None
    if x.shape[1] > 1:
        # a fixed vector that is rationally independent for practical purposes: distinct rows get distinct keys
        projection = np.sqrt(2.0 + np.arange(x.shape[1])) % 1.0 + 0.5
    keys_x, keys_y = _keys(x, projection), _keys(y, projection)
    pooled = np.sort(np.concatenate([keys_x, keys_y]))
    known = pooled[~np.isnan(pooled)]
    distinct, repeats = np.unique(known, return_counts=True)
    if projection is not None and (len(distinct) > len(known) // 4 or len(distinct) > 4096):
        return None
    if len(distinct) <= len(known) // 4:
        atoms = distinct[np.argsort(repeats, kind="stable")[-4096:]]
    else:
        atoms = distinct[repeats > max(3.0, 0.002 * len(known))]
    bins = min(BINS, max(4, len(known) // 32))
    quantiles = known[(np.linspace(0, 1, bins + 1)[1:-1] * len(known)).astype(np.int64)] if len(known) else known
    edges = np.unique(np.concatenate([quantiles, atoms, np.nextafter(atoms, np.inf)]))
    here_x, here_y = (
        np.bincount(np.searchsorted(edges, k[~np.isnan(k)], "right"), minlength=len(edges) + 1).astype(np.float64)
        for k in (keys_x, keys_y)
    )
    nan_x, nan_y = (float(np.isnan(k).sum()) for k in (keys_x, keys_y))
    scores = np.log((here_x + 1.0) / (here_y + 1.0))
    return TableScore(edges, scores, float(np.log((nan_x + 1.0) / (nan_y + 1.0))), projection)


@dataclass(frozen=True)
class Features:
    """How an output becomes features: per coordinate either levels or a scale with knots; then products of two."""

    centre: Floats
    scale: Floats
    levels: tuple[Floats | None, ...]
    knots: tuple[Floats | None, ...]
    crossed: tuple[int, ...]  # categories whose levels get slopes of their own
    products: tuple[tuple[int, int], ...]  # coordinates that are multiplied
    squares: bool

    def __call__(self, outputs: Floats) -> Floats:
        scaled = np.nan_to_num(_scaled(outputs, self.centre, self.scale))
        unknown = np.isnan(outputs).astype(np.float64)
        numeric: list[Floats] = []
        plain: list[Floats] = [np.ones((len(outputs), 1))]
        for j, (levels, knots) in enumerate(zip(self.levels, self.knots, strict=True)):
            plain.append(unknown[:, j : j + 1])
            if levels is not None:
                plain.append((outputs[:, j : j + 1] == levels).astype(np.float64))
                continue
            z = scaled[:, j : j + 1]
            numeric.append(z)
            if knots is not None:
                numeric.append(np.maximum(z - knots, 0.0))
            elif self.squares:
                numeric.append(z**2)
        blocks = plain + numeric
        if self.products:
            left, right = np.array(self.products).T
            blocks.append(scaled[:, left] * scaled[:, right])
        for j in self.crossed:
            levels = self.levels[j]
            for level in () if levels is None else levels:
                inside = (outputs[:, j] == level).astype(np.float64)[:, None]
                blocks.extend(part * inside for part in numeric)
        return np.concatenate(blocks, axis=1)


@dataclass(frozen=True)
class LogisticScore:
    """The log odds that an output came from d0, by ridge logistic regression on ``features``."""

    features: Features
    weights: Floats
    sample: Floats  # a few of the outputs that it was learned from

    def __call__(self, outputs: Floats) -> Floats:
        with one_blas_thread():
            return (self.features(outputs) @ self.weights)[:, None]

    def describe(self) -> str:
        named = ", ".join(f"output[{j}]" for j in self.telling())
        return f"the learned log odds of d0 against d1 (mostly from {named})"

    def telling(self) -> tuple[int, ...]:
        """The three coordinates whose shuffling changes the score most (a fixed rotation stands for the shuffle)."""
        score = self(self.sample)
        spread = []
        for j in range(min(self.sample.shape[1], 64)):
            moved = self.sample.copy()
            moved[:, j] = np.roll(moved[:, j], len(moved) // 2)
            spread.append(float(np.std(self(moved) - score)))
        return tuple(int(j) for j in np.argsort(spread)[::-1][:3])


def learn_logistic(x: Floats, y: Floats, limit: int = 20_000) -> LogisticScore:
    """Fit by Newton steps with a ridge; features grow with the data."""
    x, y = x[-limit:], y[-limit:]
    pooled = np.concatenate([x, y])
    features = _features(pooled)
    table = features(pooled)
    label = np.repeat([1.0, 0.0], [len(x), len(y)])
    ridge = np.full(table.shape[1], 1.0 + 1e-4 * len(pooled))
    ridge[0] = 1e-6
    with one_blas_thread():
        return LogisticScore(features, _fit(table, label, ridge), pooled[:SHOWN])


def _fit(table: Floats, label: Floats, ridge: Floats) -> Floats:
    """Weights of the logistic regression, by Newton steps."""
    weights = np.zeros(table.shape[1])
    for _ in range(8):
        linear = np.clip(table @ weights, -30.0, 30.0)
        chance = 1.0 / (1.0 + np.exp(-linear))
        slope = table.T @ (label - chance) - ridge * weights
        curve = (table * (chance * (1.0 - chance))[:, None]).T @ table + np.diag(ridge)
        step = np.linalg.solve(curve, slope)
        weights = weights + step * min(1.0, 8.0 / max(1.0, float(np.abs(step).max())))
        if float(np.abs(step).max()) < 1e-3:
            break
    return weights


@dataclass(frozen=True)
class TreeScore:
    """The log odds that an output came from d0, by an ensemble of trees."""

    model: Any

    def __call__(self, outputs: Floats) -> Floats:
        with one_openmp_thread():
            odds: Floats = self.model.decision_function(np.clip(outputs, -HUGE, HUGE))
        return odds[:, None]

    def describe(self) -> str:
        return "the log odds of d0 against d1 learned by trees"


def learn_trees(x: Floats, y: Floats, limit: int = 20_000) -> TreeScore:
    """Fit scikit-learn's histogram gradient boosting, with its own settings and a fixed seed.

    Raises:
        InvalidArgument: scikit-learn is not installed.
    """
    try:
        ensemble = import_module("sklearn.ensemble")
    except ImportError:
        advice = "pip install 'dpverify[trees]'"
        raise InvalidArgument("trees", True, "False where scikit-learn is not installed", advice) from None
    x, y = x[-limit:], y[-limit:]
    outputs = np.clip(np.concatenate([x, y]), -HUGE, HUGE)
    model = ensemble.HistGradientBoostingClassifier(random_state=0)
    with one_openmp_thread():
        return TreeScore(model.fit(outputs, np.repeat([1, 0], [len(x), len(y)])))


def _scaled(values: Floats, centre: Floats, scale: Floats) -> Floats:
    """Standardised and clipped to eight units; NaN stays."""
    scaled: Floats = np.clip((np.clip(values, -HUGE, HUGE) - centre) / scale, -8.0, 8.0)
    return scaled


def _features(pooled: Floats) -> Features:
    rows, width = pooled.shape
    finite = np.where(np.isfinite(pooled), np.clip(pooled, -HUGE, HUGE), np.nan)
    blank = np.isnan(finite).all(axis=0)
    finite[:, blank] = 0.0
    centre = np.nanmedian(finite, axis=0)
    low, high = np.nanquantile(finite, [0.16, 0.84], axis=0)
    spread = np.nanstd(finite, axis=0)
    scale = np.maximum(np.where(high > low, 0.5 * (high - low), np.where(spread > 0, spread, 1.0)), 1e-100)
    # one feature for every 16 rows, at most FEATURES; knots where that leaves room for them
    room = min(FEATURES, rows // 16) // max(width, 1)
    number = min(8, room - 2)
    levels: list[Floats | None] = []
    knots: list[Floats | None] = []
    for j in range(width):
        distinct = np.unique(finite[~np.isnan(finite[:, j]), j])
        category = len(distinct) <= LEVELS and rows >= 4 * len(distinct)
        levels.append(distinct if category else None)
        z = _scaled(finite[:, j], centre[j], scale[j])
        knots.append(
            np.unique(np.nanquantile(z, np.linspace(0.02, 0.98, number))) if number >= 2 and not category else None
        )
    sizes = [0 if v is None else len(v) for v in levels]
    numeric = sum(1 + (0 if k is None else len(k)) for k, v in zip(knots, levels, strict=True) if v is None)
    crossed, used = [], 2 * width + sum(sizes) + numeric
    for j in np.argsort(sizes, kind="stable"):
        if sizes[j] >= 2 and numeric and used + sizes[j] * numeric <= min(FEATURES, rows // 8):
            crossed.append(int(j))
            used += sizes[j] * numeric
    numbers = [j for j, found in enumerate(levels) if found is None]
    products = tuple(itertools.combinations(numbers, 2))
    if used + len(products) > min(FEATURES, rows // 16):
        products = ()
    return Features(centre, scale, tuple(levels), tuple(knots), tuple(crossed), products, rows >= 32 * width)

"""Noise rounded to the grid is no less private than the continuous noise it comes from.

Take the mass of the law on each cell [(k - 1/2) g, (k + 1/2) g). For data on the grid
``x + round(z) = round(x + z)``: the integer mechanism post-processes the continuous one, so its divergence at every
epsilon and every shift of t steps is at most that of the continuous law at shift t g; in any dimension. Unit: masses
are probabilities, g that of the data.

Source: derived here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Choice, Integer, Real
from dpverify.spec.core.lemma import Lemma, Source
from dpverify.spec.core.oracle import context
from dpverify.spec.noise._gaussian import divergence
from dpverify.spec.noise._truncated_laplace import HYPOTHESES, exact_bound, integral, mass


def cell_masses(left_cdf: Callable[[Any], Any], grid: Any, steps: int) -> list[Any]:
    """Masses of the cells -steps, ..., steps of a symmetric law.

    Args:
        left_cdf: P[z <= x] for x <= 0, in any number type; only the left tail is used, so nothing cancels there.
        grid: spacing, of the same number type.
        steps: the outermost cell; what lies beyond it is left out (the caller charges it).

    Each mass is one difference of two values of ``left_cdf`` and as exact as that.
    """
    edges = [left_cdf(-(2 * k + 1) * grid / 2) for k in range(steps, -1, -1)]
    left = [high - low for low, high in itertools.pairwise(edges)]
    return [*left, 1 - 2 * edges[-1], *left[::-1]]


def oracle(law: str, ctx: Any, low: Any, high: Any, parameters: tuple[float, float, float]) -> Any:
    """Mass of [low, high], low >= 0 or symmetric, by quadrature of the density."""
    if low < 0:
        return 2 * oracle(law, ctx, ctx.mpf(0), high, parameters)
    if law == "gaussian":
        return ctx.quad(lambda z: ctx.npdf(z), [low, high], method="gauss-legendre")
    bound, rate = exact_bound(ctx, *parameters), ctx.mpf(parameters[1]) / ctx.mpf(parameters[0])
    return integral(ctx, 0, rate, min(low, bound), min(high, bound)) / mass(ctx, *parameters)


def conclude(*, law: str, cells: int, epsilon: float, delta: float) -> list[Comparison]:
    ctx, parameters = context(40), (1.0, epsilon, delta)
    grid = ctx.mpf(1) / cells  # the sensitivity is 1, hence ``cells`` steps; the Gaussian's sigma is 1
    bound = exact_bound(ctx, *parameters)
    tail = (lambda x: ctx.ncdf(x)) if law == "gaussian" else (lambda x: _tail(ctx, x, bound, *parameters))
    steps = 12 * cells if law == "gaussian" else int(bound / grid) + 1
    made = cell_masses(tail, grid, steps)
    looked_at = sorted({*range(min(8, steps + 1)), steps // 2, steps - 1, steps})
    exact = [oracle(law, ctx, (2 * k - 1) * grid / 2, (2 * k + 1) * grid / 2, parameters) for k in looked_at]
    level, zero = ctx.exp(ctx.mpf(epsilon)), [ctx.mpf(0)] * cells
    moved = zip([*made, *zero], [*zero, *made], strict=True)
    rounded = ctx.fsum(max(ctx.mpf(0), p - level * q) for p, q in moved)
    beyond = 1 - ctx.fsum(made)
    limit = divergence(ctx, epsilon, 1) if law == "gaussian" else ctx.mpf(delta)
    tie = ctx.mpf(10) ** -30
    return [
        equal([made[steps + k] for k in looked_at], exact, slack=tie, unit="probability", label="cells"),
        equal(made, made[::-1], slack=0, unit="probability", label="symmetric"),
        at_most(rounded, limit + level * beyond + level * tie, unit="probability", label="no less private"),
    ]


def _tail(ctx: Any, x: Any, bound: Any, sensitivity: float, epsilon: float, delta: float) -> Any:
    """P[z <= x] of the truncated Laplace law for x <= 0: (e^(rate (x + B)) - 1) e^(-L) / (2 (1 - e^-L))."""
    rate = ctx.mpf(epsilon) / ctx.mpf(sensitivity)
    return ctx.mpf(0) if x <= -bound else (ctx.exp(rate * x) - ctx.exp(-rate * bound)) / 2 / -ctx.expm1(-rate * bound)


LEMMA = Lemma(
    module=__name__,
    statement="Rounding noise to the grid on which the data lie never makes it less private.",
    claim="H_eps(round(z) || round(z) + t) <= H_eps(z || z + t g) for integer t",
    source=Source("derived here", "", ""),
    domain={
        "law": Choice(("truncated_laplace", "gaussian")),
        "cells": Integer(1, 8),
        "epsilon": Real(0.05, 20.0, log=True),
        "delta": Real(1e-9, 0.5, log=True),
    },
    formula=cell_masses,
    oracle=oracle,
    conclude=conclude,
    hypotheses=HYPOTHESES,
    theorems=("DP.dp_post",),
)

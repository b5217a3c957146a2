"""The largest noise of a functional release over all queries at once.

Let ``G(q) = <psi(q), N>``, N standard normal in R^r, |psi| <= 1 and psi l-Lipschitz on a ball or a cube. Then
P[sup |G| > t] <= p for t the quantile of the chi law with r degrees (attained: the whole sphere), and, whatever r, for
``t = z(p / M) + l w``, z the two-sided normal quantile, where M parts cover the domain: balls of radius e, M = (1 +
2R/e)^d and w = e E chi_d, or cells of side h, M = (a/h)^d and w = (h/2) d sqrt(2/pi). One query is M = 1, w = 0. The
smaller counts, over all e or h. Proof idea: Cauchy-Schwarz; on each part E sup G <= l E sup_{x in part} <x, g> = l w
(Sudakov, Fernique), the median of a convex function of N is at most its mean (Kwapien), and P[sup > median + z] <=
Phi(-z) (Borell; Sudakov, Tsirelson). Without unit.

Source: derived here from the theorems named. The net argument with |psi(q) - psi(q')| |N| between the points of a net
gives more (tests/oracle/test_lemmas_features.py), and nothing for infinite r.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special

from dpverify.spec.adaptive._arcs import CTX, one_arc, two_arcs
from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.hypotheses import at_least, one_of
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source

QUADRATURE = 2.0**-40  # relative
SHAPES = ("ball", "box", "positive_box")
FINENESS = np.unique(np.round(2.0 ** (np.arange(97) / 4.0)))  # R/e, or cells per axis
LOOSENESS = 1.6  # against the exact law on an arc; about 1 + 0.4 / z in the limit of a short arc


def supremum(
    lipschitz: float, shape: str, radius: float, dimension: int, features: int | None, failure_probability: float
) -> float:
    """t with P[sup over all queries of |G| > t] <= failure_probability; about a relative 2^-40 above the formula.

    Args:
        lipschitz: of psi; infinity leaves the first bound only. For the exponential kernel, its Taylor sums and its
            landmark features, psi = phi / |phi| and kernel.feature_lipschitz.
        shape, radius: the domain of queries: "ball" of that radius, "box" [-radius, radius]^d, "positive_box".
        features: r; None for a process of any rank (the exact kernel), which leaves the second bound only.
    """
    found = math.inf
    if features is not None:
        found = math.sqrt(2.0 * float(scipy.special.gammainccinv(features / 2.0, failure_probability)))
    if lipschitz < math.inf:
        log_parts, widths = parts(shape, radius, dimension)
        each = math.log(failure_probability / 2.0) - log_parts
        found = min(found, float(np.min(lipschitz * widths - scipy.special.ndtri_exp(each))))
    return found * (1.0 + 2.0**-40)


def parts(shape: str, radius: float, dimension: int) -> tuple[Any, Any]:
    """(log M, w) of every covering tried, two arrays; the first has M = 1, the whole domain.

    Balls of radius e around a maximal set of points more than e apart: those of radius e/2 are disjoint.
    """
    log_parts = dimension * np.log1p(2.0 * FINENESS) if shape == "ball" else dimension * np.log(FINENESS)
    log_parts[0] = 0.0
    half = radius / 2.0 if shape == "positive_box" else radius
    mean = dimension * math.sqrt(2.0 / math.pi)  # of |g|_1, the support function of a cube
    if shape == "ball":  # of |g|_2
        mean = math.exp(math.lgamma((dimension + 1) / 2.0) - math.lgamma(dimension / 2.0)) * math.sqrt(2.0)
    return log_parts, half * mean / FINENESS


def oracle(threshold: float, half_angle: float) -> Any:
    """P[sup |G| > threshold] for G(q) = <(cos q, sin q), N>, |q| <= half_angle, from N in polar coordinates."""
    return one_arc(threshold, half_angle)


def conclude(*, log10_failure: float, half_angle: float, cells: int, turns: float) -> tuple[Comparison, ...]:
    p = 10.0**log10_failure
    exact = supremum(1.0, "ball", math.pi / 2, 1, 2, p)
    length = CTX.sqrt(-2 * CTX.log(CTX.mpf(p)))  # P[|N| > length] = p
    arc = supremum(turns, "ball", half_angle / turns, 1, None, p)
    square = supremum(math.sqrt(0.5), "box", math.pi / 2, 2, None, p)
    log_parts, widths = parts("box", 1.0, 2)
    at = int(np.flatnonzero(np.equal(FINENESS, cells))[0])
    angles = 2.0 * math.pi * (np.arange(4096) + 0.5) / 4096  # E |g| averages |cos| + |sin|; E of the length is apart
    cell = math.sqrt(math.pi / 2) * np.mean(np.abs(np.cos(angles)) + np.abs(np.sin(angles))) / cells
    return (
        equal(exact, length, slack=2.0**-38 * length, label="attained by two features on a circle"),
        at_most(
            [oracle(arc, half_angle), two_arcs(square)], p, slack=QUADRATURE * p, label="an arc, and two half circles"
        ),
        at_most(p, oracle(arc / LOOSENESS, half_angle), slack=QUADRATURE * p, label="an arc, not loose"),
        equal([widths[at], log_parts[at]], [cell, math.log(cells**2)], slack=1e-6, label="cells of a square"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="The noise of a functional release over all queries is below a chi quantile, and below a covering's.",
    claim="P[sup |<psi(q), N>| > min(chi_r(p), z(p/M) + l w)] <= p,  P[|Z| > z(p)] = p",
    source=Source("derived here; Borell; Kwapien; Sudakov, Fernique; Sudakov, Tsirelson", "1974-1994", ""),
    domain={
        "log10_failure": Real(-15.0, -0.5),
        "half_angle": Real(1e-3, math.pi / 2, log=True),
        "cells": Integer(1, 6),
        "turns": Real(1e-3, 1e3, log=True),
    },
    formula=supremum,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(
        *at_least(1, "dimension"),
        *one_of("shape", SHAPES),
        Hypothesis("0 < failure_probability < 1", ("failure_probability",), lambda p: 0 < p["failure_probability"] < 1),
    ),
    unproved="needs the Gaussian or chi-square law (improper integrals), which the proof libraries do not have",
    trusts=("scipy.special.ndtri_exp and gammainccinv", "psi has norm at most one and the Lipschitz constant given"),
)

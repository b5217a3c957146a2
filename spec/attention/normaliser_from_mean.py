"""The normaliser of attention is at least what it would be if every key were the mean key.

For n keys with mean m, ``sum_i exp(s <q, k_i>) >= n exp(s <q, m>)``, and over a ball or cube of queries ``<q, m> >= -R
|m|_*``: the dual norm, Euclidean for a ball of radius R, the absolute sum for the cube [-R, R]^d. So a noisy sum of the
keys, which polynomial features release anyhow, bounds every normaliser from below: far above the public ``n exp(-s R
R_k)`` unless all keys lie on one side. Attained by equal keys. Proof idea: Jensen; Hoelder. Unit of the weights.

Source: derived here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.spec.attention._ratio import CTX
from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Choice, Integer, Real
from dpverify.spec.core.hypotheses import at_least, one_of, positive
from dpverify.spec.core.lemma import Lemma, Source

SHAPES = ("ball", "box")
FLOATS = 2.0**-40  # relative: what the evaluation may lose, exponents up to 700


def least(rows: int, scale: float, radius: float, mean_size: float) -> float:
    """Lower bound on the normaliser of every query, rounded down.

    Args:
        rows: n; scale: s of the logits; radius: R of the queries' ball or cube.
        mean_size: at least the mean key's ``dual_size``.
    """
    return rows * math.exp(-scale * radius * mean_size) * (1.0 - FLOATS)


def dual_size(vector: npt.NDArray[np.float64], shape: str) -> float:
    """max <q, vector> over the unit ball or the cube [-1, 1]^d, up to a relative d 2^-52."""
    return float(np.linalg.norm(vector) if shape == "ball" else np.abs(vector).sum())


def oracle(keys: list[list[float]], query: list[Any], scale: float) -> Any:
    """sum_i exp(s <q, k_i>) by definition, at 60 digits."""
    return CTX.fsum(CTX.exp(CTX.mpf(scale) * CTX.fdot(query, key)) for key in keys)


def conclude(
    *, shape: str, dimension: int, scale: float, radius: float, centre: float, spread: float, seed: int
) -> tuple[Comparison, ...]:
    rng = np.random.default_rng(seed)
    keys = centre * rng.normal(size=dimension) + spread * rng.normal(size=(6, dimension))
    mean = [CTX.fsum(column) / 6 for column in zip(*keys.tolist(), strict=True)]
    size = CTX.norm(mean, 2 if shape == "ball" else 1)
    opposite = [-radius * (x / size if shape == "ball" else CTX.sign(x)) for x in mean]  # where the mean weighs least
    inside = rng.normal(size=(8, dimension))
    lengths = np.linalg.norm(inside, axis=1) if shape == "ball" else np.abs(inside).max(axis=1)
    others = (radius * inside / (lengths * (1 + 2.0**-50))[:, None]).tolist()
    claimed = least(6, scale, radius, float(size))
    same = [[float(x) for x in mean]] * 6
    attained = oracle(same, opposite, scale)
    return (
        at_most(claimed, [oracle(keys.tolist(), q, scale) for q in (opposite, *others)], label="every query"),
        equal(claimed, attained, slack=2 * FLOATS * attained, label="attained by equal keys"),
        equal(dual_size(np.array(same[0]), shape), size, slack=dimension * 2.0**-51 * size, label="the dual norm"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="No query's normaliser is below the one it would have if every key were the mean key.",
    claim="sum_i exp(s <q, k_i>) >= n exp(-s R |mean|_*)  for |q| <= R",
    source=Source("derived here; Jensen's inequality", "", ""),
    domain={
        "shape": Choice(SHAPES),
        "dimension": Integer(1, 12),
        "scale": Real(0.05, 5.0, log=True),
        "radius": Real(0.1, 3.0, log=True),
        "centre": Real(0.0, 1.0),
        "spread": Real(1e-3, 1.0, log=True),
        "seed": Integer(0, 2**31),
    },
    formula=least,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(
        *at_least(1, "rows"),
        *positive("scale", "radius"),
        *at_least(0, "mean_size"),
        *one_of("shape", SHAPES),
    ),
    theorems=(
        "Normaliser.jensen_exp",
        "Normaliser.normaliser_from_mean_ball",
        "Normaliser.normaliser_from_mean_box",
        "Normaliser.normaliser_from_mean_attained",
    ),
    trusts=("float64 evaluation within the stated slack",),
)

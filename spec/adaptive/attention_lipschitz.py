"""How fast exact attention changes with the query, in l2.

For values of norm at most V the constant is ``scale V w``, w half the largest l2 extent of the keys' domain: w =
R for the ball of radius R, ``R sqrt(d)`` for [-R, R]^d, ``R sqrt(d) / 2`` for [0, R]^d; attained. Proof idea:
the derivative along u is scale times the covariance of v and <k, u> under the weights; a covariance is at most
the product of half ranges, and a shift of all keys changes nothing (centring, the factor 1/2 of the positive
box). Unit of values / unit of queries.

Source: derived here; arXiv 2407.14717v3, adaptive queries, has larger constants.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dpverify.spec.attention._ratio import CTX
from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Choice, Integer, Real
from dpverify.spec.core.hypotheses import one_of
from dpverify.spec.core.lemma import Lemma, Source

RELATIVE_SLACK = 2.0**-50
SHAPES = ("ball", "box", "positive_box")


def lipschitz(scale: float, value_bound: float, key_bound: float, dimension: int, shape: str) -> float:
    """l2 Lipschitz constant in the query; relative error below 2^-50."""
    extent = {"ball": 1.0, "box": math.sqrt(dimension), "positive_box": math.sqrt(dimension) / 2}[shape]
    return scale * value_bound * key_bound * extent


def oracle(scale: float, keys: list[list[Any]], values: list[Any], query: list[Any], direction: list[Any]) -> Any:
    """Derivative of attention at the query along a direction, by a symmetric difference at 60 digits."""

    def attention(t: Any) -> Any:
        moved = [q + t * u for q, u in zip(query, direction, strict=True)]
        weights = [CTX.exp(CTX.mpf(scale) * CTX.fdot(k, moved)) for k in keys]
        return CTX.fdot(weights, values) / CTX.fsum(weights)

    h = CTX.mpf(10) ** -20  # truncation error about h^2
    return abs(attention(h) - attention(-h)) / (2 * h)


def conclude(
    *, scale: float, value_bound: float, key_bound: float, dimension: int, shape: str, seed: int
) -> tuple[Comparison, ...]:
    rng, v = np.random.default_rng(seed), CTX.mpf(value_bound)
    claimed = lipschitz(scale, value_bound, key_bound, dimension, shape)
    zero, unit = [CTX.mpf(0)] * dimension, [1 / CTX.sqrt(dimension)] * dimension
    reach = CTX.mpf(key_bound) / (CTX.sqrt(dimension) if shape == "ball" else 1)
    lowest = CTX.mpf(0) if shape == "positive_box" else -reach
    attained = oracle(scale, [[lowest] * dimension, [reach] * dimension], [-v, v], zero, unit)
    slopes = []
    for _ in range(6):
        corners = rng.integers(0, 2, (4, dimension)).tolist()  # of the cube, which lies in the ball
        keys = [[reach if bit else lowest for bit in row] for row in corners]
        values = [v if bit else -v for bit in rng.integers(0, 2, 4).tolist()]
        away = [CTX.mpf(x) for x in rng.normal(size=dimension).tolist()]
        length = CTX.sqrt(CTX.fdot(away, away))
        slopes.append(oracle(scale, keys, values, zero, [x / length for x in away]))
    slack = RELATIVE_SLACK * attained
    return (
        at_most(slopes, claimed, slack=slack, label="random instances"),
        equal(attained, claimed, slack=slack, label="attained by two opposite keys"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="Attention is Lipschitz in the query, with a sharp constant for each domain of the keys.",
    claim="|attn(q) - attn(q')| <= scale V w |q - q'|_2,  w = R, R sqrt(d) or R sqrt(d)/2",
    source=Source("derived here; compare arXiv 2407.14717", "v3", "adaptive queries"),
    domain={
        "scale": Real(1e-3, 10.0, log=True),
        "value_bound": Real(1e-2, 1e2, log=True),
        "key_bound": Real(1e-2, 10.0, log=True),
        "dimension": Integer(1, 5),
        "shape": Choice(SHAPES),
        "seed": Integer(0, 2**31),
    },
    formula=lipschitz,
    oracle=oracle,
    conclude=conclude,
    hypotheses=one_of("shape", SHAPES),
    theorems=(
        "Lipschitz.attention_lipschitz",
        "Lipschitz.attention_lipschitz_centred",
    ),
    trusts=("float64 evaluation within the stated slack",),
)

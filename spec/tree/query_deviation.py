"""How far a tree's answer strays: the tail of a sum of m independent bounded noises.

With |z| <= B and variance s^2 per node, ``|answer - truth| > t`` has probability at most p at the t of
noise.bounded_sum_tail (m coefficients 1): never more than m B, and sqrt(2 m B^2 ln(2/p)) by Hoeffding, the
O(log^(3/2) n) of the papers. Unit: that of the noise.

Source: arXiv 2407.14717v3, DPTree, with explicit constants.
"""

from __future__ import annotations

from fractions import Fraction

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Choice, Integer, Real
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.noise._lattice import LAWS, quantile, second_moment, sum_law, tail_beyond, weights_on_lattice
from dpverify.spec.noise.bounded_sum_tail import deviation
from dpverify.spec.tree.interval_decomposition import interval


def query_deviation(nodes: int, bound: float, variance: float, failure_probability: float) -> float:
    """t with P[|answer - truth| > t] <= failure_probability; relative rounding below 2^-49."""
    return deviation(nodes, 1.0, bound, variance, failure_probability, coefficients_sum=nodes) if nodes else 0.0


def oracle(start: int, stop: int, height: int, law: str, half_width: int) -> list[int]:
    """The exact law of the answer's noise on a lattice, by convolution over the nodes of the decomposition."""
    return sum_law(weights_on_lattice(law, half_width), (1,) * len(interval(start, stop, height)))


def conclude(
    *,
    height: int,
    first_fraction: float,
    second_fraction: float,
    law: str,
    half_width: int,
    failure_probability: float,
) -> list[Comparison]:
    start, stop = sorted((round(first_fraction * 2**height), round(second_fraction * 2**height)))
    exact, nodes = oracle(start, stop, height, law, half_width), len(interval(start, stop, height))
    variance = float(second_moment(weights_on_lattice(law, half_width)))
    made = query_deviation(nodes, half_width, variance, failure_probability)
    signs = oracle(1, 2**9 - 1, 9, "rademacher", 1)  # 16 nodes
    return [
        at_most(tail_beyond(exact, made), Fraction(failure_probability), unit="probability", label="tail"),
        equal(
            query_deviation(nodes, half_width, variance, 1e-300), half_width * nodes, slack=0, label="the sure bound"
        ),
        at_most(query_deviation(16, 1.0, 1.0, 1e-3), 1.4 * quantile(signs, 1e-3), label="1.4 times what signs need"),
    ]


LEMMA = Lemma(
    module=__name__,
    statement="An answer from m nodes is within t of the truth but with probability p, and never further than m B.",
    claim="P[|answer - truth| > t] <= p,  t = min(Hoeffding, Bernstein, m B) for m independent noises",
    source=Source("arXiv 2407.14717", "v3", "DPTree, with explicit constants"),
    domain={
        "height": Integer(0, 6),
        "first_fraction": Real(0.0, 1.0),
        "second_fraction": Real(0.0, 1.0),
        "law": Choice(LAWS),
        "half_width": Integer(1, 6),
        "failure_probability": Real(1e-12, 0.5, log=True),
    },
    formula=query_deviation,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(
        Hypothesis("0 <= height", ("height",), lambda p: p["height"] >= 0),
        Hypothesis("0 < failure_probability < 1", ("failure_probability",), lambda p: 0 < p["failure_probability"] < 1),
    ),
    theorems=(
        "Hoeffding.hoeffding_deviation",
        "Hoeffding.bernstein_deviation",
        "Sensitivity.query_noise_bound",
    ),
    trusts=("float64 evaluation: t may fall short of its bound by a relative 2^-49",),
)

"""The variance of a tree's answer: one node's noise variance times the number of nodes added up.

An answer is the sum of m nodes with independent noise of variance s^2 each: variance m s^2, m at most max(1, 2 (h
- 1)) for an interval. Proof idea: variances of independent draws add. Unit: that of the noise, squared.

Source: arXiv 2407.14717v3, DPTree.
"""

from __future__ import annotations

from fractions import Fraction

from dpverify.spec.core.comparison import Comparison, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.noise._lattice import second_moment, sum_law, weights_on_lattice
from dpverify.spec.tree.interval_decomposition import interval

RELATIVE_SLACK = 2.0**-51


def query_variance(nodes: int, noise_variance: float) -> float:
    """Variance of a sum of ``nodes`` node values whose noises are independent; one rounding."""
    return nodes * noise_variance


def oracle(start: int, stop: int, height: int, half_width: int) -> Fraction:
    """Second moment of the exact law of the answer's noise, by convolution over the nodes of the decomposition."""
    law = sum_law(weights_on_lattice("truncated_laplace", half_width), (1,) * len(interval(start, stop, height)))
    return second_moment(law)


def conclude(*, height: int, first_fraction: float, second_fraction: float, half_width: int) -> Comparison:
    start, stop = sorted((round(first_fraction * 2**height), round(second_fraction * 2**height)))
    node = float(second_moment(weights_on_lattice("truncated_laplace", half_width)))
    exact = oracle(start, stop, height, half_width)
    made = query_variance(len(interval(start, stop, height)), node)
    return equal(made, exact, slack=RELATIVE_SLACK * float(exact), unit="unit of the noise, squared")


LEMMA = Lemma(
    module=__name__,
    statement="An answer from m nodes has m times the variance of one node's noise.",
    claim="Var[answer] = m s^2",
    source=Source("arXiv 2407.14717", "v3", "DPTree"),
    domain={
        "height": Integer(0, 6),
        "first_fraction": Real(0.0, 1.0),
        "second_fraction": Real(0.0, 1.0),
        "half_width": Integer(1, 6),
    },
    formula=query_variance,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(Hypothesis("0 <= height", ("height",), lambda p: p["height"] >= 0),),
    theorems=("Hoeffding.sum_variance",),
)

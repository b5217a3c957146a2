"""Accuracy for all points of a net at once.

If each of N points fails with probability at most ``p / N``, some point fails with probability at most p;
attained by disjoint failures. With adaptive.net_extension the bound then holds for every query of the domain,
chosen adaptively or not, because the noise is drawn before the first. Proof idea: the union bound. A
probability.

Source: arXiv 2407.14717v3, adaptive queries.
"""

from __future__ import annotations

from fractions import Fraction

from dpverify.spec.core.comparison import Comparison, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.hypotheses import at_least, positive
from dpverify.spec.core.lemma import Lemma, Source
from dpverify.spec.core.rounding import round_down


def per_point(failure_probability: float, net_size: int) -> float:
    """p / N rounded down: the failure probability to ask of each point, for nets too large for a float too."""
    return round_down(Fraction(failure_probability) / net_size)


def oracle(each: float, net_size: int) -> Fraction:
    """Length of the union of N adjacent failure intervals of length ``each``, swept from the left, exactly."""
    length = Fraction(each)
    covered, end = Fraction(0), Fraction(0)
    for start in (length * j for j in range(net_size)):
        covered += start + length - max(start, end)
        end = start + length
    return covered


def conclude(*, failure_probability: float, net_size: int) -> Comparison:
    union = oracle(per_point(failure_probability, net_size), net_size)
    return equal(union, failure_probability, slack=2.0**-50 * failure_probability, label="disjoint failures")


LEMMA = Lemma(
    module=__name__,
    statement="Asking failure probability p/N of each of N net points makes all of them hold but with probability p.",
    claim="P[some point fails] <= N (p/N) = p",
    source=Source("arXiv 2407.14717", "v3", "adaptive queries"),
    domain={"failure_probability": Real(1e-30, 1.0, log=True), "net_size": Integer(1, 200)},
    formula=per_point,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(
        *positive("failure_probability"),
        *at_least(1, "net_size"),
    ),
    theorems=("HockeyStick.union_bound",),
)

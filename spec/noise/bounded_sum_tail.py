"""How far a weighted sum of bounded, centred, independent noise strays: Hoeffding, Bernstein, and the sure bound.

With |z_j| <= B, E z_j = 0, Var z_j <= v, C = sum c_j^2, c = max |c_j|, l = ln(2/p): ``P[|sum_j c_j z_j| > t] <= p`` at

* Hoeffding: ``t = B sqrt(2 C l)``,
* Bernstein: ``t = c B l/3 + sqrt((c B l/3)^2 + 2 v C l)``,
* surely: ``t = B sum |c_j|``.

Each holds on its own, so the least does. Proof idea: Chernoff, then solve for t. Unit: that of c z.

Source: Boucheron, Lugosi, Massart, Concentration inequalities, 2013, Theorem 2.8 and Corollary 2.11.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Choice, Integer, Real
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source
from dpverify.spec.noise._lattice import LAWS, quantile, second_moment, sum_law, tail_beyond, weights_on_lattice

# between which multiples of the exact quantile t lies, for 32 draws and p = 1e-4: Hoeffding's bound is the least for
# fair signs, Bernstein's for truncated Laplace noise
LOOSENESS = {"rademacher": (1.13, 1.16), "truncated_laplace": (1.70, 1.72)}


def deviation(
    coefficients_squared_sum: float,
    max_coefficient: float,
    bound: float,
    variance: float,
    failure_probability: float,
    coefficients_sum: float | None = None,
) -> float:
    """t with P[|sum c_j z_j| > t] <= failure_probability; relative rounding below 2^-49, never rounded up for it.

    Args:
        coefficients_squared_sum: sum of c_j^2.
        max_coefficient: max |c_j|.
        bound: the largest |z_j|; variance: the largest variance of a z_j (at most bound^2).
        coefficients_sum: sum of |c_j|, if known: it gives the bound that never fails.
    """
    log_term = math.log(2.0) - math.log(failure_probability)
    hoeffding = bound * math.sqrt(2.0 * coefficients_squared_sum * log_term)
    linear = max_coefficient * bound * log_term / 3.0
    bernstein = linear + math.sqrt(linear * linear + 2.0 * variance * coefficients_squared_sum * log_term)
    surely = math.inf if coefficients_sum is None else bound * coefficients_sum
    return min(hoeffding, bernstein, surely)


@lru_cache(maxsize=4)
def oracle(law: str, half_width: int, coefficients: tuple[int, ...]) -> list[int]:
    """The exact law of the sum for noise on a lattice, as integer weights, by convolution."""
    return sum_law(weights_on_lattice(law, half_width), coefficients)


def conclude(*, law: str, draws: int, half_width: int, failure_probability: float) -> list[Comparison]:
    coefficients = tuple((1, -2, 1, 3)[j % 4] for j in range(draws))
    exact = oracle(law, half_width, coefficients)
    spread = float(second_moment(weights_on_lattice(law, half_width)))
    total = sum(map(abs, coefficients))
    p = Fraction(failure_probability)

    def bound(failure: float, surely: float | None = None) -> float:
        squares = sum(c * c for c in coefficients)
        return deviation(squares, max(map(abs, coefficients)), half_width, spread, failure, surely)

    made = [
        at_most(tail_beyond(exact, bound(failure_probability)), p, unit="probability", label="tail"),
        at_most(tail_beyond(exact, bound(failure_probability, total)), p, unit="probability", label="tail, capped"),
        equal(bound(1e-300, total), half_width * total, slack=0, label="the sure bound"),
    ]
    for reference, (low, high) in LOOSENESS.items():  # 32 equal draws
        moment = float(second_moment(weights_on_lattice(reference, 8)))
        least, needed = deviation(32, 1, 8, moment, 1e-4), quantile(oracle(reference, 8, (1,) * 32), 1e-4)
        made.append(at_most(least, high * needed, unit="steps", label=f"at most {high} times what {reference} needs"))
        made.append(at_most(low * needed, least, unit="steps", label=f"at least {low} times what {reference} needs"))
    return made


LEMMA = Lemma(
    module=__name__,
    statement="A weighted sum of bounded centred noise exceeds any of three bounds with probability at most p.",
    claim="t = min(B sqrt(2 C l), c B l/3 + sqrt((c B l/3)^2 + 2 v C l), B sum |c_j|),  l = ln(2/p)",
    source=Source("Boucheron, Lugosi, Massart", "2013", "Theorem 2.8, Corollary 2.11"),
    domain={
        "law": Choice(LAWS),
        "draws": Integer(1, 32),
        "half_width": Integer(1, 8),
        "failure_probability": Real(1e-12, 0.5, log=True),
    },
    formula=deviation,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(
        Hypothesis("0 < failure_probability < 1", ("failure_probability",), lambda p: 0 < p["failure_probability"] < 1),
    ),
    theorems=(
        "Hoeffding.hoeffding_deviation",
        "Hoeffding.bernstein_deviation",
    ),
    trusts=("float64 evaluation: t may fall short of its bound by a relative 2^-49",),
)

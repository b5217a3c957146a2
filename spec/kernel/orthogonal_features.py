"""Positive features with orthogonal directions: unbiased, and about as good as independent ones, or better.

In blocks of at most d, w_j = r_j o_j with o_j orthonormal (uniform) and independent lengths r_j of the chi law with d
degrees; each w_j is N(0, I), so kernel.positive_features' mean and variance of one term stand. Two terms of one block
have ``E[Z_i Z_j] = (E Z)^2 E[c_N]``, N Poisson of mean |z|^2, z = u + t, ``c_n = prod_{i<n} (d + i)/(d + 2i) <= 1``:
their covariance is <= 0, so the variance for one key is at most ``(e^{|z|^2} - 1)/m``. For *any function* of w, such as
a sum over keys, the covariance is between -1/(d-1) and 3/(d^2-1) times the variance (attained), so a sum's variance is
at most ``1 + 3/(d+1)`` times that of independent features, and may be larger. Proof idea: (<o_i, z>, <o_j, z>)/|z| are
two coordinates of one uniform unit vector; averaging over the directions orthogonal to o multiplies harmonics of degree
2l by (-1)^l (1/2)_l / ((d-1)/2)_l (Funk, Hecke). Relative to the squared mean.

Source: derived here; compare Choromanski et al., Rethinking attention with Performers, ICLR 2021, Theorem 2.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.hypotheses import at_least
from dpverify.spec.core.lemma import Lemma, Source
from dpverify.spec.kernel._nystrom import CTX
from dpverify.spec.kernel._orthogonal import harmonic_ratios, pair

RELATIVE_SLACK = 2.0**-44


def pair_moment(dimension: int, norm_squared: float) -> float:
    """E[Z_i Z_j] / (E Z)^2 for two features of one block, norm_squared = |u + t|^2 <= 600; relative error below 2^-46.

    A sum over N of positive terms, taken until what is left is below 2^-60 of it.
    """
    term, total, n = math.exp(-norm_squared), 0.0, 0
    while n < norm_squared or term > 2.0**-62 * total:
        total += term
        term *= norm_squared / (n + 1) * (dimension + n) / (dimension + 2 * n)
        n += 1
    return total + term


def relative_variance(dimension: int, norm_squared: float, features: int) -> float:
    """Variance of <phi(q), phi(k)> / e^<u,t> for blocks of d and a last one of the rest."""
    blocks, rest = divmod(features, dimension)
    pairs = blocks * dimension * (dimension - 1) + rest * (rest - 1)
    one = math.expm1(norm_squared) / features
    return one + pairs * (pair_moment(dimension, norm_squared) - 1.0) / features**2


def inflation(dimension: int) -> float:
    """Factor on the variance of any sum over keys, against independent features: their number counts 1/this."""
    return 1.0 + 3.0 / (dimension + 1.0)


def oracle(dimension: int, norm_squared: float) -> Any:
    """E[e^{<w_i,z> + <w_j,z> - |z|^2}] from the moments of lengths (chi) and of two coordinates of a unit vector."""
    return pair(dimension, norm_squared)


def conclude(*, dimension: int, norm_squared: float, features: int) -> tuple[Comparison, ...]:
    exact, made = oracle(dimension, norm_squared), pair_moment(dimension, norm_squared)
    alone = CTX.expm1(CTX.mpf(norm_squared))
    block = min(features, dimension)
    whole = relative_variance(dimension, norm_squared, block)
    expected = (alone + (block - 1) * (exact - 1)) / block
    d = Fraction(dimension)
    extremes = [[Fraction(0), Fraction(1)], [3 / ((d + 2) * (d + 4)), -6 / (d + 4), Fraction(1)]]  # degrees 2 and 4
    lowest, highest = harmonic_ratios(dimension, extremes)
    mixed = harmonic_ratios(dimension, [[Fraction(0), Fraction(j), Fraction(-3), Fraction(2)] for j in range(4)])
    most = Fraction(inflation(dimension)) - 1
    return (
        equal(made, exact, slack=RELATIVE_SLACK * exact, label="two features"),
        at_most(exact, 1, label="never worse than independent"),
        equal(whole, expected, slack=RELATIVE_SLACK * (1 + alone), label="variance of one block"),
        at_most(relative_variance(dimension, norm_squared, features), alone / features * (1 + RELATIVE_SLACK)),
        equal(lowest, -1 / (d - 1), slack=0, label="degree 2"),
        equal((d - 1) * highest, most, slack=2.0**-50, label="a full block, attained by degree 4"),
        at_most([(d - 1) * x for x in mixed], most, slack=2.0**-50, label="a full block, other functions"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="Orthogonal positive features vary no more than independent ones for one key, and little more for sums.",
    claim="E[Z_i Z_j] = (E Z)^2 E[prod_{n<N} (d+n)/(d+2n)] <= (E Z)^2, N ~ Poisson(|u+t|^2); sums: Cov <= 3Var/(d^2-1)",
    source=Source("derived here; compare Choromanski et al., ICLR", "2021", "Theorem 2"),
    domain={"dimension": Integer(2, 64), "norm_squared": Real(1e-3, 9.0, log=True), "features": Integer(1, 200)},
    formula=pair_moment,
    oracle=oracle,
    conclude=conclude,
    hypotheses=at_least(2, "dimension"),
    unproved="needs uniform laws on spheres and the chi law, which the proof libraries do not have",
    trusts=("orthogonal directions are uniform, lengths independent of them",),
)

"""Polynomial features whose inner product is the Taylor sum of the exponential kernel.

``P(x)_a = x^a sqrt(scale^{|a|} / a!)`` over the multi-indices a with |a| <= s gives
``<P(q), P(k)> = p_s(scale <q, k>)``, ``p_s(x) = sum_{j<=s} x^j / j!``. Proof idea: the multinomial theorem,
``<q, k>^j = sum_{|a|=j} (j!/a!) q^a k^a``. Entries of x and ``1 / sqrt(scale)`` have the same unit.

Source: arXiv 2407.14717v3, polynomial kernel approximation (there with scale = 1/d).
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.spec.core.comparison import Comparison, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.hypotheses import positive
from dpverify.spec.core.lemma import Lemma, Source
from dpverify.spec.core.oracle import at_two_precisions
from dpverify.spec.kernel._polynomial import taylor_sum


def multi_indices(dimension: int, degree: int) -> npt.NDArray[np.int64]:
    """All exponents a with |a| <= degree as rows, shape (r, dimension).

    Order: by total degree |a|, and within one degree (3,0), (2,1), (1,2), (0,3): lexicographically falling.
    """
    rows = []
    for total in range(degree + 1):
        for chosen in itertools.combinations_with_replacement(range(dimension), total):
            rows.append(np.bincount(np.array(chosen, dtype=np.int64), minlength=dimension))
    return np.array(rows, dtype=np.int64).reshape(len(rows), dimension)


def features(x: npt.ArrayLike, degree: int, scale: float) -> npt.NDArray[np.float64]:
    """P(x) for one vector x of shape (d,), in the order of :func:`multi_indices`; shape (r,).

    Relative error of each entry below (3 degree + d) 2^-53, as long as nothing underflows.
    """
    y = np.sqrt(scale) * np.asarray(x, dtype=np.float64)
    powers = np.ones((len(y), degree + 1))  # y_i^j / sqrt(j!), by a recursion that neither over- nor underflows
    for j in range(1, degree + 1):
        powers[:, j] = powers[:, j - 1] * y / np.sqrt(j)
    exponents = multi_indices(len(y), degree)
    return np.asarray(powers[np.arange(len(y)), exponents].prod(axis=1))


def oracle(q: npt.NDArray[np.float64], k: npt.NDArray[np.float64], degree: int, scale: float) -> Any:
    """p_s(scale <q, k>) at high precision, from the vectors as they are."""

    def kernel(ctx: Any) -> Any:
        inner = ctx.fsum(ctx.mpf(a) * ctx.mpf(b) for a, b in zip(q.tolist(), k.tolist(), strict=True))
        return taylor_sum(ctx, degree, ctx.mpf(scale) * inner)

    return at_two_precisions(kernel, digits=60)


def conclude(*, dimension: int, degree: int, scale: float, radius: float, seed: int) -> tuple[Comparison, ...]:
    rng = np.random.default_rng(seed)
    q, k = radius * rng.uniform(-1.0, 1.0, (2, dimension))
    reach = scale * float(np.abs(q) @ np.abs(k))
    size = sum(reach**j / math.factorial(j) for j in range(degree + 1))  # sum of all |P(q)_a P(k)_a|
    found = features(q, degree, scale) @ features(k, degree, scale)
    cube = itertools.product(range(degree + 1), repeat=dimension)
    graded = sorted((a for a in cube if sum(a) <= degree), key=lambda a: (sum(a), [-i for i in a]))
    slack = (8 * degree + 4 * dimension + len(graded)) * 2.0**-53 * size
    return (
        equal(found, oracle(q, k, degree, scale), slack=slack, label="inner product"),
        equal(multi_indices(dimension, degree), np.array(graded), slack=0, label="exponents, in order"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="The polynomial features of degree s have the degree-s Taylor sum of the kernel as inner product.",
    claim="<P(q), P(k)> = p_s(scale <q,k>),  P(x)_a = x^a sqrt(scale^|a| / a!),  |a| <= s",
    source=Source("arXiv 2407.14717", "v3", "polynomial kernel approximation"),
    domain={
        "dimension": Integer(1, 5),
        "degree": Integer(0, 6),
        "scale": Real(1e-3, 10.0, log=True),
        "radius": Real(1e-3, 3.0, log=True),
        "seed": Integer(0, 2**31),
    },
    formula=features,
    oracle=oracle,
    conclude=conclude,
    hypotheses=positive("scale"),
    theorems=("Features.feature_identity",),
    trusts=("float64 evaluation within the stated slack",),
)

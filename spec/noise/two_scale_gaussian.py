"""Fine Gaussian noise as the sum of two coarse draws: how far it is from Gaussian plus uniform noise.

Let X ~ N(0, a^2) be rounded to multiples of G and Y ~ N(0, b^2) to multiples of g, G a multiple of g. Their sum
is within total variation ``sum_{m>=1} exp(-2 pi^2 m^2 s^2 / G^2)``, s = a b / sqrt(a^2 + b^2), of ``X + U + Y``
rounded to multiples of g, with U uniform on a cell of G. The latter is a post-processing of N(0, a^2 + b^2), so
its privacy is that law's. Proof idea: the sum over cells is a Poisson summation of a Gaussian of deviation s. a,
b, G in one unit.

Source: derived here; the idea of drawing wide lattice Gaussians in two scales: Micciancio, Walter, CRYPTO 2017.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr

from dpverify.spec.core.comparison import Comparison, at_most
from dpverify.spec.core.domain import Real
from dpverify.spec.core.errors import OracleUnreliable
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source

ATTAINED = 0.55  # of the bound, at least, where a >= 5 b (2/pi in the limit)
RELATIVE_SLACK = 2.0**-44
QUADRATURE = 1e-4  # absolute; the kinks of the integrand limit the midpoint rule


def aliasing(coarse_sigma: float, fine_sigma: float, cell: float) -> float:
    """Bound on the total variation; relative error below 2^-44 (0 if it underflows)."""
    s = coarse_sigma * fine_sigma / math.hypot(coarse_sigma, fine_sigma) / cell
    return math.fsum(math.exp(-2.0 * (math.pi * m * s) ** 2) for m in range(1, 2 + math.ceil(7.0 / s)))


def oracle(coarse_sigma: float, fine_sigma: float, cell: float) -> float:
    """Half the integral of |density of the sum - density of X + U + Y|; rounding to g only removes.

    Midpoint sums with 128 and with 256 points a cell must agree. The integrand is of size one and its sums have at
    most 10^5 terms, so float64 is far finer than that agreement.
    """
    rough, fine = (_distance(coarse_sigma / cell, fine_sigma / cell, points) for points in (128, 256))
    if not abs(rough - fine) <= QUADRATURE:
        raise OracleUnreliable(f"the integral is {rough} with 128 points a cell and {fine} with 256")
    return fine


def _distance(a: float, b: float, per_cell: int) -> float:
    """The same with cells of size one, by its definition."""
    reach, near = math.ceil(10 * a), math.ceil(10 * b)
    x = (np.arange(-reach * per_cell, reach * per_cell) + 0.5) / per_cell
    k = np.floor(x)[:, None] + np.arange(-near, near + 2)
    mass = ndtr((k + 0.5) / a) - ndtr((k - 0.5) / a)
    density = np.exp(-(((x[:, None] - k) / b) ** 2) / 2) / (b * math.sqrt(2 * math.pi))
    sigma = math.hypot(a, b)
    smooth = ndtr((x + 0.5) / sigma) - ndtr((x - 0.5) / sigma)
    return float(np.abs((mass * density).sum(axis=1) - smooth).sum()) / per_cell / 2


def conclude(*, coarse: float, fine: float, cell: float) -> tuple[Comparison, ...]:
    claimed, exact = aliasing(coarse * cell, fine * cell, cell), oracle(coarse * cell, fine * cell, cell)
    return (
        at_most(exact, claimed, slack=RELATIVE_SLACK * exact, unit="probability"),
        at_most(ATTAINED * claimed, exact, unit="probability", label="attained up to a constant"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="Two rounded Gaussian draws add up to a Gaussian plus a uniform one, up to this total variation.",
    claim="TV <= sum_{m>=1} exp(-2 pi^2 m^2 s^2 / G^2),  s = a b / sqrt(a^2 + b^2)",
    source=Source("derived here", "", ""),
    domain={"coarse": Real(2.0, 3.0), "fine": Real(0.25, 0.4), "cell": Real(1e-3, 1e3, log=True)},
    formula=aliasing,
    oracle=oracle,
    conclude=conclude,
    unproved="needs the Gaussian or chi-square law (improper integrals), which the proof libraries do not have",
    hypotheses=(
        Hypothesis("0 < cell", ("cell",), lambda p: p["cell"] > 0),
        Hypothesis(
            "5 fine <= coarse (for the attained part)", ("coarse", "fine"), lambda p: 5 * p["fine"] <= p["coarse"]
        ),
    ),
    trusts=("float64 evaluation within the stated slack",),
)

"""Features from landmarks never move a release further than the exact kernel does.

For landmarks Z and any matrix A with ``|A K_ZZ A^T|_2 <= 1 + eta``, the map f -> A f(Z) from the kernel's Hilbert
space has squared norm at most 1 + eta. So ``phi(x) = A k(Z, x)`` satisfies ``|phi(x) (x) w - phi(x') (x) w'| <=
sqrt(1 + eta) |k_x (x) w - k_x' (x) w'|``: the exact kernel's sensitivity (attention.functional_sensitivity with
*its* largest and least value) serves, though <phi(x), phi(x')> may be negative where the kernel is not. Features
that are off by ``deviation`` (l2: rounding, clipping to a ball of norm sqrt((1 + eta) max k)) add ``2 deviation
max |w|``. Attained. Proof idea: the adjoint is a -> sum_j (A^T a)_j k_{z_j}. Unit of the release.

Source: derived here; Williams, Seeger, NIPS 2000, for the features.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.hypotheses import at_least
from dpverify.spec.core.lemma import Lemma, Source
from dpverify.spec.core.rounding import round_up, sqrt_up
from dpverify.spec.kernel._nystrom import CTX, contraction, kernel, norm, points_in_cube, whitened

RELATIVE_SLACK = 2.0**-48


def rounded(sensitivity_exact: float, eta: float, deviation: float, row_norm: float) -> float:
    """sqrt(1 + eta) sensitivity + 2 deviation row_norm, rounded up; relative error below 2^-50, never below.

    Args:
        sensitivity_exact: l2 sensitivity with the exact kernel in place of the features.
        eta: excess of ``|A K_ZZ A^T|_2`` over 1 (kernel.nystrom_norm gives it for floats); may be negative.
        deviation: l2 bound on every row's features minus A k(Z, x).
        row_norm: bound on |[v, c]|_2.
    """
    stretch = Fraction(sqrt_up(1 + Fraction(eta)))
    return round_up(stretch * Fraction(sensitivity_exact) + 2 * Fraction(deviation) * Fraction(row_norm))


def evaluation_error(factor: npt.NDArray[np.float64], kernel_max: float, relative_error: float) -> float:
    """A ``deviation``: how far the float product of A, shape (r, m), with float k(Z, x) is from A k(Z, x), in l2.

    Args:
        kernel_max: bound on every k(z, x); relative_error: of each float kernel value.
    """
    columns = factor.shape[1]
    size = float(np.linalg.norm(np.abs(factor).sum(axis=1))) * (1.0 + 2.0**-30)
    return float(size * kernel_max * (1.01 * relative_error + (columns + 4) * 2.0**-52))


def oracle(scale: float, points: list[Any], eta: float, deviation: float, row: list[Any]) -> tuple[Any, Any]:
    """(change of the exact kernel's release, change of the features') for landmarks and rows x = z_1, x' = z_2.

    A = sqrt(1 + eta) L^-1; the features are moved apart by ``deviation`` each; both rows have the same w.
    """
    phi, other = (CTX.sqrt(1 + CTX.mpf(eta)) * whitened(scale, points, points[i]) for i in (0, 1))
    apart = (phi - other) / norm(phi - other)
    moved = (phi + deviation * apart) - (other - deviation * apart)
    exact = kernel(scale, points[0], points[0]) + kernel(scale, points[1], points[1])
    exact -= 2 * kernel(scale, points[0], points[1])
    return CTX.sqrt(exact) * norm(row), norm(a * w for a in moved for w in row)


def conclude(
    *, landmarks: int, dimension: int, scale: float, eta: float, deviation: float, seed: int
) -> tuple[Comparison, ...]:
    rng = np.random.default_rng(seed)
    z, x = points_in_cube(landmarks, dimension, rng), points_in_cube(2, dimension, rng)
    w = [[CTX.mpf(t) for t in row] for row in rng.normal(size=(2, 3)).tolist()]
    exact, moved = oracle(scale, z, eta, deviation, w[0])
    claimed = rounded(float(exact), eta, deviation, float(norm(w[0])))
    b = contraction(2, landmarks, 1 + CTX.mpf(eta), rng)  # any A, any rows: never above
    phi = [b * whitened(scale, z, point) for point in x]
    entries = [phi[0][a] * w[0][j] - phi[1][a] * w[1][j] for a in range(2) for j in range(3)]
    grams = [[kernel(scale, x[i], x[j]) * CTX.fdot(w[i], w[j]) for j in range(2)] for i in range(2)]
    whole = CTX.sqrt(grams[0][0] + grams[1][1] - 2 * grams[0][1])
    longest = max(norm(row) for row in w)
    never = rounded(float(whole), eta, deviation, float(longest))
    return (
        equal(claimed, moved, slack=RELATIVE_SLACK * moved, label="attained at landmarks"),
        at_most(norm(entries) + 2 * deviation * longest, never, slack=RELATIVE_SLACK * whole, label="any A, any rows"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="Landmark features with |A K A^T| <= 1 + eta have at most sqrt(1 + eta) the exact kernel's sensitivity.",
    claim="|phi(x) (x) w - phi(x') (x) w'| <= sqrt(1 + eta) |k_x (x) w - k_x' (x) w'| + 2 deviation max |w|",
    source=Source("derived here; features: Williams, Seeger, NIPS", "2000", ""),
    domain={
        "landmarks": Integer(2, 4),
        "dimension": Integer(1, 3),
        "scale": Real(0.1, 4.0, log=True),
        "eta": Real(0.0, 0.5),
        "deviation": Real(1e-9, 1.0, log=True),
        "seed": Integer(0, 2**31),
    },
    formula=rounded,
    oracle=oracle,
    conclude=conclude,
    hypotheses=at_least(-1, "eta"),
    theorems=("Nystrom.contraction", "Nystrom.contraction_sensitivity"),
    trusts=("the kernel is positive definite", "float evaluation within evaluation_error"),
)

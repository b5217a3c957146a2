"""Cholesky factor of the kernel between the queries asked so far, and its inverse, one batch of queries at a time.

Row t of the inverse G turns kernel values at the queries 1..t into the coefficient of the part of query t that the
earlier ones do not span. Earlier rows never change, so each coefficient is released once (Newton basis: Mueller and
Schaback, A Newton basis for kernel spaces, 2009). No pivoting is needed: every pivot is at least the jitter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.linalg

from dpverify.cross_attention.lazy_kernel import INVERSE_ERROR, LazyKernel
from dpverify.spec import contract
from dpverify.spec.attention import lazy_covariance, lazy_jitter

Array = npt.NDArray[np.float64]
Objects = npt.NDArray[np.object_]
INVERSE_BITS = 60  # the inverse's entries are multiples of 2^-60


@dataclass(frozen=True, eq=False)
class NewtonBasis:
    """Public: it depends on the queries alone.

    Attributes:
        points: shape (t, d), no two equal.
        factor: L, lower triangular, L L^T = K + jitter within what the lemma covers.
        inverse: G, lower triangular, multiples of 2^-60, with G L near the identity.
    """

    kernel: LazyKernel
    points: Array
    factor: Array
    inverse: Array

    @classmethod
    def empty(cls, kernel: LazyKernel) -> NewtonBasis:
        nothing = np.zeros((0, 0))
        return cls(kernel, np.zeros((0, kernel.parameters.dimension)), nothing, nothing)

    @contract(relies_on=[lazy_covariance.LEMMA, lazy_jitter.LEMMA])
    def extended(self, points: Array) -> NewtonBasis:
        """The basis after ``points``, shape (m, d), too: in time O(t^2 m + t m^2).

        Raises:
            ArithmeticError: factor or inverse are further off than the privacy argument allows.
        """
        kernel, t, m = self.kernel, len(self.points), len(points)
        cross, own = kernel.gram(points, self.points), kernel.gram(points, points)
        own[np.diag_indices(m)] = 1.0 + kernel.jitter
        earlier: Array = np.zeros((m, 0))
        if t:
            earlier = scipy.linalg.solve_triangular(self.factor, cross.T, lower=True, check_finite=False).T
        pivots = np.linalg.cholesky(own - earlier @ earlier.T)
        right = np.concatenate([-(earlier @ self.inverse), np.eye(m)], axis=1)
        rows = scipy.linalg.solve_triangular(pivots, right, lower=True, check_finite=False)
        inverse = _grown(self.inverse, np.ldexp(np.trunc(np.ldexp(rows, INVERSE_BITS)), -INVERSE_BITS))
        factor = _grown(self.factor, np.concatenate([earlier, pivots], axis=1))
        unit = np.eye(t + m)[t:]
        off = _product_error(factor[t:], factor.T, np.concatenate([cross, own], axis=1))
        if not off.max() <= (kernel.max_queries + 4) * 2.0**-51:
            raise ArithmeticError(f"the Cholesky factor of {t + m} queries is off by {off.max():.3g}: report this")
        off = np.linalg.norm(_product_error(inverse[t:], factor, unit), axis=1)
        if not off.max() <= INVERSE_ERROR / np.sqrt(kernel.max_queries):
            raise ArithmeticError(f"the inverse factor of {t + m} queries is off by {off.max():.3g}: report this")
        return NewtonBasis(kernel, np.concatenate([self.points, points]), factor, inverse)

    def inverse_integers(self, first: int) -> Objects:
        """Rows of the inverse from ``first`` on, as Python integers in units of 2^-60."""
        return np.asarray(_TO_INTEGER(np.ldexp(self.inverse[first:], INVERSE_BITS)))


_TO_INTEGER = np.frompyfunc(int, 1, 1)


def _grown(old: Array, rows: Array) -> Array:
    """A lower triangular matrix with further rows below, and room for them on the right."""
    out = np.zeros((len(old) + len(rows), rows.shape[1]))
    out[: len(old), : len(old)] = old
    out[len(old) :] = rows
    return out


def _product_error(left: Array, right: Array, target: Array) -> Array:
    """Bound on |left right - target| entry by entry, the rounding of this very product included."""
    size = np.abs(left) @ np.abs(right)
    return np.asarray(np.abs(left @ right - target) + (left.shape[1] + 2) * 2.0**-53 * (size + np.abs(target)))

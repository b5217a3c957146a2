"""Convolution powers of mass functions by FFT, with an l2 bound of the floating-point error.

*The bound.* For y = F x of length N = 2^t computed by a Cooley-Tukey FFT in arithmetic of unit roundoff u with
twiddle factors of error <= u, ``|fl(y) - y|_2 <= t eta / (1 - t eta) |y|_2``, ``eta = u + gamma_4 (sqrt 2 + u)``
(Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., Theorem 24.2). scipy.fft uses radix 4 and 2 on
powers of two, which rounds no more often than radix 2; we charge twice the bound. That scipy's FFT meets it is
trusted, and tested against long doubles.

*The product.* Write X_i = F x_i for the given arrays (sum of masses about 1, so ``|X_i| <= c_i``), Y_i for the
computed ones, ``|Y_i - X_i|_2 <= sqrt(N) e_i``. Replacing one factor at a time,
``|prod Y_i^k_i - prod X_i^k_i|_2 <= prod c_i^k_i * sum k_i sqrt(N) e_i`` with c_i bounding both X_i and Y_i. A
product of K complex numbers computed in any order is within ``(1 + sqrt(5) u)^K - 1`` relative (Brent, Percival,
Zimmermann, Math. Comp. 76, 2007). The inverse transform divides l2 norms by sqrt(N) and adds its own Higham term.
Where an x_i is itself the result of such a convolution, its own l2 error is added to e_i.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import scipy.fft

from dpverify.accounting.loss import Floats

_U = 2.0**-53
_FEW = 8  # up to here every part gets a transform of full length
_BUNDLE = 2**13
_Inexact = tuple[Floats, int, float]  # masses, count, bound of the l2 norm of the masses' error
_UNDERFLOW = 2.0**-500  # more than all denormals that were flushed on the way can add up to


def transform_error(size: int) -> float:
    """Relative l2 error charged to one FFT of length ``size`` (a power of two)."""
    gamma = 4.0 * _U / (1.0 - 4.0 * _U)
    eta = 2.0 * (_U + gamma * (math.sqrt(2.0) + _U))
    levels = max(1, size.bit_length() - 1)
    return levels * eta / (1.0 - levels * eta)


def convolve_powers(parts: Sequence[tuple[Floats, int]], size: int) -> tuple[Floats, float]:
    """The circular convolution of all parts, each taken ``count`` times.

    Args:
        parts: (masses of shape (n,), summing to about 1; count >= 1).
        size: length of the result, a power of two; longer arrays wrap around.

    Returns:
        masses of shape (size,), not negative, and a bound of the l2 norm of their error.
    """
    exact = [(masses, count, 0.0) for masses, count in parts]
    return _convolve(exact if len(exact) <= _FEW else _bundled(exact, size), size)


def _bundled(parts: list[_Inexact], size: int) -> list[_Inexact]:
    """Many narrow parts become few wide ones, by short transforms that do not wrap around."""
    bundle_size = min(size, _BUNDLE)
    bundles: list[_Inexact] = []
    waiting: list[_Inexact] = []
    span = 0
    for part in [*parts, None]:
        width = bundle_size if part is None else part[1] * (len(part[0]) - 1)
        if waiting and span + width >= bundle_size:
            masses, error = _convolve(waiting, bundle_size)
            bundles.append((masses[: span + 1], 1, error))
            waiting, span = [], 0
        if part is not None:
            if width >= bundle_size:
                bundles.append(part)
            else:
                waiting.append(part)
                span += width
    return bundles


def _convolve(parts: list[_Inexact], size: int) -> tuple[Floats, float]:
    one = transform_error(size)
    product = np.ones(size // 2 + 1, dtype=np.complex128)
    total_error = 0.0
    growth = 1.0
    count_all = 0
    for masses, count, given_error in parts:
        folded = _fold(masses, size)
        spectrum = np.asarray(scipy.fft.rfft(folded))
        # |F x| is at most the sum of |x|, and the true x is within given_error * sqrt(n) of this one in l1
        true_bound = float(masses.sum()) + given_error * math.sqrt(len(masses))
        growth *= max(1.0, max(true_bound, float(np.abs(spectrum).max())) * (1.0 + 2.0**-30)) ** count
        # folding m arrays onto each other multiplies an l2 error by at most sqrt(m)
        given_error *= math.sqrt(-(-len(masses) // size))
        total_error += count * (one * float(np.linalg.norm(folded)) + given_error)
        product *= _power(spectrum, count)
        count_all += count
    rounding = math.expm1(1.01 * math.sqrt(5.0) * _U * count_all)
    norm = math.sqrt(2.0 / size) * float(np.linalg.norm(product))
    result = np.asarray(scipy.fft.irfft(product, n=size))
    error = growth * total_error + (rounding * 1.01 + one) * norm + _UNDERFLOW
    # the true masses are not negative, so clipping moves every entry towards the truth
    return np.maximum(result, 0.0), error * (1.0 + 2.0**-20)


def _fold(masses: Floats, size: int) -> Floats:
    padded = np.zeros(-(-len(masses) // size) * size)
    padded[: len(masses)] = masses
    folded: Floats = padded.reshape(-1, size).sum(axis=0)
    return folded


def _power(base: npt.NDArray[np.complex128], count: int) -> npt.NDArray[np.complex128]:
    """``base ** count`` for count >= 1, by squaring, so that only multiplications round."""
    if count == 1:
        return base
    half = _power(base, count // 2)
    return half * half * base if count % 2 else half * half

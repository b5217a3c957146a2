"""Columns of the floating-point representation: what real-number proofs do not see.

Noise drawn and added in float arithmetic leaves traces in the low bits: 0 + z keeps bits of a small z that 1 + z
loses (Mironov, CCS 2012). For each coordinate: the exponent of the lowest set bit, the last six bits, the last bit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
NAMES = ("exponent of the lowest set bit", "last six bits", "last bit")


def bit_columns(outputs: Floats) -> Floats:
    """Shape (rows, 3 * columns), in the order of ``NAMES`` for each coordinate; NaN and infinities give NaN."""
    mantissa, exponent = np.frexp(np.ascontiguousarray(outputs))
    finite = np.isfinite(outputs)
    integer = np.where(finite, np.ldexp(np.where(finite, mantissa, 0.5), 53), 1.0).astype(np.int64)
    lowest = integer & -integer
    trailing = np.log2(np.where(lowest == 0, 1, lowest).astype(np.float64))
    bits = outputs.view(np.uint64) if outputs.flags.c_contiguous else np.ascontiguousarray(outputs).view(np.uint64)
    columns = [
        np.where(integer == 0, -1200.0, exponent - 53 + trailing),
        (bits & np.uint64(63)).astype(np.float64),
        (bits & np.uint64(1)).astype(np.float64),
    ]
    stacked = np.stack([np.where(finite, column, np.nan) for column in columns], axis=2)
    return stacked.reshape(len(outputs), -1)

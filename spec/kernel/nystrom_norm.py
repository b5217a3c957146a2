"""How large |A K A^T|_2 can be for a float matrix A and a kernel matrix K known up to rounding.

``|A K A^T|_2 <= lambda_max(float product) + |E|_F`` for every K within a relative e of the float one, E = (e + (m
+ 2) 2^-52) |A| |K| |A|^T entry by entry; kernel.nystrom_contraction takes the excess over 1 as its eta. Proof idea:
standard error analysis of matrix products; |.|_2 <= |.|_F. Without unit.

Source: Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, section 3.5.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.spec.core.comparison import Comparison, at_most, equal
from dpverify.spec.core.domain import Integer, Real
from dpverify.spec.core.hypotheses import at_least, positive
from dpverify.spec.core.lemma import Lemma, Source
from dpverify.spec.kernel._nystrom import CTX

Array = npt.NDArray[np.float64]
EIGENVALUE = 2.0**-49  # times the size of the matrix: LAPACK's symmetric eigenvalues


def norm_squared(factor: Array, gram: Array, relative_error: float) -> float:
    """Upper bound on |A K A^T|_2, at least 0, for A of shape (r, m) and every K within the error of ``gram``.

    Above the exact value by at most 2.1 |E|_F and 2^-48 r of it; eta of kernel.nystrom_contraction is this minus 1.
    """
    product = factor @ gram @ factor.T
    top = float(np.linalg.eigvalsh((product + product.T) / 2.0)[-1])
    size = np.abs(factor) @ np.abs(gram) @ np.abs(factor).T
    error = (1.01 * relative_error + (factor.shape[1] + 2) * 2.0**-52) * float(np.linalg.norm(size))
    return float((max(0.0, top) + error) * (1.0 + EIGENVALUE * len(factor)))


def kernel_error(scale: float, dimension: int, reach: float) -> float:
    """Relative error of exp(scale <x, y>) in floats where sum_i |x_i y_i| <= reach (|x|_2 |y|_2 is enough)."""
    return 1.01 * (dimension + 2) * 2.0**-53 * scale * reach + 2.0**-51


def oracle(factor: Array, gram: Array) -> Any:
    """|A K A^T|_2 of these very floats, by eigenvalues at 60 digits."""
    a, k = CTX.matrix(factor.tolist()), CTX.matrix(gram.tolist())
    product = a * k * a.T
    return max(abs(x) for x in CTX.eigsy((product + product.T) / 2, eigvals_only=True))


def conclude(
    *, landmarks: int, rows: int, scale: float, ridge: float, relative_error: float, seed: int
) -> tuple[Comparison, ...]:
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1.0, 1.0, (landmarks, 3))
    gram = np.exp(scale * points @ points.T)
    values, vectors = np.linalg.eigh(gram)
    factor = (vectors / np.sqrt(np.abs(values) + ridge * values[-1])).T[-rows:]
    signs = rng.choice([-1.0, 1.0], (landmarks, landmarks))
    shifted = gram * (1.0 + relative_error * np.triu(signs, 1) + relative_error * np.triu(signs, 1).T)
    here, moved = oracle(factor, gram), oracle(factor, shifted)
    claimed = norm_squared(factor, gram, relative_error)
    error = (relative_error + (landmarks + 2) * 2.0**-52) * np.linalg.norm(np.abs(factor) @ gram @ np.abs(factor).T)
    return (
        at_most([here, moved], claimed, label="never above"),
        equal(claimed, here, slack=2.2 * float(error) + here * rows * 2.0**-47, label="close"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="The spectral norm of A K A^T is at most the float product's plus a bound on all rounding.",
    claim="|A K A^T|_2 <= lambda_max(fl(A K A^T)) + (e + (m + 2) 2^-52) | |A| |K| |A|^T |_F",
    source=Source("Higham, Accuracy and Stability", "2nd edition", "section 3.5"),
    domain={
        "landmarks": Integer(1, 6),
        "rows": Integer(1, 6),
        "scale": Real(0.1, 4.0, log=True),
        "ridge": Real(1e-6, 0.1, log=True),
        "relative_error": Real(1e-15, 1e-9, log=True),
        "seed": Integer(0, 2**31),
    },
    formula=norm_squared,
    oracle=oracle,
    conclude=conclude,
    unproved="floating-point arithmetic is not modelled in the proofs",
    hypotheses=(*positive("ridge"), *at_least(0, "relative_error")),
    trusts=("LAPACK's symmetric eigenvalues within 2^-49 r of the largest",),
)

"""What noisy sums say of one answer: the values that they do not rule out.

An answer nu = N0/D0 in [low, high], D0 >= D_min > 0, is seen through N = N0 + e1 and D = D0 + e2. Where ``|e1 - nu
e2| <= h(nu)`` and |e1| <= h(nu), nu lies in ``S = {x in [low, high]: |N - x max(D, D_min)| <= h(x)}``: the
difference is e1 - nu e2 or, with the normaliser clamped, a mean of that and e1. So the answer given is off by at
most its distance from the farthest point of S. Looking at D costs no probability, since nu does not depend on the
noise. For noise of deviations s1, s2 and weights off by k in all, ``h(x) = constant + hypot(z s1, z s2 x) + k
max(high - x, x - low)`` (with max |value| among them where D < D_min); convex. Unit of the answers.

Source: Fieller 1954, for a ratio of normal variables; clamping and bias derived here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.spec.attention._confidence import GRID, Noise
from dpverify.spec.attention._ratio import CTX
from dpverify.spec.core.comparison import Comparison, at_most
from dpverify.spec.core.domain import Choice, Integer, Real
from dpverify.spec.core.hypotheses import positive
from dpverify.spec.core.lemma import Hypothesis, Lemma, Source

Array = npt.NDArray[np.float64]
HALVINGS = 40


def farthest(
    numerator: Array,
    normaliser: Array,
    normaliser_min: Array,
    numerator_noise: Array,
    normaliser_noise: Array,
    constant: Array,
    bias: Array,
    *,
    low: float,
    high: float,
) -> Array:
    """Distance of the clamped, projected answer from the farthest point of S; arrays that broadcast together.

    Above the exact value by at most 2^-40 (high - low); high - low where S is empty, as it is with an unlikely noise.

    Args:
        numerator, normaliser: N, D; normaliser_min: D_min > 0. numerator_noise, normaliser_noise: z s1, z s2.
        constant: added to every half-width; bias: k n, of all weights together, in units of the normaliser.
    """
    divisor = np.maximum(normaliser, normaliser_min)
    answer = np.clip(numerator / divisor, low, high)
    least = np.where(normaliser < normaliser_min, max(abs(low), abs(high)), 0.0)

    def inside(x: Array) -> npt.NDArray[np.bool_]:
        spread = np.maximum(np.maximum(high - x, x - low), least)
        half_width = constant + np.hypot(numerator_noise, normaliser_noise * x) + bias * spread
        return np.asarray(half_width >= np.abs(numerator - x * divisor))

    found = np.zeros_like(answer)
    for end in (low, high):
        near, far = answer, np.full_like(answer, end)
        whole = inside(far) | ~inside(near)
        for _ in range(HALVINGS):
            middle = (near + far) / 2.0
            held = inside(middle)
            near, far = np.where(held, middle, near), np.where(held, far, middle)
        found = np.maximum(found, np.abs(np.where(whole, end, far) - answer))
    return found


def oracle(noise: Noise, noisy: tuple[Any, Any]) -> tuple[Any, Any]:
    """(answer, its distance from the farthest point of S) by the definition, for points of a grid; at 60 digits."""
    return noise.seen(noisy)


def conclude(
    *,
    value_bound: float,
    nonnegative: bool,
    share: float,
    noise: float,
    weight: float,
    bias: float,
    factor: float,
    seed: int,
) -> tuple[Comparison, ...]:
    rng = np.random.default_rng(seed)
    high, low = value_bound, 0.0 if nonnegative else -value_bound
    nu = CTX.mpf(low) + (CTX.mpf(high) - low) * CTX.mpf(share)
    made = Noise(low, high, noise * high, noise / weight, 0.1 * noise * high, bias)
    errors, exact, claimed = [], [], []
    for _ in range(4):
        noisy = made.instance(nu, factor, rng.uniform(-1.0, 1.0, 2).tolist())
        answer, far = oracle(made, noisy)
        arrays = [np.array([float(x)]) for x in (*noisy, 1.0, made.a, made.b, made.constant, bias)]
        errors.append(abs(answer - nu))
        exact.append(far)
        claimed.append(float(farthest(*arrays, low=low, high=high)[0]))
    spacing = (high - low) / GRID
    return (
        at_most(errors, claimed, slack=2.0**-45 * high, label="the error of any instance"),
        at_most(exact, claimed, slack=2.0**-45 * high, label="no point of the set farther"),
        at_most(claimed, [x + spacing * 1.001 for x in exact], label="not beyond the set"),
    )


LEMMA = Lemma(
    module=__name__,
    statement="An answer lies among the values that the noisy sums do not rule out; the farthest one bounds its error.",
    claim="|e1 - nu e2|, |e1| <= h(nu)  =>  |N - nu max(D, D_min)| <= h(nu)",
    source=Source("derived here; a ratio of normal variables: Fieller", "1954", ""),
    domain={
        "value_bound": Real(1e-2, 1e2, log=True),
        "nonnegative": Choice((False, True)),
        "share": Real(0.0, 1.0),
        "noise": Real(1e-3, 3.0, log=True),
        "weight": Real(0.1, 10.0, log=True),
        "bias": Real(0.0, 0.5),
        "factor": Real(1.0, 30.0, log=True),
        "seed": Integer(0, 2**31),
    },
    formula=farthest,
    oracle=oracle,
    conclude=conclude,
    hypotheses=(
        *positive("normaliser_min"),
        Hypothesis("low <= nu <= high", ("share",), lambda p: 0 <= p["share"] <= 1),
    ),
    unproved="an inclusion of sets; the mean it rests on is RatioOneSided.noisy_ratio_clamped_projected",
    trusts=("the half-widths hold: attention.functional_error or noise.bounded_sum_tail", "float64 evaluation"),
)

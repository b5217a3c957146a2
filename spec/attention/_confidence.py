"""Instances of noisy sums, and the values that they do not rule out, by the definition; at 60 digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dpverify.spec.attention._ratio import CTX

GRID = 200


@dataclass(frozen=True)
class Noise:
    """Half-widths ``constant + hypot(a, b x) + bias max(high - x, x - low)`` for x in [low, high]; D_min = 1."""

    low: float
    high: float
    a: float
    b: float
    constant: float
    bias: float

    def half_width(self, x: Any, *, clamped: bool) -> Any:
        farthest = max(self.high - x, x - self.low, self.high if clamped else 0)
        return self.constant + CTX.hypot(self.a, self.b * x) + CTX.mpf(self.bias) * farthest

    def instance(self, nu: Any, normaliser: float, shares: list[float]) -> tuple[Any, Any]:
        """(N, D) seen of the answer nu: e1 and e1 - nu e2 are these shares of the most that they may be."""
        e1 = shares[0] * self.half_width(nu, clamped=True)
        combined = shares[1] * self.half_width(nu, clamped=False)
        e2 = (e1 - combined) / nu if abs(nu) > 1e-9 * self.high else CTX.mpf(shares[1] * normaliser)
        if abs(nu) <= 1e-9 * self.high:
            e1 = combined + nu * e2
        return nu * normaliser + e1, normaliser + e2

    def seen(self, noisy: tuple[Any, Any]) -> tuple[Any, Any]:
        """(answer, its distance from the farthest point of the set that is not ruled out), for points of a grid."""
        divisor, clamped = max(noisy[1], CTX.mpf(1)), noisy[1] < 1
        span = CTX.mpf(self.high) - self.low
        answer = min(max(noisy[0] / divisor, CTX.mpf(self.low)), CTX.mpf(self.high))
        places = [answer, *(self.low + span * j / GRID for j in range(GRID + 1))]
        kept = [x for x in places if abs(noisy[0] - x * divisor) <= self.half_width(x, clamped=clamped)]
        return answer, max((abs(x - answer) for x in kept), default=span)

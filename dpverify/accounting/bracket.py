"""An interval that certainly contains a number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


class ContradictoryBounds(RuntimeError):
    """A certified lower bound lies above a certified upper bound: an error of this library or of what it trusts.

    Attributes: ``lower``, ``upper``.
    """

    def __init__(self, lower: float, upper: float) -> None:
        self.lower = lower
        self.upper = upper
        super().__init__(
            f"a lower bound of {lower!r} contradicts an upper bound of {upper!r}; use neither, and report it with the "
            "arguments of the call"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.lower, self.upper)


@dataclass(frozen=True)
class Bracket:
    """``lower <= exact value <= upper``; both ends are certified, upper may be infinite."""

    lower: float
    upper: float

    def __post_init__(self) -> None:
        if not self.lower <= self.upper:
            raise ContradictoryBounds(self.lower, self.upper)

    @property
    def width(self) -> float:
        """``upper - lower`` (0 where both are infinite)."""
        return 0.0 if self.lower == self.upper else self.upper - self.lower

    @property
    def relative_width(self) -> float:
        """Width over the upper end: 0 (exact) to 1 (nothing is known from below)."""
        return 1.0 if math.isinf(self.width) else self.width / self.upper if self.upper else 0.0

    def __contains__(self, value: object) -> bool:
        return bool(self.lower <= value <= self.upper)  # type: ignore[operator]

    def intersect(self, other: Bracket) -> Bracket:
        """What two brackets of the same number say together."""
        return Bracket(max(self.lower, other.lower), min(self.upper, other.upper))

    def join(self, other: Bracket) -> Bracket:
        """A bracket of the larger of two numbers."""
        return Bracket(max(self.lower, other.lower), max(self.upper, other.upper))

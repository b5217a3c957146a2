"""What is claimed: (epsilon, delta), and between which neighbouring datasets."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from dpverify.errors import InvalidArgument


class Adjacency(enum.Enum):
    """Which datasets count as neighbours."""

    REPLACE_ONE = "replace-one"  # one row becomes any other row of the domain; n is public
    ADD_REMOVE = "add-remove"  # one row is added or removed


@dataclass(frozen=True)
class ApproxDP:
    """The claim of (epsilon, delta)-differential privacy.

    Args:
        epsilon: finite, >= 0.
        delta: in [0, 1).
    """

    epsilon: float
    delta: float = 0.0

    def __post_init__(self) -> None:
        epsilon, delta = _number("epsilon", self.epsilon), _number("delta", self.delta)
        if not 0.0 <= epsilon < math.inf:
            raise InvalidArgument("epsilon", self.epsilon, "finite and at least 0")
        if not 0.0 <= delta < 1.0:
            raise InvalidArgument("delta", self.delta, "at least 0 and less than 1")
        object.__setattr__(self, "epsilon", epsilon)
        object.__setattr__(self, "delta", delta)


def _number(name: str, value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise InvalidArgument(name, value, "a number") from None

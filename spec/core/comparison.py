"""A comparison that carries its numbers: both sides, the slack, the worst index. Never a bare bool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dpverify.spec.core.oracle import context

_CTX = context(60)
Relation = Literal["==", "<="]


@dataclass(frozen=True, eq=False)
class Comparison:
    """``lhs relation rhs`` up to ``slack``, elementwise; build it with :func:`equal` or :func:`at_most`.

    A NaN on either side violates. The sides have the same shape, or one of them is a scalar.

    Attributes:
        lhs, rhs, slack: object arrays of high-precision numbers, of one shape.
        unit: what the numbers measure, for the reader.
        label: which of a lemma's conclusions this is ("" if it has one only).
    """

    relation: Relation
    lhs: npt.NDArray[np.object_]
    rhs: npt.NDArray[np.object_]
    slack: npt.NDArray[np.object_]
    unit: str = ""
    label: str = ""

    def __reduce__(self) -> tuple[Any, ...]:  # numbers of a context of one's own do not pickle by themselves
        sides = [[value._mpf_ for value in side.ravel()] for side in (self.lhs, self.rhs, self.slack)]
        return _revived, (self.relation, sides, self.lhs.shape, self.unit, self.label)

    @property
    def margin(self) -> npt.NDArray[np.object_]:
        """How much slack is left at each point (negative: violated; NaN: violated)."""
        out = np.empty(self.lhs.shape, dtype=object)
        for index in np.ndindex(self.lhs.shape):
            left, right = self.lhs[index], self.rhs[index]
            if left == right:
                gap = _CTX.mpf(0)
            elif self.relation == "==":
                gap = abs(left - right)
            else:
                gap = left - right
            out[index] = self.slack[index] - gap
        return out

    @property
    def violations(self) -> npt.NDArray[np.bool_]:
        """True where the relation fails; written so that NaN fails."""
        margins = self.margin
        return np.array([not value >= 0 for value in margins.ravel()], dtype=bool).reshape(margins.shape)

    @property
    def holds(self) -> bool:
        """True iff the relation holds at every point."""
        return not bool(self.violations.any())

    @property
    def worst(self) -> tuple[int, ...]:
        """Index of the worst point: the first NaN, else the smallest margin."""
        margins = self.margin
        flat = margins.ravel()
        for position, value in enumerate(flat):
            if _CTX.isnan(value):
                return tuple(int(i) for i in np.unravel_index(position, margins.shape))
        position = min(range(len(flat)), key=lambda i: flat[i])
        return tuple(int(i) for i in np.unravel_index(position, margins.shape))

    def describe(self) -> str:
        """Where it fails, with the numbers of the worst point, on five lines."""
        worst = self.worst
        left, right, slack = self.lhs[worst], self.rhs[worst], self.slack[worst]
        where = ""
        if self.lhs.shape:
            where = f"; worst at index {worst[0] if len(worst) == 1 else worst}"
        of_what = f" ({self.label})" if self.label else ""
        unit = f" {self.unit}" if self.unit else ""
        return "\n".join(
            [
                f"{int(self.violations.sum())} of {self.lhs.size} points{of_what}{where}:",
                f"      lhs = {_CTX.nstr(left, 17)}{unit}",
                f"      rhs = {_CTX.nstr(right, 17)}{unit}",
                f"      lhs - rhs = {_CTX.nstr(left - right, 3)}, allowed slack {_CTX.nstr(slack, 3)} "
                f"(needed: lhs {self.relation} rhs)",
            ]
        )


def equal(lhs: Any, rhs: Any, *, slack: Any, unit: str = "", label: str = "") -> Comparison:
    """``|lhs - rhs| <= slack`` at every point."""
    return _build("==", lhs, rhs, slack, unit, label)


def at_most(lhs: Any, rhs: Any, *, slack: Any = 0, unit: str = "", label: str = "") -> Comparison:
    """``lhs <= rhs + slack`` at every point."""
    return _build("<=", lhs, rhs, slack, unit, label)


def _build(relation: Relation, lhs: Any, rhs: Any, slack: Any, unit: str, label: str) -> Comparison:
    left, right, allowed = _exact(lhs), _exact(rhs), _exact(slack)
    if left.shape != right.shape and left.ndim and right.ndim:
        raise ValueError(f"cannot compare shapes {left.shape} and {right.shape}: they must agree")
    shape = left.shape if left.ndim else right.shape
    if allowed.ndim and allowed.shape != shape:
        raise ValueError(f"slack has shape {allowed.shape}, the sides have {shape}")
    if not all(value >= 0 and not _CTX.isinf(value) for value in allowed.ravel()):
        raise ValueError("slack must be finite and at least 0")
    left, right, allowed = (np.broadcast_to(a, shape) for a in (left, right, allowed))
    if left.size == 0:
        raise ValueError("a comparison of nothing cannot fail and proves nothing")
    return Comparison(relation, left, right, allowed, unit, label)


def _revived(relation: Relation, sides: list[list[Any]], shape: tuple[int, ...], unit: str, label: str) -> Comparison:
    left, right, allowed = (np.empty(len(side), dtype=object) for side in sides)
    for out, side in zip((left, right, allowed), sides, strict=True):
        out[:] = [_CTX.make_mpf(parts) for parts in side]
    return Comparison(relation, left.reshape(shape), right.reshape(shape), allowed.reshape(shape), unit, label)


def _exact(value: Any) -> npt.NDArray[np.object_]:
    """Numbers of any kind as high-precision objects; integers, floats and Fractions convert exactly."""
    raw = np.asarray(value, dtype=object)
    out = np.empty(raw.shape, dtype=object)
    for index in np.ndindex(raw.shape):
        out[index] = _number(raw[index])
    return out


def _number(item: Any) -> Any:
    if isinstance(item, np.generic):
        item = item.item()
    if hasattr(item, "denominator") and hasattr(item, "numerator"):
        return _CTX.mpf(item.numerator) / item.denominator
    return _CTX.mpf(item)

"""Typed errors, each carrying what it speaks of. Messages name the argument, its value, and what to do."""

from __future__ import annotations

from typing import Any


class InvalidArgument(ValueError):
    """An argument is not what it must be.

    Attributes: ``argument`` (its name), ``value``, ``needed`` (what it must be), ``advice``.
    """

    def __init__(self, argument: str, value: Any, needed: str, advice: str = "") -> None:
        self.argument = argument
        self.value = value
        self.needed = needed
        self.advice = advice
        shown = value if isinstance(value, str) and " " in value else repr(value)
        super().__init__(f"{argument} must be {needed}, but it is {shown}" + (f"; {advice}" if advice else ""))

    def __reduce__(self) -> tuple[Any, ...]:  # comes home whole from a worker process
        return type(self), (self.argument, self.value, self.needed, self.advice)


class CapacityError(MemoryError):
    """A computation would not fit: it says how large, and what to change. Nothing was computed."""


class ReleaseFileError(ValueError):
    """A release file is missing a part, damaged, or not a release at all."""


class PrivacyViolation(AssertionError):
    """An audit's finding: the mechanism does not keep its claim."""


class OutOfBoundsWarning(UserWarning):
    """Data lay outside the public bounds and was clipped. For the data's owner only: the count is private."""


class DrownedDenominatorWarning(UserWarning):
    """Noise dominated the normaliser of some queries; their answers are finite but say little."""

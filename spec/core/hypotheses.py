"""Hypotheses that many lemmas share, so that each reads as one line."""

from __future__ import annotations

from typing import Any

from dpverify.spec.core.lemma import Hypothesis


def positive(*names: str) -> tuple[Hypothesis, ...]:
    """``0 < name`` for each of the names; NaN does not meet it."""

    def above_zero(name: str) -> Hypothesis:
        return Hypothesis(f"0 < {name}", (name,), lambda p: bool(p[name] > 0))

    return tuple(above_zero(name) for name in names)


def at_least(low: float, *names: str) -> tuple[Hypothesis, ...]:
    """``low <= name`` for each of the names; NaN does not meet it."""

    def not_below(name: str) -> Hypothesis:
        return Hypothesis(f"{low:g} <= {name}", (name,), lambda p: bool(p[name] >= low))

    return tuple(not_below(name) for name in names)


def one_of(name: str, choices: tuple[Any, ...]) -> tuple[Hypothesis, ...]:
    """``name`` is one of a few values."""
    return (Hypothesis(f"{name} in {choices}", (name,), lambda p: p[name] in choices),)

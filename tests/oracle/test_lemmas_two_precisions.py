"""Every oracle agrees with itself when all high-precision contexts of the specification get twice the digits.

Many oracles check this each time (``at_two_precisions``). The others work at one fixed precision; here it is doubled
from outside, and every number of every comparison must stay where it was, well within the slack it is allowed.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import dpverify.spec as spec
from dpverify.spec.core.domain import points
from dpverify.spec.core.oracle import context

LEMMAS = spec.lemmas()
SHARE = 8  # of the slack: numbers may move by an eighth of it
RELATIVE = 1e-25


def with_twice_the_digits(monkeypatch: pytest.MonkeyPatch) -> int:
    """Replaces every context that a lemma or a helper uses; returns how many."""
    replaced = 0
    for name, module in list(sys.modules.items()):
        if not name.startswith("dpverify.spec.") or name.startswith("dpverify.spec.core"):
            continue
        if getattr(module, "context", None) is context:
            monkeypatch.setattr(module, "context", lambda digits: context(2 * digits))
            replaced += 1
        if hasattr(module, "CTX"):
            monkeypatch.setattr(module, "CTX", context(2 * module.CTX.dps))
            replaced += 1
    return replaced


def at_points(lemma: spec.Lemma) -> list[dict[str, Any]]:
    """Two points of the domain that meet the hypotheses: one inside, one corner."""
    found = []
    for point in points(lemma.domain, 12, np.random.default_rng(3)):
        try:
            lemma.require(**point)
        except spec.HypothesisNotMet:
            continue
        found.append(point)
    return [found[0], found[-1]]


def moved_too_far(before: spec.Comparison, after: spec.Comparison) -> list[tuple[Any, Any, Any]]:
    """(before, after, slack) of every number that moved by more than it may."""
    out = []
    for index in np.ndindex(before.lhs.shape):
        slack = before.slack[index]
        for old, new in ((before.lhs[index], after.lhs[index]), (before.rhs[index], after.rhs[index])):
            if old != new and not abs(old - new) <= max(slack / SHARE, RELATIVE * abs(old)):
                out.append((old, new, slack))
    return out


@pytest.mark.parametrize("name", LEMMAS)
def test_numbers_stay_when_the_digits_are_doubled(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lemma = LEMMAS[name]
    chosen = at_points(lemma)
    before = [lemma.check(**point) for point in chosen]
    assert with_twice_the_digits(monkeypatch) > 20
    after = [lemma.check(**point) for point in chosen]
    for point, one, two in zip(chosen, before, after, strict=True):
        assert [c.label for c in one] == [c.label for c in two]
        for old, new in zip(one, two, strict=True):
            assert not moved_too_far(old, new), point


def test_a_number_that_moves_is_noticed() -> None:
    assert moved_too_far(spec.equal(1.0, 1.0, slack=1e-9), spec.equal(1.0 + 1e-9, 1.0, slack=1e-9))
    assert not moved_too_far(spec.equal(1.0, 1.0, slack=1e-9), spec.equal(1.0 + 1e-10, 1.0, slack=1e-9))
    assert moved_too_far(spec.at_most(1.0, 2.0), spec.at_most(1.0, float("nan")))

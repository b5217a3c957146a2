"""Lemmas of the chapters from distance to complexity, at points that Hypothesis draws."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dpverify.spec as spec

CHAPTERS = ("distance", "kernel", "attention", "adaptive", "matrix", "complexity")
IDS = [name for name in spec.lemmas() if name.split(".")[0] in CHAPTERS]


def strategy(parameter: Any) -> st.SearchStrategy[Any]:
    """The parameter's range, corners included."""
    if isinstance(parameter, spec.Integer):
        return st.integers(parameter.low, parameter.high)
    if isinstance(parameter, spec.Choice):
        return st.sampled_from(parameter.values)
    if not parameter.log:
        return st.floats(parameter.low, parameter.high)
    exponents = st.floats(math.log(parameter.low), math.log(parameter.high))
    return exponents.map(lambda x: min(max(math.exp(x), parameter.low), parameter.high))


@pytest.mark.parametrize("lemma_id", IDS)
def test_lemma_holds_wherever_its_hypotheses_do(lemma_id: str) -> None:
    lemma = spec.lemma(lemma_id)
    checked = []

    @settings(derandomize=True, database=None, deadline=None, max_examples=12)
    @given(st.fixed_dictionaries({name: strategy(p) for name, p in lemma.domain.items()}))
    def holds(parameters: dict[str, Any]) -> None:
        try:
            comparisons = lemma.check(**parameters)
        except spec.HypothesisNotMet:
            return
        assert all(c.holds for c in comparisons)
        checked.append(parameters)

    holds()
    assert checked, "no point met the hypotheses"

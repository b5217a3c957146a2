"""Every lemma of the chapters privacy, noise and tree, at points that Hypothesis draws from its domain."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import dpverify.spec as spec
from dpverify.spec.core.domain import Parameter

CHAPTERS = ("privacy.", "noise.", "tree.")
LEMMAS = {name: lemma for name, lemma in spec.lemmas().items() if name.startswith(CHAPTERS)}


def strategy(parameter: Parameter) -> st.SearchStrategy[Any]:
    """What a domain's parameter may be, extremes included."""
    if isinstance(parameter, spec.Integer):
        return st.integers(parameter.low, parameter.high)
    if isinstance(parameter, spec.Choice):
        return st.sampled_from(parameter.values)
    plain = st.floats(parameter.low, parameter.high, allow_subnormal=False)
    if not parameter.log:
        return plain
    inside = st.floats(math.log(parameter.low), math.log(parameter.high)).map(math.exp)
    clipped = inside.map(lambda x: min(max(x, parameter.low), parameter.high))
    return st.one_of(clipped, plain, st.sampled_from([parameter.low, parameter.high]))


@pytest.mark.parametrize("name", LEMMAS)
def test_lemma_holds_wherever_its_hypotheses_do(name: str) -> None:
    lemma = LEMMAS[name]

    @settings(max_examples=12)
    @given(st.fixed_dictionaries({key: strategy(value) for key, value in lemma.domain.items()}))
    def holds(parameters: dict[str, Any]) -> None:
        comparisons = lemma.check(**parameters)
        assert all(comparison.holds for comparison in comparisons)

    holds()


def test_a_false_lemma_is_found() -> None:
    """The control: a bound that is 10 % too tight must fail somewhere; one random point in twelve shows it."""
    true = LEMMAS["noise.truncated_laplace_privacy"]

    def conclude(*, fraction: float, sensitivity: float, epsilon: float, delta: float) -> spec.Comparison:
        return spec.at_most(true.formula(fraction * sensitivity, sensitivity, epsilon, delta), 0.9 * delta)

    false = dataclasses.replace(true, conclude=conclude)

    @settings(max_examples=600, phases=[Phase.generate])
    @given(st.fixed_dictionaries({key: strategy(value) for key, value in false.domain.items()}))
    def holds(parameters: dict[str, Any]) -> None:
        false.check(**parameters)

    with pytest.raises(spec.ConclusionViolated):
        holds()

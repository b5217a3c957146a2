"""Evidence "enclosed": every enclosure holds, and fails when the statement or the code behind it is wrong."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest

import dpverify.spec as spec
from dpverify.spec.attention import _enclosed as attention_enclosed
from dpverify.spec.kernel import _enclosed as kernel_enclosed
from dpverify.spec.noise import _enclosed as noise_enclosed
from dpverify.spec.noise import _length
from dpverify.spec.privacy import _enclosed as privacy_enclosed
from dpverify.spec.tree import _enclosed as tree_enclosed

LEMMAS = {name: lemma for name, lemma in spec.lemmas().items() if lemma.enclosure is not None}
CODE: dict[str, Callable[[Any], Any]] = {
    "doubled": lambda value: tuple(2 * x for x in value) if isinstance(value, tuple) else 2 * value,
    "halved": lambda value: tuple(x / 2 for x in value) if isinstance(value, tuple) else value / 2,
    "off by a millionth": lambda value: (
        tuple(1.000001 * x for x in value) if isinstance(value, tuple) else 1.000001 * value
    ),
}
# the enclosure of the vector form is an inequality between two supports: larger ones keep it
ONE_SIDED = {("tree.privacy_vector", "doubled"), ("tree.privacy_vector", "off by a millionth")}


def test_there_are_enough_of_them() -> None:
    assert len(LEMMAS) >= 6


@pytest.mark.parametrize("name", LEMMAS)
def test_the_statement_is_enclosed_over_its_box(name: str) -> None:
    lemma = LEMMAS[name]
    comparisons = lemma.enclose()
    assert len(comparisons) >= 2  # the statement, and the code at the ends
    assert lemma.enclosure is not None
    for parameter, (low, high) in lemma.enclosure.box.items():
        assert low < high, parameter
        assert parameter in str(lemma.enclosure)


@pytest.mark.parametrize("change", CODE)
@pytest.mark.parametrize("name", LEMMAS)
def test_changed_code_turns_the_enclosure_red(name: str, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lemma, mutate = LEMMAS[name], CODE[change]
    formula = lemma.formula
    monkeypatch.setattr(
        importlib.import_module(lemma.module), formula.__name__, lambda *a, **k: mutate(formula(*a, **k))
    )
    if (name, change) in ONE_SIDED:
        lemma.enclose()
        return
    with pytest.raises(spec.ConclusionViolated):
        lemma.enclose()


def moment(numerator: Callable[[Any, Any], Any], power: int, code: Callable[..., float]) -> Callable[[], Any]:
    return lambda: _length.moment_enclosure("mutant", power, numerator, code).holds()


def claims_of(name: str) -> Callable[..., Any]:
    return LEMMAS[name].formula


MUTANTS: dict[str, Callable[[], Any]] = {
    "variance without the linear term": moment(
        lambda x, e: 2 * (1 - e) - e * x * x, 2, claims_of("noise.truncated_laplace_variance")
    ),
    "variance with 3 L": moment(
        lambda x, e: 2 * (1 - e) - e * (x * x + 3 * x), 2, claims_of("noise.truncated_laplace_variance")
    ),
    "variance off by a thousandth": moment(
        lambda x, e: (2 * (1 - e) - e * (x * x + 2 * x)) * 1.001, 2, claims_of("noise.truncated_laplace_variance")
    ),
    "mean of the untruncated law": moment(lambda x, e: 1 - e, 1, claims_of("noise.truncated_laplace_mean")),
    "mean with a flipped sign": moment(lambda x, e: 1 + e * (x + 1), 1, claims_of("noise.truncated_laplace_mean")),
}


@pytest.mark.parametrize("label", MUTANTS)
def test_a_wrong_statement_is_not_enclosed(label: str) -> None:
    statement = MUTANTS[label]()[0]
    assert not statement.holds


def test_constants_of_the_proofs_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each enclosure stops holding just beyond what it claims."""
    monkeypatch.setattr(noise_enclosed, "SHARE", 0.49)
    monkeypatch.setattr(attention_enclosed, "EXCESS", 0.999)
    monkeypatch.setattr(kernel_enclosed, "TOLERANCE", 1e-8)
    monkeypatch.setattr(privacy_enclosed, "TOLERANCE", 1e-12)
    monkeypatch.setattr(_length, "TOLERANCE", 1e-9)
    monkeypatch.setattr(tree_enclosed, "ROUNDING", 0.99)
    # an inequality without a constant, and a tolerance that was read at import
    still_true = {"kernel.taylor_remainder", "noise.truncated_laplace_normaliser"}
    assert {name for name, lemma in LEMMAS.items() if _holds(lemma)} == still_true


def _holds(lemma: spec.Lemma) -> bool:
    try:
        return bool(lemma.enclose())
    except spec.ConclusionViolated:
        return False


def test_the_classical_calibration_is_not_enclosed_beyond_epsilon_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """At large epsilon it fails (see noise.gaussian_classical), so no enclosure may reach there."""
    monkeypatch.setattr(noise_enclosed, "BOX", {"epsilon": (1.0, 12.0), "c": (1.3537, 37.2)})
    with pytest.raises(spec.ConclusionViolated):
        LEMMAS["noise.gaussian_classical"].enclose()


def test_more_terms_than_the_remainder_has_are_not_enclosed() -> None:
    """p_s one degree off: the enclosure of the Taylor sum sees it."""
    original = kernel_enclosed.sums

    def off_by_one(x: Any) -> Any:
        return [*original(x)[1:], original(x)[-1]]

    try:
        kernel_enclosed.sums = off_by_one
        with pytest.raises(spec.ConclusionViolated):
            LEMMAS["kernel.relative_error"].enclose()
        with pytest.raises(spec.ConclusionViolated):
            LEMMAS["kernel.relative_error_signed"].enclose()
    finally:
        kernel_enclosed.sums = original


def test_a_lemma_without_enclosure_says_so() -> None:
    with pytest.raises(TypeError, match="has no enclosure"):
        spec.lemma("tree.node_sum").enclose()


def test_the_ledger_shows_the_box() -> None:
    shown = {row.lemma.id: row for row in spec.ledger()}
    for name in LEMMAS:
        assert "enclosed" in shown[name].evidence
        assert "for all " in (shown[name].enclosed_over or "")
    assert shown["tree.node_sum"].enclosed_over is None

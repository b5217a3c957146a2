"""Exhibits: published statements that fail when read literally; never lemmas, never evidence."""

from __future__ import annotations

import math
from types import ModuleType

import pytest

import dpverify.spec as spec
from dpverify.spec.core import exhibit as machinery
from dpverify.spec.core.exhibit import Exhibit, exhibits
from dpverify.spec.exhibit import budget_by_log_n, probable_privacy, relative_error_signed
from dpverify.spec.tree.privacy_composition import level_budget

IDS = list(exhibits())
EXPECTED = {
    "exhibit.relative_error_signed",
    "exhibit.budget_by_log_n",
    "exhibit.exact_normaliser",
    "exhibit.exact_prefix_sums",
    "exhibit.probable_privacy",
}


def test_all_five_are_found() -> None:
    assert set(IDS) == EXPECTED


@pytest.mark.parametrize("exhibit_id", IDS)
def test_the_counterexample_violates_the_published_statement(exhibit_id: str) -> None:
    shown = exhibits()[exhibit_id]
    comparison = shown.counterexample()
    assert shown.refuted
    assert not comparison.holds
    excess = float(comparison.lhs.item() - comparison.rhs.item())
    assert excess > 1e-6, "a violation within rounding would show nothing"
    assert math.isfinite(excess)


@pytest.mark.parametrize("exhibit_id", IDS)
def test_the_corrected_lemma_exists(exhibit_id: str) -> None:
    assert exhibits()[exhibit_id].corrected in spec.lemmas()


@pytest.mark.parametrize("exhibit_id", IDS)
def test_description_prints_statement_source_numbers_and_correction(exhibit_id: str) -> None:
    shown = exhibits()[exhibit_id]
    text = shown.describe()
    for part in (shown.statement, shown.published.document, "fails at 1 of 1 points", "lhs = ", shown.corrected):
        assert part in text


def test_exhibits_are_no_lemmas_and_no_evidence() -> None:
    assert not EXPECTED & set(spec.lemmas())
    assert not EXPECTED & {row.lemma.id for row in spec.ledger()}
    for shown in exhibits().values():
        assert not isinstance(shown, spec.Lemma)
        assert not hasattr(shown, "enforce")


def test_the_budget_exhibit_holds_once_the_split_is_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the same event under the correct split of the budget does not violate the claim."""
    height = budget_by_log_n.HEIGHT
    epsilon, delta = level_budget(1.0, 1e-6, height)
    monkeypatch.setattr(budget_by_log_n, "node_budget", lambda: (epsilon, delta))
    assert budget_by_log_n.counterexample().holds


def test_the_relative_bound_holds_for_values_of_one_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: with non-negative values the published bound holds at the same weights."""
    monkeypatch.setattr(relative_error_signed, "SIGN", 1)
    assert relative_error_signed.counterexample().holds


def test_a_failure_rarer_than_delta_violates_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: it is p_f against delta that matters."""
    monkeypatch.setattr(probable_privacy, "FAILURE", "1e-7")
    assert not exhibits()["exhibit.probable_privacy"].refuted


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "must define EXHIBIT"),
        (Exhibit("elsewhere", "s", spec.Source("d", "", ""), lambda: spec.at_most(1, 0), "x"), "__name__"),
        (Exhibit("broken", "s", spec.Source("", "", ""), lambda: spec.at_most(1, 0), "x"), "source"),
    ],
)
def test_a_file_without_exhibit_or_source_is_refused(content: Exhibit | None, complaint: str) -> None:
    module = ModuleType("broken")
    module.__file__ = "spec/exhibit/broken.py"
    if content is not None:
        module.EXHIBIT = content  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match=complaint):
        machinery._shown(module)

"""The ledger as a whole: nothing without evidence, nothing falsely called enforced, no mechanism without a lemma."""

from __future__ import annotations

import importlib
import inspect
import io
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import dpverify as dv
import dpverify.spec as spec
from dpverify.commands.lemmas import KINDS, show_ledger
from dpverify.cross_attention import heads
from dpverify.nodes import NoisyNodes
from dpverify.noise import Gaussian, TruncatedLaplace
from dpverify.spec.core import contract as contracts
from dpverify.spec.noise import truncated_laplace_tail
from dpverify.spec.tree import node_sum

ROWS = spec.ledger()
CLAIM = dv.ApproxDP(1.0, 1e-6)

# public names that release nothing by themselves
NOT_MECHANISMS = {
    "Adjacency", "ApproxDP", "Bounds", "CapacityError", "Certificate", "DrownedDenominatorWarning", "HeadsRelease",
    "InvalidArgument", "Nystrom", "OSBits", "OutOfBoundsWarning", "Polynomial", "PositiveRandomFeatures",
    "PrivacyViolation", "Release", "ReleaseFileError", "SeededBits", "audit", "audit_likelihood", "audits", "certify",
    "kernel_error", "load_release", "replay", "spec",
}  # fmt: skip

# lemmas that no function names: the mathematics around the library. A new one belongs either here or to a function.
NAMED_BY_NOBODY = {
    "adaptive.attention_lipschitz", "adaptive.net_extension", "adaptive.net_size",
    "attention.end_to_end", "attention.noisy_ratio", "attention.ratio_error_nonnegative",
    "attention.ratio_error_one_sided", "attention.ratio_error_signed", "complexity.functional_size",
    "complexity.tree_query", "complexity.tree_space", "distance.alpha_band", "distance.prefix_sum_answer_p1",
    "distance.tree_redundancy",
    "kernel.orthogonal_features", "kernel.taylor_remainder", "matrix.entry_error", "matrix.row_error",
    "matrix.gaussian_sampling_condition", "matrix.loss_profile", "matrix.sampling_error",
    "matrix.sampling_error_uniform", "noise.gaussian_classical", "noise.laplace_privacy",
    "noise.truncated_laplace_mean", "noise.truncated_laplace_tail", "noise.truncated_laplace_variance",
    "privacy.advanced_composition", "privacy.failure_probability", "privacy.group_privacy", "privacy.hockey_stick",
    "privacy.post_processing", "tree.query_deviation", "tree.query_variance", "tree.sensitivity_l2",
}  # fmt: skip


def test_there_are_enough_lemmas_and_none_is_without_evidence() -> None:
    assert len(ROWS) >= 45
    assert [row.lemma.id for row in ROWS if "oracle" not in row.evidence] == []
    assert sum("enclosed" in row.evidence for row in ROWS) >= 6
    assert {row.lemma.id for row in ROWS} == set(spec.lemmas())


def test_what_is_not_proved_says_why() -> None:
    for name, stated in spec.lemmas().items():
        assert bool(stated.theorems) != bool(stated.unproved), f"{name} needs theorems, or the reason why it has none"


def test_every_chapter_of_the_mathematics_is_there() -> None:
    chapters = {name.split(".")[0] for name in spec.lemmas()}
    assert chapters == {
        "privacy", "noise", "tree", "distance", "kernel", "attention", "adaptive", "matrix", "complexity",
    }  # fmt: skip


def mechanisms() -> dict[str, Any]:
    """Every public name that may release something."""
    return {name: getattr(dv, name) for name in dv.__all__ if name not in NOT_MECHANISMS}


def without_lemma(found: dict[str, Any]) -> list[str]:
    return [name for name, implementation in found.items() if not getattr(implementation, "__lemmas__", ())]


def test_every_public_mechanism_names_its_lemmas() -> None:
    found = mechanisms()
    assert {"TruncatedLaplace", "Gaussian", "DPTree", "release_attention", "attention"} <= set(found)
    assert without_lemma(found) == []
    assert NoisyNodes.prefix.__lemmas__ == ("tree.prefix_decomposition",)  # type: ignore[attr-defined]
    assert NoisyNodes.interval.__lemmas__ == ("tree.interval_decomposition",)  # type: ignore[attr-defined]


def test_a_mechanism_without_a_lemma_would_be_found() -> None:
    assert without_lemma({"sloppy": lambda x: x, "TruncatedLaplace": TruncatedLaplace}) == ["sloppy"]


def test_names_that_are_said_to_be_no_mechanisms_exist() -> None:
    assert set(dv.__all__) >= NOT_MECHANISMS


def test_every_lemma_that_a_function_names_exists() -> None:
    contracts.load_contracts()
    named = set(contracts._RELYING) | set(contracts._ENFORCING)
    assert named <= set(spec.lemmas())


def test_the_ledger_is_complete_whatever_was_imported_before() -> None:
    """Names of the library are imported when first used; the ledger must not depend on that."""
    script = (
        "import dpverify.spec as spec\n"
        "for row in spec.ledger():\n"
        "    print(row.lemma.id, *row.enforced_by, '|', *row.relied_on_by)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    here = [" ".join([row.lemma.id, *row.enforced_by, "|", *row.relied_on_by]) for row in ROWS]
    assert [line.strip() for line in done.stdout.splitlines()] == here


def test_lemmas_that_nobody_names_are_listed() -> None:
    """A function may stop naming a lemma only knowingly."""
    assert {row.lemma.id for row in ROWS if not row.enforced_by and not row.relied_on_by} <= NAMED_BY_NOBODY
    assert set(spec.lemmas()) >= NAMED_BY_NOBODY


# --- what is called enforced is enforced: for every (lemma, function) one sabotage that the function refuses --------


def double_delta(kind: type[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The certified delta is twice the claim, as if the table were too narrow."""
    monkeypatch.setattr(kind, "delta", lambda self, epsilon: 2.0 * self.claim.delta)


def wrong_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node forgets its second child."""
    monkeypatch.setattr(node_sum, "parent_level", lambda children: children[..., 0::2])


def make_table_too_wide(kind: type[Any]) -> Callable[[pytest.MonkeyPatch], None]:
    def sabotage(monkeypatch: pytest.MonkeyPatch) -> None:
        double_delta(kind, monkeypatch)
        kind(1.0, CLAIM)

    return sabotage


def tree_of_wrong_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong_sums(monkeypatch)
    dv.DPTree([1, 2, 3, 4], 1.0, CLAIM)


def attention_with(claim: dv.ApproxDP) -> None:
    dv.release_attention(np.zeros((4, 1)), np.ones(4), claim, bounds=dv.Bounds())


def sums_with(monkeypatch: pytest.MonkeyPatch, *, keys: float, values: float) -> None:
    """A clipping that does not clip: the rows of the release exceed the public bounds."""
    monkeypatch.setattr(dv.Bounds, "clip_keys", lambda self, rows: (rows * keys, 0))
    monkeypatch.setattr(dv.Bounds, "clip_values", lambda self, rows: (rows * values, 0))
    dv.release_attention(np.ones((4, 1)), np.ones((4, 1)), CLAIM, bounds=dv.Bounds())


def heads_with(claim: dv.ApproxDP) -> None:
    dv.release_heads(np.zeros((2, 4, 1)), np.ones((2, 4)), claim, bounds=dv.Bounds())


def shares_beyond_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two heads with 0.6 of the budget each."""
    monkeypatch.setattr(heads, "_check_shares", lambda shares, shape: np.full(shape, 0.6))
    heads_with(CLAIM)


def heads_that_cost_twice_the_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "_profile", lambda group, noises, claim: (2.0 * claim.delta, 1.0))
    heads_with(CLAIM)


IMPOSSIBLE = dv.ApproxDP(1.0, 0.7)
SABOTAGE: dict[tuple[str, str], tuple[type[Exception], Callable[[pytest.MonkeyPatch], None]]] = {
    ("noise.truncated_laplace_privacy", "TruncatedLaplace"): (
        spec.HypothesisNotMet,
        lambda _: void(TruncatedLaplace(1.0, IMPOSSIBLE)),
    ),
    ("noise.truncated_laplace_privacy", "DPTree"): (
        spec.HypothesisNotMet,
        lambda _: void(dv.DPTree([1, 2], 1.0, IMPOSSIBLE)),
    ),
    ("noise.truncated_laplace_privacy", "release_attention"): (
        spec.HypothesisNotMet,
        lambda _: attention_with(IMPOSSIBLE),
    ),
    ("noise.gaussian_profile", "Gaussian"): (
        spec.HypothesisNotMet,
        lambda _: void(Gaussian(1.0, dv.ApproxDP(0.0, 1e-6))),
    ),
    ("noise.integer_table_delta", "TruncatedLaplace"): (spec.ConclusionViolated, make_table_too_wide(TruncatedLaplace)),
    ("noise.gaussian_profile", "release_heads"): (spec.HypothesisNotMet, lambda _: heads_with(IMPOSSIBLE)),
    ("noise.integer_table_delta", "release_heads"): (spec.ConclusionViolated, heads_that_cost_twice_the_claim),
    ("attention.joint_heads", "release_heads"): (spec.HypothesisNotMet, shares_beyond_the_budget),
    ("noise.integer_table_delta", "Gaussian"): (spec.ConclusionViolated, make_table_too_wide(Gaussian)),
    ("tree.node_sum", "DPTree"): (spec.ConclusionViolated, tree_of_wrong_sums),
    ("kernel.feature_norm", "outer_product_sums"): (
        spec.ConclusionViolated,
        lambda patch: sums_with(patch, keys=1.01, values=1.0),
    ),
    ("attention.functional_sensitivity", "outer_product_sums"): (
        spec.ConclusionViolated,
        lambda patch: sums_with(patch, keys=1.0, values=1.01),
    ),
}


def void(_: object) -> None:
    """Drops a value: the sabotage is in its construction."""


def enforced_pairs() -> set[tuple[str, str]]:
    return {(row.lemma.id, name.rpartition(".")[2]) for row in ROWS for name in row.enforced_by}


def test_there_is_a_sabotage_for_everything_that_is_called_enforced() -> None:
    assert enforced_pairs() == set(SABOTAGE)


@pytest.mark.parametrize("pair", SABOTAGE, ids="-".join)
def test_what_is_called_enforced_refuses_to_go_on(pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    kind, sabotage = SABOTAGE[pair]
    with pytest.raises(kind) as refused:
        sabotage(monkeypatch)
    assert refused.value.lemma.id == pair[0]  # type: ignore[attr-defined]


def test_without_sabotage_nothing_refuses() -> None:
    TruncatedLaplace(1.0, CLAIM)
    Gaussian(1.0, CLAIM)
    dv.DPTree([1, 2, 3, 4], 1.0, CLAIM)
    attention_with(CLAIM)
    heads_with(CLAIM)


def test_an_enforcing_function_calls_the_lemma_that_it_says_it_enforces() -> None:
    """The declaration and the call stand in one file."""
    for row in ROWS:
        for name in row.enforced_by:
            short = row.lemma.id.rpartition(".")[2]
            source = inspect.getsource(importlib.import_module(name.rpartition(".")[0]))
            assert f"{short}.LEMMA.require(" in source or f"{short}.LEMMA.enforce(" in source, (name, row.lemma.id)


# --- exhibits never count ------------------------------------------------------------------------------------------


def test_an_exhibit_cannot_be_named_by_a_function() -> None:
    exhibit = next(iter(spec.exhibits().values()))
    with pytest.raises(TypeError, match="Lemma"):
        spec.contract(relies_on=[exhibit])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="no guard"):
        spec.contract(enforces=[truncated_laplace_tail.LEMMA.__class__(**_plain(truncated_laplace_tail.LEMMA))])


def _plain(lemma: spec.Lemma) -> dict[str, Any]:
    """A lemma without guard and without hypotheses: there is nothing in it to enforce."""
    fields = {name: getattr(lemma, name) for name in lemma.__dataclass_fields__}
    return {**fields, "guard": None, "hypotheses": ()}


# --- the table -----------------------------------------------------------------------------------------------------


def printed(width: int) -> list[str]:
    out = io.StringIO()
    show_ledger(Console(file=out, width=width, color_system=None), ROWS)
    return out.getvalue().splitlines()


def test_the_ledger_fits_eighty_columns_without_losing_a_letter() -> None:
    lines = printed(80)
    assert max(map(len, lines)) <= 80
    by_name = {line.split()[0]: line for line in lines if line and not line.startswith(" ")}
    for row in ROWS:
        line = by_name[row.lemma.id]
        assert "…" not in line
        assert line.count("yes") == sum(kind in row.evidence for kind in KINDS)
    header = next(line for line in lines if line.startswith("lemma"))
    assert header.split() == ["lemma", "points", *KINDS]


def test_the_ledger_is_complete_on_a_wide_terminal() -> None:
    text = "".join("".join(printed(160)).split())
    assert "…" not in text
    for heading in ("enforced by", "source", "hypotheses", "trusts"):
        assert heading.replace(" ", "") in text
    for row in ROWS:
        assert row.lemma.source.document.split()[0] in text
        for name in row.enforced_by:
            assert name.rpartition(".")[2] in text

"""Broken mechanisms are caught, and their corrected twins and the library's own mechanisms are not."""

import numpy as np
import pytest

import dpverify as dv
from dpverify.audits.gallery import CLAIM, gallery
from dpverify.audits.shipped import fresh, shipped
from dpverify.cli import main

BROKEN = gallery()
SHIPPED = shipped(CLAIM)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda b: b.name)
def test_every_broken_mechanism_is_caught(broken):
    """The seed fixes the outcome; the event is real at a level of 1e-3."""
    found = dv.audit(broken.mechanism, *broken.pair, CLAIM, alpha=1e-3, max_pairs=20_000)
    assert found.violated
    assert found.epsilon_lower >= CLAIM.epsilon
    assert broken.corrected in {**dv.spec.lemmas(), **dv.spec.exhibits()}
    with pytest.raises(dv.PrivacyViolation):
        found.raise_if_violated()


@pytest.mark.parametrize("mechanism", SHIPPED, ids=lambda s: s.name)
def test_the_library_keeps_its_own_claims(mechanism):
    found = dv.audit(mechanism.mechanism, *mechanism.pair, CLAIM, alpha=1e-6, max_pairs=10_000)
    assert not found.violated
    certificate = dv.certify((mechanism.noise, mechanism.parts), CLAIM)
    assert certificate.epsilon_bracket.upper <= CLAIM.epsilon * 1.0001


@pytest.mark.parametrize("mechanism", SHIPPED, ids=lambda s: s.name)
def test_noise_too_small_for_the_pair_is_seen(mechanism):
    """Control: the same outputs, scaled up against the claim of a tenth of epsilon, are rejected."""
    tight = dv.ApproxDP(CLAIM.epsilon / 10, CLAIM.delta)
    found = dv.audit(mechanism.mechanism, *mechanism.pair, tight, alpha=1e-6, max_pairs=60_000)
    assert found.violated


def test_a_corrected_twin_passes():
    """The split that the gallery's tree forgets: a quarter of the budget for each of four nodes."""
    noise = dv.TruncatedLaplace(1.0, dv.ApproxDP(CLAIM.epsilon / 4, CLAIM.delta / 4))

    def path(leaf, size, rng):
        return leaf + noise.sample((size, 4), fresh(rng))

    assert not dv.audit(path, 0.0, 1.0, CLAIM, alpha=1e-6, max_pairs=5_000).violated


def test_reduced_outputs_are_those_of_the_release():
    """The audit's shortcut (exact integers plus fresh noise) agrees in law with building again and again."""
    tree = next(s for s in SHIPPED if s.name == "DPTree, levels")
    rng = np.random.default_rng(0)
    quick = tree.mechanism(tree.pair[0], 4000, rng)
    sums = [dv.DPTree(x, 1.0, CLAIM, bits=dv.SeededBits(0)) for x in tree.pair]
    exact = []
    for built in sums:
        bits = dv.SeededBits(0)
        levels = built.nodes.levels
        exact.append(np.concatenate([(v - built.noise.sample_steps(v.shape, bits)).ravel() for v in levels]))
    slow = []
    for seed in range(100):
        nodes = dv.DPTree(tree.pair[0], 1.0, CLAIM, bits=dv.SeededBits(seed)).nodes
        output = np.concatenate([level.ravel() for level in nodes.levels])
        slow.append(np.abs(output - exact[1]).sum() - np.abs(output - exact[0]).sum())
    assert np.mean(slow) == pytest.approx(np.mean(quick), abs=5 * np.std(quick) / np.sqrt(100))
    assert np.std(slow) == pytest.approx(np.std(quick), rel=0.3)


def test_the_gallery_command_shows_what_was_caught(capsys):
    assert main(["gallery"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "half the noise" in printed
    assert "NOT CAUGHT" not in printed

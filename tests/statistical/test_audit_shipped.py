"""The library's own mechanisms under audit: their claims stand, and claims that are too strong are refuted."""

from __future__ import annotations

import pytest

from dpverify.audits import audit
from dpverify.audits.shipped import shipped
from dpverify.guarantees import ApproxDP

CLAIM = ApproxDP(1.0, 1e-2)
# what the audit must refute within 40,000 pairs; the trees' claims are loose on these pairs (composition)
TOO_STRONG = {
    "truncated Laplace": 0.8,
    "Gaussian": 0.7,
    "DPTree, levels": 0.3,
    "DPTree, vector": 0.3,
    "attention, functional": 0.7,
}
MECHANISMS = {mechanism.name: mechanism for mechanism in shipped(CLAIM)}


@pytest.mark.statistical(alpha=1e-9)
@pytest.mark.parametrize("name", list(MECHANISMS))
def test_its_own_claim_stands(name):
    mechanism = MECHANISMS[name]
    result = audit(mechanism.mechanism, *mechanism.pair, CLAIM, alpha=1e-9, max_pairs=5000)
    assert not result.violated, result.describe()
    assert result.pairs == 5000
    assert result.reproducible


@pytest.mark.parametrize("name", list(TOO_STRONG))
def test_a_claim_that_is_too_strong_is_refuted(name):
    mechanism = MECHANISMS[name]
    strong = ApproxDP(TOO_STRONG[name], CLAIM.delta)
    result = audit(mechanism.mechanism, *mechanism.pair, strong, alpha=1e-3, max_pairs=40_000)
    assert result.violated, result.describe()
    assert result.epsilon_lower >= strong.epsilon


def test_every_shipped_mechanism_is_listed():
    assert set(TOO_STRONG) == set(MECHANISMS) - {"attention, trees"}

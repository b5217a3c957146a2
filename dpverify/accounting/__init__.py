"""Composition by privacy-loss distributions; every number is a bracket."""

from dpverify.accounting.bracket import Bracket, ContradictoryBounds
from dpverify.accounting.brackets import delta_bracket, epsilon_bracket
from dpverify.accounting.certificate import CompositionCertificate, HasPrivacyLoss, certify
from dpverify.accounting.composition import Composed, compose
from dpverify.accounting.loss import (
    DiscreteLoss,
    GaussianLoss,
    PrivacyLoss,
    from_approx_dp,
    from_gaussian,
    from_integer_table,
    from_pmfs,
    from_randomised_response,
    with_total_variation,
)
from dpverify.accounting.pld import PrivacyLossDistribution, discretise

__all__ = [
    "Bracket",
    "Composed",
    "CompositionCertificate",
    "ContradictoryBounds",
    "DiscreteLoss",
    "GaussianLoss",
    "HasPrivacyLoss",
    "PrivacyLoss",
    "PrivacyLossDistribution",
    "certify",
    "compose",
    "delta_bracket",
    "discretise",
    "epsilon_bracket",
    "from_approx_dp",
    "from_gaussian",
    "from_integer_table",
    "from_pmfs",
    "from_randomised_response",
    "with_total_variation",
]

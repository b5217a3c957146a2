"""Verify differential privacy the way software is verified."""

from dpverify import spec
from dpverify.attention import Bounds, Release, attention, load_release, release_attention
from dpverify.certificate import Certificate
from dpverify.errors import (
    CapacityError,
    DrownedDenominatorWarning,
    InvalidArgument,
    OutOfBoundsWarning,
    PrivacyViolation,
    ReleaseFileError,
)
from dpverify.guarantees import Adjacency, ApproxDP
from dpverify.noise import Gaussian, OSBits, SeededBits, TruncatedLaplace
from dpverify.tree import DPTree

__all__ = [
    "Adjacency",
    "ApproxDP",
    "Bounds",
    "CapacityError",
    "Certificate",
    "DPTree",
    "DrownedDenominatorWarning",
    "Gaussian",
    "InvalidArgument",
    "OSBits",
    "OutOfBoundsWarning",
    "PrivacyViolation",
    "Release",
    "ReleaseFileError",
    "SeededBits",
    "TruncatedLaplace",
    "attention",
    "load_release",
    "release_attention",
    "spec",
]
__version__ = "0.1.0"

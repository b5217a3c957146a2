"""Verify differential privacy the way software is verified.

Public names are imported when they are first used, so that the pytest plug-in and the command line start at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dpverify import audits, spec
    from dpverify.accounting import certify
    from dpverify.audits import audit, audit_likelihood, replay
    from dpverify.certificate import Certificate
    from dpverify.cross_attention import (
        Bounds,
        HeadsRelease,
        Nystrom,
        Polynomial,
        PositiveRandomFeatures,
        Release,
        attention,
        kernel_error,
        load_release,
        release_attention,
        release_heads,
    )
    from dpverify.errors import (
        CapacityError,
        DrownedDenominatorWarning,
        InvalidArgument,
        OutOfBoundsWarning,
        PrivacyViolation,
        ReleaseFileError,
    )
    from dpverify.guarantees import Adjacency, ApproxDP
    from dpverify.noise import Gaussian, OSBits, SeededBits, TruncatedLaplace, calibrate, tree_alternatives
    from dpverify.tree import DPTree

__version__ = "0.1.0"

_HOMES = {
    "accounting": ("certify",),
    "audits": ("audit", "audit_likelihood", "replay"),
    "certificate": ("Certificate",),
    "cross_attention": (
        "Bounds",
        "HeadsRelease",
        "Nystrom",
        "Polynomial",
        "PositiveRandomFeatures",
        "Release",
        "attention",
        "kernel_error",
        "load_release",
        "release_attention",
        "release_heads",
    ),
    "errors": (
        "CapacityError",
        "DrownedDenominatorWarning",
        "InvalidArgument",
        "OutOfBoundsWarning",
        "PrivacyViolation",
        "ReleaseFileError",
    ),
    "guarantees": ("Adjacency", "ApproxDP"),
    "noise": ("Gaussian", "OSBits", "SeededBits", "TruncatedLaplace", "calibrate", "tree_alternatives"),
    "tree": ("DPTree",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
_PACKAGES = ("audits", "spec")

__all__ = [
    "Adjacency",
    "ApproxDP",
    "Bounds",
    "CapacityError",
    "Certificate",
    "DPTree",
    "DrownedDenominatorWarning",
    "Gaussian",
    "HeadsRelease",
    "InvalidArgument",
    "Nystrom",
    "OSBits",
    "OutOfBoundsWarning",
    "Polynomial",
    "PositiveRandomFeatures",
    "PrivacyViolation",
    "Release",
    "ReleaseFileError",
    "SeededBits",
    "TruncatedLaplace",
    "attention",
    "audit",
    "audit_likelihood",
    "audits",
    "calibrate",
    "certify",
    "kernel_error",
    "load_release",
    "release_attention",
    "release_heads",
    "replay",
    "spec",
    "tree_alternatives",
]


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f"dpverify.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'dpverify' has no attribute {name!r}")
    found = getattr(importlib.import_module(f"dpverify.{_HOME_OF[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

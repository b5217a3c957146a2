"""Attention over private keys and values: exact, and released with differential privacy."""

from dpverify.cross_attention.bounds import Bounds
from dpverify.cross_attention.exact import attention
from dpverify.cross_attention.feature_maps import kernel_error
from dpverify.cross_attention.heads import release_heads
from dpverify.cross_attention.heads_release import HeadsRelease
from dpverify.cross_attention.loading import load_release
from dpverify.cross_attention.nystrom import Nystrom
from dpverify.cross_attention.polynomial import Polynomial
from dpverify.cross_attention.random_features import PositiveRandomFeatures
from dpverify.cross_attention.release import Release, release_attention

__all__ = [
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
]

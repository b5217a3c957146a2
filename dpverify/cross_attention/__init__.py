"""Attention over private keys and values: exact, and released with differential privacy."""

from dpverify.cross_attention.bounds import Bounds
from dpverify.cross_attention.exact import attention
from dpverify.cross_attention.release import Release, load_release, release_attention

__all__ = ["Bounds", "Release", "attention", "load_release", "release_attention"]

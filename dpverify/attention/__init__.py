"""Attention over private keys and values: exact, and released with differential privacy."""

from dpverify.attention.bounds import Bounds
from dpverify.attention.exact import attention
from dpverify.attention.release import Release, load_release, release_attention

__all__ = ["Bounds", "Release", "attention", "load_release", "release_attention"]

"""Verify differential privacy the way software is verified."""

from dpverify import spec
from dpverify.guarantees import Adjacency, ApproxDP

__all__ = ["Adjacency", "ApproxDP", "spec"]
__version__ = "0.1.0"

"""Integer noise on a power-of-two grid, drawn from finite tables that are checked when they are built."""

from dpverify.noise.bits import BitSource, OSBits, SeededBits
from dpverify.noise.calibration import Calibration, calibrate, tree_alternatives
from dpverify.noise.gaussian import Gaussian
from dpverify.noise.table import IntegerTable
from dpverify.noise.truncated_laplace import TruncatedLaplace

__all__ = [
    "BitSource",
    "Calibration",
    "Gaussian",
    "IntegerTable",
    "OSBits",
    "SeededBits",
    "TruncatedLaplace",
    "calibrate",
    "tree_alternatives",
]

"""Exact laws of suprema, for the oracle of adaptive.gaussian_supremum: processes on one and on two arcs of a circle."""

from __future__ import annotations

from typing import Any

from dpverify.spec.core.oracle import context

CTX = context(22)


def one_arc(threshold: float, half_angle: float) -> Any:
    """P[sup |G| > threshold] for G(q) = <(cos q, sin q), N>, |q| <= half_angle <= pi/2, from N in polar coordinates.

    N at an angle b from the nearest point of the arc, or of its opposite, has sup |G| = |N| cos b.
    """
    t, end = CTX.mpf(threshold), CTX.pi / 2 - CTX.mpf(half_angle)
    rest = CTX.mpf(0)
    if end > 0:
        rest = CTX.quad(lambda b: CTX.exp(-((t / CTX.cos(b)) ** 2) / 2), [0, end / 8, end / 2, end])
    return (CTX.mpf(half_angle) * CTX.exp(-t * t / 2) + rest) * 2 / CTX.pi


def two_arcs(threshold: float) -> Any:
    """P[sup |G| > threshold] for the sum of two such processes, each over a half circle, divided by sqrt(2)."""
    t = CTX.mpf(threshold) * CTX.sqrt(2)  # |N_1| + |N_2| > t; a length has density x e^(-x^2/2)
    split = CTX.quad(lambda x: x * CTX.exp(-(x * x + (t - x) ** 2) / 2), [0, t / 2, t])
    return CTX.exp(-t * t / 2) + split

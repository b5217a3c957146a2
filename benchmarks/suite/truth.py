"""What the output laws of the suite's mechanisms are: epsilon and delta from masses and densities, never quoted."""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from audit_power import cells, kl_star
from scipy import integrate, optimize, stats

import dpverify as dv
from dpverify.noise import TruncatedLaplace

Floats = npt.NDArray[np.float64]
PURE = dv.ApproxDP(1.0)


@dataclass(frozen=True, eq=False)
class Truth:
    """What the output laws are.

    Attributes:
        epsilon: at the claimed delta; may be infinite. delta: at epsilon = 1.
        p, q: the two laws on a (fine) partition of the outputs.
    """

    epsilon: float
    delta: float
    p: Floats
    q: Floats

    def limit(self, claim: dv.ApproxDP, alpha: float) -> float:
        """ln(1/alpha) / KL*: about how many pairs the best test needs (see ``audit_power``)."""
        return math.log(1.0 / alpha) / kl_star(np.maximum(self.p, 1e-300), np.maximum(self.q, 1e-300), claim)


def from_masses(p: Floats, q: Floats, claim: dv.ApproxDP) -> Truth:
    """The truth on a finite (or finely partitioned) set of outcomes, the larger of both orders."""
    p, q = np.asarray(p, dtype=float), np.asarray(q, dtype=float)

    def delta(epsilon: float) -> float:
        ratio = math.exp(epsilon)
        return float(max(np.maximum(p - ratio * q, 0.0).sum(), np.maximum(q - ratio * p, 0.0).sum()))

    never = max(p[q == 0.0].sum(), q[p == 0.0].sum())
    if never > claim.delta:
        return Truth(math.inf, delta(1.0), p, q)
    both = (p > 1e-11) & (q > 1e-11)  # smaller masses of partitions are differences of rounded numbers
    worst = float(np.abs(np.log(p[both] / q[both])).max())
    if claim.delta == 0.0 or delta(worst) >= claim.delta:
        return Truth(worst, delta(1.0), p, q)
    epsilon = 0.0 if delta(0.0) <= claim.delta else optimize.brentq(lambda e: delta(e) - claim.delta, 0.0, worst)
    return Truth(float(epsilon), delta(1.0), p, q)


def laplace_truth(distance: float, scale: float) -> Truth:
    """One Laplace variable moved by ``distance``."""
    return from_masses(*cells(stats.laplace(loc=distance, scale=scale), stats.laplace(scale=scale)), PURE)


def two_laplaces(d0: tuple[float, float], d1: tuple[float, float]) -> Truth:
    """(location, scale) of either; different scales make the loss unbounded, wherever the partition ends."""
    p, q = cells(*(stats.laplace(loc=loc, scale=scale) for loc, scale in (d0, d1)))
    return replace(from_masses(p, q, PURE), epsilon=math.inf)


def product_truth(moves: Floats, scale: float) -> Truth:
    """Independent Laplace variables moved by equal ``moves``: the law of the sum of their losses, by convolution."""
    move, steps = float(moves[0]), 200
    assert np.all(moves == move)
    edges = np.linspace(-40.0 * scale, 40.0 * scale, 160_001)
    middle = (edges[1:] + edges[:-1]) / 2.0
    loss = (np.abs(middle + move) - np.abs(middle)) / scale
    place = np.round(loss * steps * scale / move).astype(int) + steps  # the loss lies within +-move/scale
    one = np.bincount(place, np.diff(stats.laplace.cdf(edges, scale=scale)), 2 * steps + 1)
    p = functools.reduce(np.convolve, [one] * len(moves))
    losses = np.linspace(-1.0, 1.0, len(p)) * len(moves) * move / scale
    q = p * np.exp(-losses)
    return replace(from_masses(p / p.sum(), q / q.sum(), PURE), epsilon=len(moves) * move / scale)


def gaussian_delta(sigma: float, epsilon: float) -> float:
    """Exact profile of N(0, sigma^2) at sensitivity 1 (Balle, Wang 2018, Theorem 8)."""
    first = stats.norm.cdf(0.5 / sigma - epsilon * sigma)
    return float(first - np.exp(epsilon) * stats.norm.cdf(-0.5 / sigma - epsilon * sigma))


def gaussian_truth(sigma: float, claim: dv.ApproxDP) -> Truth:
    epsilon = optimize.brentq(lambda e: gaussian_delta(sigma, e) - claim.delta, 0.0, 50.0)
    masses = cells(stats.norm(loc=1.0, scale=sigma), stats.norm(scale=sigma))
    return Truth(float(epsilon), gaussian_delta(sigma, 1.0), *masses)


def answer_masses(queries: Floats, threshold: float, query: float, threshold_noise: float, first_only: bool) -> Floats:
    """Probabilities of all answer patterns of a sparse vector; a noise scale of 0 means that noise was forgotten.

    ``first_only``: it stops at the first answer above (patterns: index of it, then none).
    """
    k = len(queries)
    if first_only:
        patterns = [(0,) * i + (1,) for i in range(k)] + [(0,) * k]
    else:
        patterns = [tuple(int(b) for b in np.binary_repr(i, k)) for i in range(1 << k)]

    def given(t: float, pattern: tuple[int, ...]) -> float:
        part = queries[: len(pattern)]
        above = (part >= t).astype(float) if query == 0.0 else stats.laplace.sf(t - part, scale=query)
        return float(np.where(np.array(pattern) == 1, above, 1.0 - above).prod())

    if threshold_noise == 0.0:
        return np.array([given(threshold, pattern) for pattern in patterns])
    pieces = sorted({-60.0, threshold, 60.0, *queries.tolist()})
    density = stats.laplace(loc=threshold, scale=threshold_noise).pdf
    return np.array(
        [
            sum(
                integrate.quad(lambda t, s=pattern: density(t) * given(t, s), a, b, limit=200)[0]
                for a, b in itertools.pairwise(pieces)
            )
            for pattern in patterns
        ]
    )


def svt_truth(d0: Floats, d1: Floats, claim: dv.ApproxDP, **how: Any) -> Truth:
    masses = [answer_masses(d, **how) for d in (d0, d1)]
    p, q = (np.where(m < 1e-13, 0.0, m) for m in masses)  # quadrature leaves dust where no threshold can fall
    return from_masses(p, q, claim)


def index_value_truth(d0: Floats, d1: Floats) -> Truth:
    """The index found, then its value plus fresh Laplace(1) noise: masses on a fine partition of the values."""
    edges = np.linspace(-25.0, 26.0, 1021)
    laws = []
    for d in (d0, d1):
        index = answer_masses(d, threshold=1.0, query=2.0, threshold_noise=2.0, first_only=True)
        values = [m * np.diff(stats.laplace.cdf(edges, loc=v)) for m, v in zip(index[:-1], d, strict=True)]
        laws.append(np.concatenate([*values, [index[-1]]]))
    return from_masses(laws[0], laws[1], PURE)


def max_value_truth(d0: Floats, d1: Floats) -> Truth:
    """Index and value of the largest of noisy counts: density f(v - q_i) times the product of F(v - q_j)."""
    v = np.linspace(-15.0, 25.0, 1601)
    laws = []
    for d in (d0, d1):
        log_cdf = np.array([stats.laplace.logcdf(v, loc=c) for c in d])
        log_pdf = np.array([stats.laplace.logpdf(v, loc=c) for c in d])
        laws.append(np.exp(log_pdf + log_cdf.sum(axis=0) - log_cdf) * (v[1] - v[0]))
    return from_masses(laws[0].ravel(), laws[1].ravel(), PURE)


def _first_at(v: float, mine: float, others: Floats) -> float:
    """Density of ``mine`` plus an exponential variable at v, times the probability that all others are below."""
    return float(stats.expon.pdf(v - mine) * np.prod(stats.expon.cdf(v - others)))


def max_index_truth(d0: Floats, d1: Floats) -> Truth:
    """Index of the largest of counts with exponential noise of scale 1."""
    laws = []
    for d in (d0, d1):
        masses = []
        for i, mine in enumerate(d):
            others = np.delete(d, i)
            points = sorted({float(x) for x in d if x >= mine} | {float(mine), float(max(d)) + 50.0})
            masses.append(
                sum(
                    integrate.quad(_first_at, a, b, args=(mine, others), limit=200)[0]
                    for a, b in itertools.pairwise(points)
                )
            )
        laws.append(np.array(masses))
    return from_masses(laws[0], laws[1], PURE)


def truncated_truth(distance: float, bound: float, scale: float, clamp: bool, claim: dv.ApproxDP) -> Truth:
    """Cells of width 1/100 on the common grid, atoms apart: where one law has no mass the loss is infinite."""
    edges = np.linspace(-bound, bound + distance, round((2 * bound + distance) * 100) + 1)
    laws = []
    for shift in (distance, 0.0):
        low, high = shift - bound, shift + bound
        cdf = stats.laplace.cdf(np.clip(edges, low, high), loc=shift, scale=scale)
        inside = np.diff(cdf)
        atom = stats.laplace.sf(bound, scale=scale)
        if clamp:
            atoms = [atom, 0.0, atom, 0.0] if shift else [0.0, atom, 0.0, atom]
            laws.append(np.concatenate([inside, atoms]))
        else:
            laws.append(inside / (1.0 - 2.0 * atom))
    return from_masses(laws[0], laws[1], claim)


def histogram_truth(threshold: float, claim: dv.ApproxDP) -> Truth:
    """A bin goes from one to none: shown at all with probability P[1 + Laplace >= threshold], or never."""
    edges = np.linspace(threshold, threshold + 30.0, 301)
    shown = np.diff(stats.laplace.cdf(edges, loc=1.0))
    p = np.concatenate([shown, [stats.laplace.cdf(threshold, loc=1.0)]])
    q = np.concatenate([np.zeros_like(shown), [1.0]])
    return from_masses(p, q, claim)


def certified(noise: TruncatedLaplace, parts: int, claim: dv.ApproxDP) -> Truth:
    """Upper ends of this library's certificate for ``parts`` draws."""
    certificate = dv.certify((noise, parts), claim)
    return Truth(certificate.epsilon_bracket.upper, certificate.delta_bracket.upper, np.zeros(0), np.zeros(0))

"""One bet: on an event that favours d0, on one that favours d1, or on both, as a product of two factors.

The claim says ``P(E) <= r Q(E) + delta`` and ``Q(E) <= r P(E) + delta`` for every event E, with ``r = e^epsilon``. For
events E (too likely on d0) and F (too likely on d1) and numbers ``s, t >= 0``, a pair (X ~ P, Y ~ Q) multiplies the
wealth by ``a(X) b(Y)``, with

    a(x) = mu + s [x in E] - r t [x in F],    b(y) = nu - r s [y in E] + t [y in F],    mu + nu + (s + t) delta = 2.

It is fair. Under the claim ``E a(X) + E b(Y) = mu + nu + s (P(E) - r Q(E)) + t (Q(F) - r P(F)) <= 2``; X and Y are
independent, so ``E a(X) b(Y) = E a(X) * E b(Y)``, at most 1 by the arithmetic-geometric mean inequality. Fairness
is thus by construction, however well ``mu, nu, s, t`` are chosen; and ``1 - h + h a``, ``1 - h + h b`` is fair too.

They are chosen to maximise the expected log of the factor under believed frequencies of E and F, a concave problem in
three variables. By duality its value is ``min KL(P||P0) + KL(Q||Q0)`` over the laws that keep the claim on E and F: no
fair bet on the two events grows faster. (The additive bet ``1 + stake (f(X) - r f(Y) - delta)`` needs 16 % more pairs
on the best half-line for Laplace noise with true epsilon 4 under a claim of 1, and misses that both sides betray it.)

Source: for one event this is the likelihood ratio against the reverse information projection, as in Turner, Ly,
Gruenwald (arXiv 2106.02693, v3, Theorem 1); the two-event form and its proof are derived here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dpverify.audits.events import STEPS_EACH

Floats = npt.NDArray[np.float64]
MARGIN = 2.0**-40  # taken off every bet's logarithm: above all rounding in it and in sums of millions of them
HEIGHTS = np.arange(STEPS_EACH + 1.0) / STEPS_EACH
SQUARED = np.diff(HEIGHTS**2)  # the mean square of a staircase is this sum of its steps' frequencies
TINY = 1e-300
SMALL = 1e-3  # so that rounding times stake stays below MARGIN
STEPS = 7  # of Newton's method; an inexact optimum costs growth in the second order and fairness nothing


@dataclass(frozen=True)
class Bet:
    """The six values of a and b: on E, on F, and elsewhere. Arrays of one shape, all positive."""

    a_e: Floats
    a_f: Floats
    a_rest: Floats
    b_e: Floats
    b_f: Floats
    b_rest: Floats

    def growth(self, p_e: Floats, q_e: Floats, p_f: Floats, q_f: Floats) -> Floats:
        """Expected logarithm of the wealth factor, in nats per pair, if these are the frequencies."""
        on_x = p_e * np.log(self.a_e) + p_f * np.log(self.a_f) + (1 - p_e - p_f) * np.log(self.a_rest)
        on_y = q_e * np.log(self.b_e) + q_f * np.log(self.b_f) + (1 - q_e - q_f) * np.log(self.b_rest)
        total: Floats = on_x + on_y
        return total

    def hedged(self, share: Floats) -> Bet:
        """The bet with only a share of the stake, in [0, 1]."""
        values = self.a_e, self.a_f, self.a_rest, self.b_e, self.b_f, self.b_rest
        return Bet(*(1.0 - share + share * value for value in values))

    def logs(self) -> LogFactors:
        mu, nu = np.log(self.a_rest), np.log(self.b_rest)
        none = np.zeros_like(mu)
        on_x = np.log(self.a_e) - mu, none, none, np.log(self.a_f) - mu, none, none
        on_y = np.log(self.b_e) - nu, none, none, np.log(self.b_f) - nu, none, none
        return LogFactors(mu + nu - MARGIN, np.stack(on_x, axis=-1), np.stack(on_y, axis=-1))


@dataclass(frozen=True)
class LogFactors:
    """Logarithm of the wealth factor, as a constant and what X or Y adds to it in each of 2 * STEPS_EACH events.

    The first half are steps of E, nested, the largest first; the second half steps of F. ``x`` and ``y`` have one
    axis more than ``constant``. An output in both E and F adds both, which is less than the logarithm of the fair
    value there.
    """

    constant: Floats
    x: Floats
    y: Floats

    def growth(self, p: Floats, q: Floats) -> Floats:
        """Expected logarithm of the wealth factor, if these are the frequencies of the events on d0 and d1."""
        total: Floats = self.constant + (p * self.x).sum(axis=-1) + (q * self.y).sum(axis=-1)
        return total


def staircase_bet(p: Floats, q: Floats, share: Floats, ratio: Floats, delta: float) -> LogFactors:
    """A bet on two staircases: f rises by a third on each of three nested events, g likewise on three others.

    With ``f, g: outputs -> [0, 1]`` in place of the indicators of E and F, the bet of this module is fair for the same
    reason: the claim bounds ``E f(X) - r E f(Y)`` by delta for every such f. Here

        mu = 1 - s f0 + r s g0',    nu = 1 + r s f0' - s g0,    where  f0 = r f0' + delta,  g0 = r g0' + delta,

    so ``mu + nu + 2 s delta = 2`` for any stake s. The means f0, f0' (on d0, d1) and g0', g0 are those at the edge of
    the claim that are nearest to the past ones; for small stakes this mu and nu are the growth-optimal ones.

    Args:
        p, q: past frequencies of the steps on d0 and d1, shape (..., 2 * STEPS_EACH), as in ``LogFactors``.
        share: of the largest stake that leaves every value positive, in (0, 1); shape (...) as ``ratio``.
    """
    f0, f0_y = edge(*_moments(p[..., :STEPS_EACH]), *_moments(q[..., :STEPS_EACH]), ratio, delta)
    g0, g0_x = edge(*_moments(q[..., STEPS_EACH:]), *_moments(p[..., STEPS_EACH:]), ratio, delta)
    largest = np.maximum(f0 + ratio * (1.0 - g0_x), g0 + ratio * (1.0 - f0_y))  # 1 - stake * this is the least value
    stake = share / np.maximum(largest, SMALL)
    mu, nu = 1.0 + stake * (ratio * g0_x - f0), 1.0 + stake * (ratio * f0_y - g0)
    on_x = _climb(mu, stake), _climb(mu, -ratio * stake)
    on_y = _climb(nu, -ratio * stake), _climb(nu, stake)
    constant: Floats = np.log(mu) + np.log(nu) - MARGIN
    return LogFactors(constant, np.concatenate(on_x, axis=-1), np.concatenate(on_y, axis=-1))


def _climb(start: Floats, rise: Floats) -> Floats:
    """Increments of the logarithm from ``start`` to ``start + rise`` in equal steps of the value."""
    levels = start[..., None] + rise[..., None] * HEIGHTS
    increments: Floats = np.diff(np.log(levels), axis=-1)
    return increments


def _moments(steps: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of a staircase, from the frequencies of its steps."""
    mean = steps.mean(axis=-1)
    return mean, steps @ SQUARED - mean * mean


def edge(
    p: Floats, p_variance: Floats, q: Floats, q_variance: Floats, ratio: Floats, delta: float
) -> tuple[Floats, Floats]:
    """Means with ``p0 = ratio q0 + delta`` that are nearest to (p, q) in units of their standard errors."""
    variance = p_variance + ratio**2 * q_variance + TINY
    q0 = np.clip(q + ratio * (p - ratio * q - delta) * q_variance / variance, 0.0, (1.0 - delta) / ratio)
    return ratio * q0 + delta, q0


def standing(p: Floats, q: Floats, ratio: Floats, delta: float) -> Floats:
    """By how many standard errors of one pair the mean of a staircase exceeds the claim."""
    (mean_p, var_p), (mean_q, var_q) = _moments(p), _moments(q)
    z: Floats = (mean_p - ratio * mean_q - delta) / np.sqrt(var_p + ratio**2 * var_q + TINY)
    return z


def best_bet(
    p_e: Floats, q_e: Floats, p_f: Floats, q_f: Floats, ratio: Floats, delta: float, use_e: Floats, use_f: Floats
) -> Bet:
    """The growth-optimal bets for believed frequencies on d0 (``p``) and d1 (``q``) of disjoint events E and F.

    Args:
        ratio: ``e^epsilon``; use_e, use_f: 1.0 where the event is bet on, else 0.0 (its frequencies too).
            All of one shape.
    """
    k = 1.0 / ratio
    kd = k * delta
    rest_p, rest_q = np.maximum(1.0 - p_e - p_f, 1e-12), np.maximum(1.0 - q_e - q_f, 1e-12)
    weights = (p_e, p_f, rest_p, q_e, q_f, rest_q)
    rs, rt, nu = np.zeros_like(p_e), np.zeros_like(p_e), np.ones_like(p_e)
    for _ in range(STEPS):
        values = _values(rs, rt, nu, k, kd)
        d_rs, d_rt, d_nu = _newton(weights, values, k, kd, use_e, use_f)
        d_mu = -d_nu - (d_rs + d_rt) * kd
        changes = (d_mu + d_rs * k, d_mu - d_rt, d_mu, d_nu - d_rs, d_nu + d_rt * k, d_nu)
        fastest = np.full_like(p_e, 0.9)  # how much of its value the value that falls fastest would lose
        for change, value in zip(changes, values, strict=True):
            np.maximum(fastest, -change / value, out=fastest)
        length = 0.9 / fastest
        rs, rt, nu = rs + length * d_rs, rt + length * d_rt, nu + length * d_nu
    values = _values(np.maximum(rs, 0.0), np.maximum(rt, 0.0), nu, k, kd)
    sound = np.all([np.isfinite(v) & (v > 1e-9) for v in values], axis=0)
    return Bet(*(np.where(sound, value, 1.0) for value in values))


def _values(rs: Floats, rt: Floats, nu: Floats, k: Floats, kd: Floats) -> tuple[Floats, ...]:
    """a on E, on F, elsewhere; b on E, on F, elsewhere; from (r s, r t, nu)."""
    mu = 2.0 - nu - (rs + rt) * kd
    return mu + rs * k, mu - rt, mu, nu - rs, nu + rt * k, nu


def _newton(
    weights: tuple[Floats, ...], values: tuple[Floats, ...], k: Floats, kd: Floats, use_e: Floats, use_f: Floats
) -> tuple[Floats, Floats, Floats]:
    """Newton's step for the sum of weighted logarithms, in (r s, r t, nu): a 3 x 3 system at every point."""
    f1, f2, f3, f4, f5, f6 = (w / v for w, v in zip(weights, values, strict=True))
    s1, s2, s3, s4, s5, s6 = (f / v for f, v in zip((f1, f2, f3, f4, f5, f6), values, strict=True))
    fa, up, down = f1 + f2 + f3, k - kd, 1.0 + kd
    g0 = use_e * (k * f1 - kd * fa - f4)
    g1 = use_f * (k * f5 - kd * fa - f2)
    g2 = f4 + f5 + f6 - fa
    h00 = use_e * (up**2 * s1 + kd**2 * (s2 + s3) + s4) + (1.0 - use_e)
    h01 = use_e * use_f * (kd * (down * s2 - up * s1) + kd**2 * s3)
    h02 = use_e * (kd * (s2 + s3) - up * s1 - s4)
    h11 = use_f * (kd**2 * (s1 + s3) + down**2 * s2 + k**2 * s5) + (1.0 - use_f)
    h12 = use_f * (kd * (s1 + s3) + down * s2 + k * s5)
    h22 = s1 + s2 + s3 + s4 + s5 + s6
    c00, c01, c02 = h11 * h22 - h12 * h12, h02 * h12 - h01 * h22, h01 * h12 - h02 * h11
    c11, c12, c22 = h00 * h22 - h02 * h02, h01 * h02 - h00 * h12, h00 * h11 - h01 * h01
    inverse = 1.0 / np.maximum(h00 * c00 + h01 * c01 + h02 * c02, 1e-300)
    return (
        (c00 * g0 + c01 * g1 + c02 * g2) * inverse,
        (c01 * g0 + c11 * g1 + c12 * g2) * inverse,
        (c02 * g0 + c12 * g1 + c22 * g2) * inverse,
    )

"""Many heads, and batches of them, under one claim.

In multi-head attention every head sees the same tokens: replacing one row changes all heads. Their releases are then
one Gaussian mechanism, whose squared ratio of sensitivity to noise is the sum of the heads' (lemma
``attention.joint_heads``). Each head gets a share of that sum. Entries of a batch whose rows belong to different units
share nothing, and each gets the whole claim.
"""

from __future__ import annotations

import math
import operator
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dpverify.certificate import Certificate
from dpverify.checks import finite_array, positive
from dpverify.cross_attention.bounds import Bounds
from dpverify.cross_attention.feature_maps import FeatureMap, Features
from dpverify.cross_attention.functional import Prepared, prepare, release_prepared
from dpverify.cross_attention.heads_release import HeadsRelease
from dpverify.cross_attention.release import (
    MAX_BYTES,
    Release,
    check_capacity,
    check_parameters,
    choose_features,
)
from dpverify.cross_attention.rows import OutOfBounds, Rows, report_moved
from dpverify.errors import CapacityError, InvalidArgument
from dpverify.guarantees import Adjacency, ApproxDP
from dpverify.noise import Gaussian
from dpverify.noise.bits import BitSource, OSBits
from dpverify.spec import contract
from dpverify.spec.attention import joint_heads
from dpverify.spec.noise import gaussian_profile, integer_table_delta, table_error

Array = npt.NDArray[np.float64]
Index = tuple[int, ...]
TRUSTS = ("the operating system's randomness", "the caller's public bounds")
SHARES_OFF = 1e-9  # shares that miss 1 by no more than this are rescaled


@dataclass(frozen=True)
class _Head:
    """A head before its rows are read.

    Attributes:
        index: among the leading axes.
        group: its index along the axes that are not shared: heads of one group see the same units.
        share: of the budget of its group.
    """

    index: Index
    group: Index
    share: float
    prepared: Prepared


@contract(
    relies_on=[table_error.LEMMA],
    enforces=[gaussian_profile.LEMMA, joint_heads.LEMMA, integer_table_delta.LEMMA],
)
def release_heads(
    keys: npt.ArrayLike,
    values: npt.ArrayLike,
    claim: ApproxDP,
    *,
    bounds: Bounds | Sequence[Bounds],
    scale: float | Sequence[float] | None = None,
    features: Features | Sequence[Features] | None = None,
    degree: int | None = None,
    shared_axes: Literal["all"] | Sequence[int] = "all",
    shares: npt.ArrayLike | None = None,
    normaliser_weight: float | Sequence[float] | None = None,
    out_of_bounds: OutOfBounds = "clip",
    bits: BitSource | None = None,
) -> HeadsRelease:
    """Release attention in many heads by the functional mechanism, all together with (epsilon, delta)-DP.

    Bounds, scale, features and normaliser weight are common to all heads, or sequences with one for every head of the
    last leading axis.

    Args:
        keys: shape (h, n, d), or with further leading axes such as (b, h, n, d); private.
        values: shape (h, n, d_v), or (h, n) for one column; private. d_v and n are the same in all heads.
        claim: epsilon > 0 and 0 < delta <= 1/2, for one unit and all heads together.
        bounds, scale, features, degree, normaliser_weight, out_of_bounds, bits: as for
            :func:`dpverify.release_attention`.
        shared_axes: the leading axes along which one unit has a row at every index. "all", the default, is always
            safe: one unit may change one row of every head. (1,) for (b, h, n, d): documents of a batch belong to
            different units, heads of one document do not; () if every head has units of its own.
        shares: of the budget, in the shape of the shared axes; they add up to 1. None means equal ones. A head with
            share w has 1/sqrt(w) times the noise that it would have alone.

    Raises:
        InvalidArgument, HypothesisNotMet, CapacityError: nothing was released then.

    >>> rng = np.random.default_rng(0)
    >>> keys, values = rng.uniform(0, 1, (4, 2000, 2)), np.ones((4, 2000))
    >>> release = release_heads(keys, values, ApproxDP(1.0, 1e-6), bounds=Bounds(shape="positive_box"))
    >>> release.query([[0.2, 0.9]]).shape
    (4, 1, 1)
    >>> release.certificate.delta_upper <= 1e-6
    True
    """
    gaussian_profile.LEMMA.require(epsilon=claim.epsilon, delta=claim.delta)
    if out_of_bounds not in ("clip", "raise"):
        raise InvalidArgument("out_of_bounds", out_of_bounds, "'clip' or 'raise'")
    k, v = _check_data(keys, values)
    leading = k.shape[:-2]
    axes = _check_axes(shared_axes, leading)
    split = _check_shares(shares, tuple(leading[a] for a in axes))
    made = _prepare(
        (k.shape[-2], k.shape[-1], v.shape[-1]),
        _each("bounds", bounds, leading[-1]),
        _each("scale", scale, leading[-1]),
        _each("features", features, leading[-1]),
        _each("normaliser_weight", normaliser_weight, leading[-1]),
        degree,
    )
    plan = [
        _Head(
            index,
            tuple(i for a, i in enumerate(index) if a not in axes),
            float(split[tuple(index[a] for a in axes)]),
            made[index[-1]],
        )
        for index in np.ndindex(leading)
    ]
    _check_total(plan)
    groups: dict[Index, list[_Head]] = defaultdict(list)
    for head in plan:
        groups[head.group].append(head)
    for group in groups.values():
        joint_heads.LEMMA.require(
            sensitivities=[head.prepared.covered for head in group], shares=[head.share for head in group]
        )
    noises = _calibrate(groups.values(), claim)
    delta_upper, mu = max(_profile(group, noises, claim) for group in groups.values())
    integer_table_delta.LEMMA.enforce(delta_upper=delta_upper, delta=claim.delta)

    source = OSBits() if bits is None else bits
    heads, moved = [], defaultdict[Bounds, list[int]](lambda: [0, 0, 0])
    for head in plan:
        parameters = head.prepared.features.parameters
        rows = Rows(parameters.rows, parameters.dimension, parameters.columns, [(k[head.index], v[head.index])])
        inside = rows.inside(parameters.bounds, out_of_bounds)
        state, own = release_prepared(inside, head.prepared, claim, noises[head.index], source)
        details = {**own.details, "head": list(head.index), "share of the claim": head.share}
        heads.append(Release("functional", replace(own, details=details), state, out_of_bounds))
        for i, count in enumerate((rows.moved_keys, rows.moved_values, rows.number)):
            moved[parameters.bounds][i] += count
    for known, (moved_keys, moved_values, number) in moved.items():
        report_moved("keys", moved_keys, number, known.key, out_of_bounds)
        report_moved("values", moved_values, number, known.value, out_of_bounds)
    everywhere = len(axes) == len(leading)
    certificate = Certificate(
        mechanism=f"attention, functional release of {len(plan)} heads as one Gaussian mechanism",
        claim=claim,
        adjacency=Adjacency.REPLACE_ONE,
        delta_upper=delta_upper,
        noise={
            "law": "Gaussian",
            "least_std": min(noise.std for noise in noises.values()),
            "largest_std": max(noise.std for noise in noises.values()),
            "draws": sum(head.prepared.entries for head in plan),
        },
        charges={
            "rounding share of sensitivity": max(h.prepared.covered / h.prepared.sensitivity - 1.0 for h in plan),
            "tables' share of delta": max(_table_charge(group, noises, claim) for group in groups.values()),
        },
        private=source.private,
        details={
            "rows": k.shape[-2],
            "shape of heads": list(leading),
            "one unit": "one row of every head" + ("" if everywhere else f" along axes {list(axes)}"),
            "shares of squared sensitivity / noise": split.tolist(),
            "sensitivity / noise of a unit": mu,
            "noise std of each head": [noise.std for noise in noises.values()],
        },
        trusts=(*TRUSTS, *(() if everywhere else ("no unit has rows at two indices of an axis that is not shared",))),
    )
    return HeadsRelease(tuple(heads), leading, certificate)


def _prepare(
    shape: tuple[int, int, int],
    bounds: Sequence[Bounds],
    scale: Sequence[float | None],
    features: Sequence[Features | None],
    normaliser_weight: Sequence[float | None],
    degree: int | None,
) -> list[Prepared]:
    """One for every head of the last axis, for rows, dimension and columns ``shape``.

    Heads that agree in all of it get the same objects: landmarks are whitened, and saved, once.
    """
    maps: dict[Any, FeatureMap] = {}
    made: dict[Any, Prepared] = {}
    out = []
    for limits, factor, choice, weight in zip(bounds, scale, features, normaliser_weight, strict=True):
        if not isinstance(limits, Bounds):
            raise InvalidArgument("bounds", limits, "dv.Bounds, or a sequence of them")
        c = None if weight is None else positive("normaliser_weight", weight)
        parameters = check_parameters(*shape, limits, factor)
        chosen = choose_features(choice, degree, "functional")
        same = (parameters, id(choice))
        if same not in maps:
            maps[same] = chosen.build(parameters)
            check_capacity(maps[same], "functional")
        if (same, c) not in made:
            made[same, c] = prepare(maps[same], c)
        out.append(made[same, c])
    return out


def _calibrate(groups: Iterable[Sequence[_Head]], claim: ApproxDP) -> dict[Index, Gaussian]:
    """The noise of every head: built for the whole claim, with the head's effective sensitivity in its group.

    Tables are made fine enough for the draws of a group together. Heads that need the same noise share its tables.
    """
    known: dict[tuple[float, float, int], Gaussian] = {}
    noises = {}
    for group in groups:
        draws = sum(head.prepared.entries for head in group)
        effective = joint_heads.effective([h.prepared.covered for h in group], [h.share for h in group])
        for head, size in zip(group, effective, strict=True):
            grid = head.prepared.noise_grid
            if (size, grid, draws) not in known:
                known[size, grid, draws] = Gaussian(size, claim, draws=draws, grid=grid, on_grid=True)
            noises[head.index] = known[size, grid, draws]
    return {index: noises[index] for index in sorted(noises)}


def _profile(group: Sequence[_Head], noises: Mapping[Index, Gaussian], claim: ApproxDP) -> tuple[float, float]:
    """Certified delta of a group at the claim's epsilon, and its ratio mu.

    The lemma's profile at the sensitivities that rounding left, plus what the tables of all draws cost.
    """
    mu = joint_heads.ratio([h.prepared.covered for h in group], [noises[h.index].sigma for h in group])
    profile = gaussian_profile.delta(claim.epsilon, mu, 1.0) * (1 + 1e-10)
    return math.nextafter(profile + _table_charge(group, noises, claim), math.inf), mu


def _table_charge(group: Sequence[_Head], noises: Mapping[Index, Gaussian], claim: ApproxDP) -> float:
    charges = [
        table_error.charge(h.prepared.entries, noises[h.index].law.total_variation, claim.epsilon) for h in group
    ]
    return math.fsum(charges) * (1 + 1e-12)


def _each(name: str, value: Any, heads: int) -> list[Any]:
    """A value for every head of the last axis: ``value`` itself, or its entries if it is a sequence."""
    if not isinstance(value, (list, tuple, np.ndarray)):
        return [value] * heads
    if len(value) != heads:
        raise InvalidArgument(name, f"a sequence of {len(value)}", f"one for all heads, or one for each of {heads}")
    return list(value)


def _check_data(keys: npt.ArrayLike, values: npt.ArrayLike) -> tuple[Array, Array]:
    k, v = finite_array("keys", keys), finite_array("values", values)
    if k.ndim < 3:
        raise InvalidArgument(
            "keys", f"an array of shape {k.shape}", "of shape (h, n, d)", "use dv.release_attention for one head"
        )
    if v.ndim == k.ndim - 1:
        v = v[..., None]
    if v.shape[:-1] != k.shape[:-1]:
        raise InvalidArgument("values", f"an array of shape {v.shape}", f"of shape (*{k.shape[:-1]}, d_v)")
    for name, array in (("keys", k), ("values", v)):
        if 0 in array.shape:
            raise InvalidArgument(name, f"an array of shape {array.shape}", "non-empty along every axis")
    return k, v


def _check_axes(axes: Literal["all"] | Sequence[int], leading: Index) -> Index:
    if isinstance(axes, str) and axes == "all":
        return tuple(range(len(leading)))
    try:
        numbers = sorted(operator.index(axis) for axis in axes)
    except TypeError:
        numbers = [-1]
    if len(set(numbers)) != len(numbers) or not set(numbers) <= set(range(len(leading))):
        raise InvalidArgument(
            "shared_axes", axes, f"'all', or different axes from 0 to {len(leading) - 1}", "'all' is always safe"
        )
    return tuple(numbers)


def _check_shares(shares: npt.ArrayLike | None, shape: Index) -> Array:
    """Positive, of that shape, and adding up to at most 1 exactly."""
    if shares is None:
        return np.reshape(joint_heads.equal_shares(math.prod(shape)), shape)
    given = finite_array("shares", shares)
    if given.shape != shape:
        raise InvalidArgument("shares", f"an array of shape {given.shape}", f"of shape {shape}, as the shared axes")
    total = math.fsum(given.ravel())
    if not (np.all(given > 0) and abs(total - 1.0) <= SHARES_OFF):
        raise InvalidArgument("shares", given.tolist(), "positive, and 1 in total", "divide them by their sum")
    return np.asarray(given / total * (1.0 - 2.0**-50))


def _check_total(plan: Sequence[_Head]) -> None:
    needed = sum(8 * head.prepared.entries for head in plan)
    if needed > MAX_BYTES:
        raise CapacityError(
            f"{len(plan)} heads of {plan[0].prepared.entries:,} numbers need {needed:,} bytes, above the limit of "
            f"{MAX_BYTES:,}; lower degree or the number of landmarks, or release fewer heads"
        )

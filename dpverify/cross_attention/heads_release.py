"""What a release of many heads answers, and how it is stored."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from dpverify.certificate import Certificate
from dpverify.checks import finite_array, probability
from dpverify.cross_attention import storage
from dpverify.cross_attention.accuracy import Simultaneous
from dpverify.cross_attention.release import Release
from dpverify.errors import InvalidArgument

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class HeadsRelease:
    """Private attention in several heads: any number of adaptive queries at no further privacy cost.

    Attributes:
        heads: one release for every head, in C order of ``leading``. Each carries the claim of all together; do not
            add their claims up.
        leading: shape of the heads, such as (h,) or (b, h).
        certificate: of all heads together.
    """

    heads: tuple[Release, ...]
    leading: tuple[int, ...]
    certificate: Certificate

    def query(self, queries: npt.ArrayLike) -> Array:
        """Private attention of every head at its queries.

        Args:
            queries: shape (*leading, m, d), or one that broadcasts to it, such as (m, d): the same for all heads.
                Further axes may stand before them.

        Returns:
            Shape (..., *leading, m, d_v).

        Warns:
            OutOfBoundsWarning, DrownedDenominatorWarning: for each head by itself.
        """
        return self._by_head(queries, lambda head, rows: head.query(rows))

    def standard_error(self, queries: npt.ArrayLike) -> Array:
        """One standard deviation of each answer of :meth:`query` due to the noise, in its shape."""
        return self._by_head(queries, lambda head, rows: head.standard_error(rows))

    def drowned(self, queries: npt.ArrayLike) -> Flags:
        """Which normalisers are drowned in noise, as :meth:`Release.drowned` says; shape (..., *leading, m)."""
        return self._by_head(queries, lambda head, rows: head.drowned(rows)).astype(bool)

    @overload
    def error_bound(self, failure_probability: float, simultaneous: Simultaneous = False) -> float: ...
    @overload
    def error_bound(
        self, failure_probability: float, simultaneous: Simultaneous = False, *, queries: npt.ArrayLike
    ) -> Array: ...
    def error_bound(
        self,
        failure_probability: float,
        simultaneous: Simultaneous = False,
        queries: npt.ArrayLike | None = None,
    ) -> float | Array:
        """Bound on every entry of |answer - exact attention| in all heads at once, as :meth:`Release.error_bound`.

        It holds with probability at least 1 - failure_probability, of which every head gets an equal part: for one
        query of each head, or, if ``simultaneous``, for all queries of all heads.

        Args:
            queries: None: one number for all heads. Or as for :meth:`query`: shape (..., *leading, m).
        """
        part = probability("failure_probability", failure_probability) / len(self.heads)
        if queries is None:
            return max(head.error_bound(part, simultaneous) for head in self.heads)
        return self._by_head(queries, lambda head, rows: head.error_bound(part, simultaneous, queries=rows))

    def _by_head(self, queries: npt.ArrayLike, ask: Callable[[Release, Array], npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """What ``ask`` says of each head and its queries of shape (m, d): shape (..., *leading, m) and what it adds."""
        rows = finite_array("queries", queries)
        leading, dimension = self.leading, self.heads[0].state.parameters.dimension
        needed = f"of shape (*{leading}, m, {dimension}) or (m, {dimension})"
        if rows.ndim < 2 or rows.shape[-1] != dimension:
            raise InvalidArgument("queries", f"of shape {rows.shape}", needed, "as wide as the keys were")
        try:
            outer = np.broadcast_shapes(rows.shape[:-2], leading)
        except ValueError:
            outer = ()
        batch = outer[: max(0, len(outer) - len(leading))]
        if outer != (*batch, *leading):
            raise InvalidArgument("queries", f"of shape {rows.shape}", needed)
        flat = np.broadcast_to(rows, (*outer, *rows.shape[-2:])).reshape(-1, len(self.heads), *rows.shape[-2:])
        found = [ask(head, flat[:, j].reshape(-1, dimension)) for j, head in enumerate(self.heads)]
        apart = [answer.reshape(len(flat), rows.shape[-2], *answer.shape[1:]) for answer in found]
        return np.stack(apart, axis=1).reshape(*outer, *apart[0].shape[1:])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all heads to one file, whole or not at all; :func:`dpverify.load_release` reads it.

        It holds what :meth:`Release.save` would write for each; arrays that heads have in common are written once.
        """
        arrays: dict[str, npt.NDArray[Any]] = {}
        names: dict[int, str] = {}
        heads = []
        for j, head in enumerate(self.heads):
            parts = head.state.arrays()
            for part, array in parts.items():
                if id(array) not in names:
                    names[id(array)] = f"{j}.{part}"
                    arrays[f"{j}.{part}"] = array
            heads.append({**head.to_dict(), "arrays": {part: names[id(array)] for part, array in parts.items()}})
        contents = {"heads": heads, "leading": list(self.leading), "certificate": self.certificate.to_dict()}
        storage.write(path, contents, arrays)

    @classmethod
    def from_parts(cls, data: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> HeadsRelease:
        """What :meth:`save` wrote; KeyError, TypeError or ValueError if it is something else."""
        heads = [
            Release.from_parts(head, {part: arrays[name] for part, name in head["arrays"].items()})
            for head in data["heads"]
        ]
        leading = tuple(data["leading"])
        if len(heads) != math.prod(leading) or not heads:
            raise ValueError(f"there are {len(heads)} heads for the shape {leading}")
        return cls(tuple(heads), leading, Certificate.from_dict(data["certificate"]))

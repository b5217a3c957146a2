"""Read a release file back, of one head or of many."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.certificate import Certificate
from dpverify.cross_attention import storage
from dpverify.cross_attention.heads_release import HeadsRelease
from dpverify.cross_attention.integer_sums import Grids
from dpverify.cross_attention.lazy import ARRAYS, LazyState, gather, noise_of
from dpverify.cross_attention.lazy_kernel import LazyKernel
from dpverify.cross_attention.parameters import Parameters
from dpverify.cross_attention.release import Release
from dpverify.cross_attention.rows import read_rows, report_moved
from dpverify.errors import InvalidArgument, ReleaseFileError
from dpverify.guarantees import ApproxDP
from dpverify.noise import Gaussian
from dpverify.noise.bits import BitSource, OSBits


def load_release(
    path: str | os.PathLike[str],
    *,
    keys: Any = None,
    values: Any = None,
    rows: int | None = None,
    bits: BitSource | None = None,
) -> Release | HeadsRelease:
    """Read a release file.

    Args:
        keys, values, rows: only for a release with ``method="lazy"``, which needs its private rows to go on: as they
            were given to :func:`dpverify.release_attention`. Noise as implausible as 1e-12 shows other rows; the
            privacy of the release itself hides a difference of few.
        bits: only with them: None for the operating system's randomness.

    Returns:
        What ``save`` was called on. A lazy release continues in this file, and only there: do not copy the file and
        continue both.

    Raises:
        FileNotFoundError: there is no such file.
        ReleaseFileError: it is not a release, is damaged, or was changed.
        InvalidArgument: rows are missing, are not wanted, or are not those that were released.
    """
    contents, arrays, digest = storage.read_with_digest(path)
    lazy = contents.get("method") == "lazy"
    given = {"keys": keys, "values": values, "rows": rows, "bits": bits}
    for name, value in given.items():
        if value is not None and not lazy:
            raise InvalidArgument(name, "given", f"left out for {path}, which answers without private rows")
    if lazy:
        return _continued(path, contents, arrays, digest, given)
    kind = HeadsRelease if "heads" in contents else Release
    try:
        return kind.from_parts(contents, arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str | os.PathLike[str], error: Exception) -> ReleaseFileError:
    return ReleaseFileError(f"{path} is not a release that this version can read: {error!r}")


def _continued(
    path: str | os.PathLike[str],
    contents: dict[str, Any],
    arrays: storage.Arrays,
    digest: str,
    given: dict[str, Any],
) -> Release:
    """A lazy release with its rows."""
    if given["keys"] is None:
        raise InvalidArgument(
            "keys",
            None,
            f"given for {path}, a lazy release",
            "it cannot answer without its private rows: pass keys=, values= as they were released; for a file that "
            "answers by itself use method='functional'",
        )
    try:
        certificate = Certificate.from_dict(contents["certificate"])
        kernel, grids, noise = _check_stored(contents["state"], arrays, certificate.claim)
        policy = contents["out_of_bounds"]
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(path, error) from error
    parameters, bounds = kernel.parameters, kernel.parameters.bounds
    data = read_rows(given["keys"], given["values"], given["rows"])
    found, wanted = (
        (data.number, data.dimension, data.columns),
        (parameters.rows, parameters.dimension, parameters.columns),
    )
    if found != wanted:
        raise InvalidArgument(
            "keys, values",
            "{} rows of {} and {} columns".format(*found),
            "those that were released, {} rows of {} and {} columns".format(*wanted),
        )
    bits = OSBits() if given["bits"] is None else given["bits"]
    state = LazyState(kernel, grids, noise, gather(data.inside(bounds, policy)), bits)
    state.resume(arrays)
    report_moved("keys", data.moved_keys, data.number, bounds.key, policy)
    report_moved("values", data.moved_values, data.number, bounds.value, policy)
    release = Release("lazy", replace(certificate, private=certificate.private and bits.private), state, policy)
    # what the file holds from now on; a seeded continuation says so there too
    state.at(path, release.to_dict(), digest)
    return release


def _check_stored(
    data: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]], claim: ApproxDP
) -> tuple[LazyKernel, Grids, Gaussian]:
    """The public numbers that a file describes; KeyError, TypeError or ValueError if it describes no lazy release."""
    kernel = LazyKernel(Parameters.from_dict(data["parameters"]), data["max_queries"])
    grids = Grids(**data["grids"])
    noise = noise_of(kernel, grids, claim)
    stored = (data["jitter"], data["unit"], data["sigma"])
    if not np.allclose((kernel.jitter, noise.grid, noise.sigma), stored, rtol=1e-9, atol=0.0):
        raise ValueError("it was made with other constants")
    points, coefficients, sums = (arrays[name] for name in ARRAYS)
    shape = (len(points), kernel.parameters.columns + 1)
    if points.shape[1:] != (kernel.parameters.dimension,) or {coefficients.shape, sums.shape} != {shape}:
        raise ValueError(f"queries have shape {points.shape}, answers {coefficients.shape} and {sums.shape}")
    if [points.dtype, coefficients.dtype, sums.dtype] != [np.float64, np.int64, np.float64]:
        raise ValueError(f"queries and answers have types {points.dtype}, {coefficients.dtype} and {sums.dtype}")
    if len({row.tobytes() for row in points}) != len(points) or len(points) > kernel.max_queries:
        raise ValueError(f"{len(points)} queries are not different, or too many")
    return kernel, grids, noise

"""Arrays from and to .npy and .csv files."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from dpverify.atomic import write_whole
from dpverify.errors import InvalidArgument


def read_array(argument: str, path: str) -> npt.NDArray[np.float64]:
    """A numeric array from .npy (never pickled) or .csv (comma separated, an optional header line).

    Raises:
        FileNotFoundError, InvalidArgument: naming the option and the file.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".npy", ".csv"):
        raise InvalidArgument(argument, path, "a .npy or .csv file")
    try:
        if suffix == ".npy":
            array = np.load(path, allow_pickle=False)
        else:
            array = np.loadtxt(path, delimiter=",", ndmin=2, skiprows=_header_lines(path))
    except FileNotFoundError:
        raise
    except (ValueError, OSError, EOFError) as error:
        raise InvalidArgument(argument, path, f"a readable {suffix} file of numbers ({error})") from error
    if array.dtype.kind not in "fiub":
        raise InvalidArgument(argument, path, f"an array of numbers, not of dtype {array.dtype}")
    return np.asarray(array, dtype=np.float64)


def write_array(path: str, array: npt.NDArray[np.float64], option: str = "--output") -> None:
    """Write .npy or .csv, whole or not at all."""
    suffix = check_suffix(path, option)
    if suffix == ".csv" and array.ndim > 2:
        raise InvalidArgument(option, path, f"a .npy file, since the answers have shape {array.shape}")

    def write(file: IO[bytes]) -> None:
        if suffix == ".npy":
            np.save(file, array, allow_pickle=False)
        else:
            np.savetxt(file, array, delimiter=",", fmt="%.17g")

    write_whole(option, path, write)


def check_suffix(path: str, option: str) -> str:
    """.npy or .csv; InvalidArgument for any other."""
    suffix = Path(path).suffix.lower()
    if suffix not in (".npy", ".csv"):
        raise InvalidArgument(option, path, "a .npy or .csv file")
    return suffix


def _header_lines(path: str) -> int:
    """1 if the first line is not numbers, else 0."""
    with open(path, encoding="utf-8") as file:
        first = file.readline()
    try:
        [float(cell) for cell in first.split(",")]
    except ValueError:
        return 1
    return 0

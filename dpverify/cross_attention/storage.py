"""Release files: one .npz archive without pickled objects, written whole or not at all, checked when read."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from dpverify.atomic import write_whole
from dpverify.errors import ReleaseFileError

FORMAT = "dpverify release 1"
Arrays = dict[str, npt.NDArray[Any]]


def write(path: str | os.PathLike[str], contents: Mapping[str, Any], arrays: Arrays) -> None:
    """Write public contents (plain data) and integer arrays to ``path``."""
    header = json.dumps({"format": FORMAT, **contents}, sort_keys=True, allow_nan=False)
    parts: dict[str, Any] = {"header": _text(header), "digest": _text(_digest(header, arrays)), **arrays}
    write_whole("path", path, lambda file: np.savez_compressed(file, **parts))


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], Arrays]:
    """Inverse of :func:`write`. The digest finds damage, not forgery: who writes the file can write a digest too.

    Raises:
        FileNotFoundError: there is no such file.
        ReleaseFileError: it is not a release, is damaged, or was changed.
    """
    try:
        with open(path, "rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("it holds a single array")
            contents = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError) as error:
        raise ReleaseFileError(f"{path} is not a readable release file: {error}") from error
    except Exception as error:
        # a damaged archive fails in many ways (zlib.error, KeyError, struct.error, ...)
        raise ReleaseFileError(f"{path} is damaged: {type(error).__name__}: {error}") from error
    try:
        header = bytes(contents.pop("header")).decode()
        digest = bytes(contents.pop("digest")).decode()
    except (KeyError, UnicodeDecodeError) as error:
        raise ReleaseFileError(f"{path} is not a release file: it has no {error}") from error
    if any(array.dtype != np.int64 for array in contents.values()):
        raise ReleaseFileError(f"{path} is not a release file: it holds arrays that are not integers")
    if _digest(header, contents) != digest:
        raise ReleaseFileError(f"{path} is damaged or was changed: its contents do not match its digest")
    decoded = json.loads(header)
    if decoded.get("format") != FORMAT:
        raise ReleaseFileError(f"{path} has the format {decoded.get('format')!r}; this version reads {FORMAT!r}")
    return decoded, contents


def _text(text: str) -> npt.NDArray[np.uint8]:
    return np.frombuffer(text.encode(), dtype=np.uint8)


def _digest(header: str, arrays: Arrays) -> str:
    hashed = hashlib.sha256(header.encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        hashed.update(f"\n{name} {array.shape}\n".encode())
        hashed.update(array.astype("<i8", copy=False).tobytes())
    return hashed.hexdigest()

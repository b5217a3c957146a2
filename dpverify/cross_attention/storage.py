"""Release files: one .npz archive without pickled objects, written whole or not at all, checked when read."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import zipfile
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from dpverify.atomic import write_whole
from dpverify.errors import ReleaseFileError

if sys.platform != "win32":
    import fcntl

FORMAT = "dpverify release 2"
Arrays = dict[str, npt.NDArray[Any]]


def write(path: str | os.PathLike[str], contents: Mapping[str, Any], arrays: Arrays) -> str:
    """Write public contents (plain data) and arrays of integers (noisy) or floats (public parameters) to ``path``.

    Returns:
        The file's digest.
    """
    header = json.dumps({"format": FORMAT, **contents}, sort_keys=True, allow_nan=False)
    digest = _digest(header, arrays)
    parts: dict[str, Any] = {"header": _text(header), "digest": _text(digest), **arrays}
    write_whole("path", path, lambda file: np.savez_compressed(file, **parts), durable=True)
    return digest


def rewrite(path: str | os.PathLike[str], contents: Mapping[str, Any], arrays: Arrays, digest: str) -> str:
    """Write over the file of that digest; where the system has advisory locks, no two processes at once.

    Returns:
        The new file's digest.

    Raises:
        ReleaseFileError: the file has gone or is another one. It is left alone.
    """
    try:
        with open(path, "rb") as file:
            locked = _locked(file)
            if os.path.samestat(os.fstat(file.fileno()), os.stat(path)) and _stored_digest(file) == digest:
                if not locked:
                    file.close()  # without such locks, systems do not replace an open file either
                return write(path, contents, arrays)
    except FileNotFoundError:
        pass
    raise ReleaseFileError(
        f"{path} is no longer the file that this release wrote: it has gone, or was continued elsewhere. Two "
        "continuations would answer with different noise; load the file again, or save to another path if nothing "
        "else continues this release"
    )


def _locked(file: IO[bytes]) -> bool:
    """Wait for the lock of an open file, given up when the file is closed; False if the system has none."""
    if sys.platform == "win32":
        return False
    fcntl.flock(file, fcntl.LOCK_EX)
    return True


def _stored_digest(file: IO[bytes]) -> str:
    try:
        with np.load(file, allow_pickle=False) as archive:
            return bytes(archive["digest"]).decode()
    except Exception:  # a damaged archive fails in many ways, and is not the file that was written
        return ""


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], Arrays]:
    """Inverse of :func:`write`. The digest finds damage, not forgery: who writes the file can write a digest too.

    Raises:
        FileNotFoundError: there is no such file.
        ReleaseFileError: it is not a release, is damaged, or was changed.
    """
    return read_with_digest(path)[:2]


def read_with_digest(path: str | os.PathLike[str]) -> tuple[dict[str, Any], Arrays, str]:
    """The same with the file's digest, which :func:`rewrite` asks for.

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
    if any(array.dtype not in (np.int64, np.float64) for array in contents.values()):
        raise ReleaseFileError(f"{path} is not a release file: it holds arrays of other types than int64 and float64")
    if _digest(header, contents) != digest:
        raise ReleaseFileError(f"{path} is damaged or was changed: its contents do not match its digest")
    decoded = json.loads(header)
    if decoded.get("format") != FORMAT:
        raise ReleaseFileError(f"{path} has the format {decoded.get('format')!r}; this version reads {FORMAT!r}")
    return decoded, contents, digest


def _text(text: str) -> npt.NDArray[np.uint8]:
    return np.frombuffer(text.encode(), dtype=np.uint8)


def _digest(header: str, arrays: Arrays) -> str:
    hashed = hashlib.sha256(header.encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        hashed.update(f"\n{name} {array.dtype.kind} {array.shape}\n".encode())
        hashed.update(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return hashed.hexdigest()

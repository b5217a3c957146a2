"""Write a file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from dpverify.errors import InvalidArgument


def write_whole(
    argument: str, path: str | os.PathLike[str], write: Callable[[IO[bytes]], None], *, durable: bool = False
) -> None:
    """Let ``write`` fill a file beside ``path`` and move it there when it is complete.

    Args:
        argument: what to call the path in an error message.
        durable: have the file and its name on disk before returning, so that not even a power cut loses it.

    Raises:
        InvalidArgument: the folder does not exist. Whatever ``write`` raises passes through; an old file at
            ``path`` is then untouched, and nothing else is left behind.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise InvalidArgument(argument, str(path), "in a folder that exists", f"create {target.parent} first")
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=target.name, suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, target)
        if durable and os.name == "posix":
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise

"""A lock between processes: a small file that one process at a time holds, and that its end releases in any case."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dpverify.audits.errors import EvidenceLocked

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(descriptor: int) -> None:
        # flock, not lockf: it belongs to this descriptor, so threads of one process exclude each other too
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class HeldLock:
    """A lock file held until :meth:`release`, or until the object or its process is gone."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path, self._descriptor = path, descriptor

    def release(self, *, remove: bool = False) -> None:
        """Let go. ``remove`` the file only where nobody else can be waiting for it."""
        if self._descriptor < 0:
            return
        os.close(self._descriptor)
        self._descriptor = -1
        if remove:
            with suppress(FileNotFoundError):
                self.path.unlink()

    def __del__(self) -> None:
        self.release()


def try_lock(path: Path) -> HeldLock | None:
    """The lock, or None if somebody holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _take(descriptor)
    except (BlockingIOError, PermissionError):
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return HeldLock(path, descriptor)


@contextmanager
def locked(path: Path, timeout: float) -> Iterator[None]:
    """Hold the lock during the block.

    Raises:
        EvidenceLocked: somebody else held it for ``timeout`` seconds.
        OSError: the folder cannot be written to, or its file system knows no locks.
    """
    deadline = time.monotonic() + timeout
    while (held := try_lock(path)) is None:
        if time.monotonic() >= deadline:
            raise EvidenceLocked(str(path), timeout)
        time.sleep(0.01)
    try:
        yield
    finally:
        held.release()

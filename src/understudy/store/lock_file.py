"""One process a file: an advisory lock beside the database, with the owner's pid in it.

SQLite's own locks would refuse a second process too, but only say that the database is locked. The
lock is the kernel's (flock(2)) and ends with the process, however it ends; the file stays.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from understudy.ports import StoreLockedError, StoreUnreachableError

__all__ = ["LockFile"]


class LockFile:
    """A lock that is held from the making of this object to `release`."""

    def __init__(self, database: Path) -> None:
        """Take it.

        Raises:
            StoreLockedError: another process has it.
            StoreUnreachableError: the file can't be made.
        """
        path = database.with_name(f"{database.name}.lock")
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnreachableError(f"{path} can't be opened: {error.strerror}") from None
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = _pid(os.pread(self._handle, 32, 0))
            os.close(self._handle)
            who = "another process" if pid is None else f"process {pid}"
            raise StoreLockedError(
                f"{database} is in use by {who}; one SQLite store serves one process, several "
                "need PostgreSQL",
                pid,
            ) from None
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another process have it."""
        os.ftruncate(self._handle, 0)
        os.close(self._handle)


def _pid(text: bytes) -> int | None:
    digits = text.strip()
    return int(digits) if digits.isdigit() else None

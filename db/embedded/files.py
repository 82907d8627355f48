"""Locks, and directories that only root may write to."""

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from core.files import open_private
from db.embedded.errors import EmbeddedPostgresError

_LOCK_TIMEOUT_SECONDS: Final = 150.0


def root_only_directory(path: Path) -> Path:
    """Return a directory that root owns, nobody else may write to and everybody may cross; make it if it is missing.

    Raises:
        EmbeddedPostgresError: somebody else made it, or may write to it.
    """
    try:
        path.mkdir(parents=True)
        path.chmod(0o755)
    except FileExistsError:
        pass
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
        raise EmbeddedPostgresError(
            f"{path} must be a directory that root owns and that nobody else may write to; remove it, or correct it."
        )
    return path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file; the system frees it if the process dies.

    Raises:
        EmbeddedPostgresError: another process held it for 150 s.
    """
    descriptor = open_private(path, os.O_RDWR)
    try:
        give_up = time.monotonic() + _LOCK_TIMEOUT_SECONDS
        while not try_lock(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > give_up:
                raise EmbeddedPostgresError(f"Another process has been holding {path} for too long; is it stopped?")
            time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)


def try_lock(descriptor: int, kind: int) -> bool:
    """Take a lock of `kind` (fcntl.LOCK_SH or LOCK_EX) if it is free at once."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

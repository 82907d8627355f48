"""What can keep the embedded PostgreSQL from serving: each message is a sentence for the operator, and a way out."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_NO_SPACE: Final = "No space left on device"


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot be used; the message says why and what to do. It never holds the password."""


class DiskFullError(EmbeddedPostgresError):
    """There is no room left for the database."""


class WrongVersionError(EmbeddedPostgresError):
    """The data directory was made by another major version of PostgreSQL."""


class StartError(EmbeddedPostgresError):
    """initdb or the server ended with an error; the message ends with what it wrote."""


class StartTimeoutError(EmbeddedPostgresError):
    """The server did not accept connections in time. It is left running: a recovery must not begin again."""


def failed(what: str, output: str, where: Path) -> EmbeddedPostgresError:
    """Return the error for a program that ended badly after writing `output`; `where` is what it worked on."""
    if _NO_SPACE in output:
        return disk_full(where)
    return StartError(f"{what} failed on {where}. Its last words:\n{output.strip()[-2000:] or '(none)'}")


def disk_full(where: Path) -> DiskFullError:
    """Return the error for a full disk under `where`."""
    return DiskFullError(f"The disk that holds {where} is full. Free some space, or set DATA_DIR to another disk.")


@contextmanager
def explained(root: Path) -> Iterator[None]:
    """Turn the operating system's refusals within the block into an EmbeddedPostgresError that names `root`."""
    try:
        yield
    except OSError as error:
        # copytree gathers its errors into one, without a number.
        if error.errno == errno.ENOSPC or _NO_SPACE in str(error):
            raise disk_full(root) from error
        raise EmbeddedPostgresError(
            f"The embedded PostgreSQL cannot use {root}: {error.strerror or error} ({error.filename or 'no path'}). "
            "Run as the owner of that directory, set DATA_DIR to one that you own, or set DATABASE_URL."
        ) from error

"""Files of mode 0600: written whole or not at all, and secrets that are made once and kept in one."""

import os
from collections.abc import Callable
from pathlib import Path


def open_private(path: Path, flags: int) -> int:
    """Open a file of mode 0600 and return its descriptor; make it, for the owner of its directory, if it is missing.

    Root making a file in a user's directory must not lock the user out; and a link that a user put there must not
    make root open, or give away, a file elsewhere.
    """
    flags |= os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return os.open(path, flags)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600, whole or not at all, also through a power failure."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(open_private(draft, os.O_WRONLY), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory survive a power failure."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def kept_secret(path: Path, make: Callable[[], str]) -> str:
    """Return the secret kept in a file; made at the first call, once, however many processes begin together."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        draft = path.with_name(f"{path.name}.{os.getpid()}.new")
        write_private(draft, make())
        try:
            # Unlike a rename, a link does not replace what another process was quicker to put there.
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text(encoding="utf-8").strip()

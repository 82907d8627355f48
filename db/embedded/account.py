"""The operating system's account that the server runs as. PostgreSQL refuses to run as root."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from db.embedded.errors import EmbeddedPostgresError

# An account of our own, where the operator made one; PostgreSQL's, where a package did; `nobody` exists everywhere.
# A private number without a name would be better than the shared `nobody`, but initdb refuses an unnamed account.
# What `nobody` shares with others of that name is kept apart by scram and by directories of mode 0700 only.
_CANDIDATES: Final = ("colloquy", "postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """Who runs the server; `switched` says that it is not the account of this process."""

    uid: int
    gid: int
    switched: bool

    def popen_options(self) -> dict[str, Any]:
        """Return the arguments of subprocess that make a child run as this account, and in no other group."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switched else {}

    def give(self, path: Path) -> None:
        """Make this account the owner of a path that we have just made."""
        if self.switched:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def can_reach(self, path: Path) -> bool:
        """Tell whether this account may enter `path` (or execute it, a file) and every directory above it."""
        return not self.switched or all(self._may_enter(part.stat()) for part in (path, *path.parents))

    def _may_enter(self, found: os.stat_result) -> bool:
        if found.st_uid == self.uid:
            return bool(found.st_mode & stat.S_IXUSR)
        return bool(found.st_mode & (stat.S_IXGRP if found.st_gid == self.gid else stat.S_IXOTH))


def server_account(root: Path) -> Account:
    """Return the account for the server of `root`: our own, or, as root, the owner of what is there.

    So a database that an ordinary user began stays that user's, also when it is started with sudo once.

    Raises:
        EmbeddedPostgresError: this process is root, and the machine has no account to switch to.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), switched=False)
    for path in (root / "data", root):
        if path.exists() and (owner := path.stat()).st_uid != 0:
            return Account(owner.st_uid, owner.st_gid, switched=True)
    for name in _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, switched=True)
    raise EmbeddedPostgresError(
        "PostgreSQL refuses to run as root, and this machine has no account named "
        f"{', '.join(_CANDIDATES)}. Make one (useradd --system colloquy), run as an ordinary user, or set DATABASE_URL."
    )

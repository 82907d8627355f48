"""Where the parts of an embedded server live.

Below its root (`DATA_DIR/pg`):

    data/         the cluster, the server account's own; or a link to it
    socket/       the directory of the Unix socket; or a link to a short private one under the system's temp directory
    password      the owner role's, mode 0600
    postgres.log  what the server says, mode 0600
    users.lock    a shared lock for each process that uses the server: the last one out stops it
    start.lock    held while the server is looked at, started or stopped

Root's data directory may be out of reach for the account that the server runs as (DATA_DIR under /root, mode 0700).
No directory that is not ours is opened up for it: the cluster is then made below `/var/lib/colloquy`, which must be
kept (backed up, mounted) like DATA_DIR itself, and `data` links to it.
"""

import os
import re
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from db.embedded.account import Account
from db.embedded.errors import EmbeddedPostgresError
from db.embedded.files import root_only_directory

log = structlog.get_logger(__name__)

SYSTEM_DIR: Final = Path("/var/lib/colloquy")
SOCKET_PORT: Final = 5432
# 107 bytes on Linux, 103 on macOS and the BSDs.
_LONGEST_SOCKET_PATH: Final = 103
# A comma separates hosts in a libpq URL, `%` and `+` are read differently by its many readers.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./-]+")


@dataclass(frozen=True)
class Layout:
    """One embedded server: its places, its programs and how it is to run."""

    root: Path
    data: Path
    socket: Path
    programs: Path
    account: Account
    durable: bool

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.root / "postgres.log"


def make_root(root: Path) -> None:
    """Make the root directory: ours alone, but root lets the server's account cross it."""
    if not root.is_dir():
        root.mkdir(parents=True, exist_ok=True)
        root.chmod(0o711 if os.geteuid() == 0 else 0o700)


def data_directory(root: Path, account: Account, system_dir: Path) -> Path:
    """Return where the cluster is, or is to be made: the real path, which the server's account can reach.

    Raises:
        EmbeddedPostgresError: it is out of reach, or the place that the link names is gone.
    """
    link = root / "data"
    if not link.is_symlink() and not link.exists() and not account.can_reach(root):
        home = Path(tempfile.mkdtemp(prefix="pg-", dir=root_only_directory(system_dir)))
        (home / "used-by").write_text(f"{root}\n", encoding="utf-8")
        home.chmod(0o711)
        link.symlink_to(home / "data")
        log.warning("postgres_data_elsewhere", data=str(home), reason=f"uid {account.uid} cannot reach {root}")
    data = Path(os.path.realpath(link))
    if not data.parent.is_dir():
        raise EmbeddedPostgresError(
            f"The database was kept in {data}, which is gone. Bring it back (a volume that is not mounted?), "
            f"or remove {link} to begin with an empty one."
        )
    if not account.can_reach(data.parent):
        raise EmbeddedPostgresError(
            f"The database in {data} belongs to uid {account.uid}, which cannot reach it any more: "
            "a directory above it has lost its x permission."
        )
    return data


def socket_directory(root: Path, account: Account) -> Path:
    """Return the socket's directory, made if it is missing; a running server's stays the same."""
    link = root / "socket"
    if link.is_symlink():
        target = link.readlink()
        if _is_private(target, account):
            return target
        link.unlink()
    elif _is_short_and_plain(link) and account.can_reach(root):
        if _is_private(link, account):
            return link
        raise EmbeddedPostgresError(f"{link} must belong to uid {account.uid} with mode 0700; remove it.")
    elif link.exists():
        shutil.rmtree(link)
    target = _private_temp_directory(account)
    link.symlink_to(target)
    return target


def _is_private(path: Path, account: Account) -> bool:
    """Make the directory if nothing is there, and tell whether only the server's account can write to it."""
    try:
        path.mkdir(mode=0o700)
        account.give(path)
    except FileExistsError:
        pass
    except OSError:
        return False
    found = path.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == account.uid and not found.st_mode & 0o077


def _is_short_and_plain(directory: Path) -> bool:
    path = os.fsencode(directory / f".s.PGSQL.{SOCKET_PORT}")
    return len(path) <= _LONGEST_SOCKET_PATH and _PLAIN.fullmatch(str(directory)) is not None


def _private_temp_directory(account: Account) -> Path:
    for base in map(Path, (tempfile.gettempdir(), "/tmp", "/var/tmp")):  # noqa: S108 - mkdtemp below makes it private
        if base.is_dir() and _is_short_and_plain(base / "colloquy-12345678") and account.can_reach(base):
            path = Path(tempfile.mkdtemp(prefix="colloquy-", dir=base))
            account.give(path)
            return path
    raise EmbeddedPostgresError("There is no temp directory for PostgreSQL's socket: set TMPDIR to a short path.")

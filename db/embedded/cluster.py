"""The cluster on disk: made once, whole or not at all, and by one major version of PostgreSQL."""

import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from core.files import sync_directory, write_private
from db.embedded.binaries import POSTGRES_MAJOR
from db.embedded.errors import EmbeddedPostgresError, StartError, WrongVersionError, failed
from db.embedded.layout import Layout

OWNER: Final = "colloquy"
# Nothing else goes along: our environment may hold keys, and a PGDATA or PGPORT in it means another server.
ENVIRONMENT: Final = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
# More of them (4096 are usual) protect a password that can be guessed. Ours have 256 random bits, and with more of them
# to connect would take three times as long.
SCRAM_ITERATIONS: Final = 1
# Objects below this number are PostgreSQL's own, so initdb's.
_FIRST_USER_OID: Final = 16384
_INITDB_TIMEOUT_SECONDS: Final = 120


def load_password(root: Path) -> str:
    """Return the owner role's password, made at the first call (256 random bits)."""
    path = root / "password"
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32))
    return path.read_text(encoding="utf-8").strip()


def ensure_cluster(layout: Layout, password: str) -> None:
    """Make the cluster if there is none; what an interrupted initdb left is made again.

    Raises:
        WrongVersionError: another major version made it.
        DiskFullError, StartError: initdb failed.
        EmbeddedPostgresError: it holds databases, but lacks the files that a server needs.
    """
    data = layout.data
    if (data / "PG_VERSION").is_file() and (data / "global" / "pg_control").is_file():
        _check_version(data)
        # A volume's mount options (fsGroup) may have opened it up, which PostgreSQL refuses.
        data.chmod(0o700)
        return
    if data.exists():
        if any(int(entry.name) >= _FIRST_USER_OID for entry in data.glob("base/[0-9]*")):
            raise EmbeddedPostgresError(
                f"{data} holds databases, but its control file is missing: the disk lost it, or somebody removed it. "
                f"Restore a backup, or move {data} away to begin with an empty database."
            )
        shutil.rmtree(data)
    for leftover in data.parent.glob("data.new-*"):
        # An initdb whose parent was killed may still be writing into its own; the next call gets it.
        _remove(leftover)
    _make_cluster(layout, password)


def _make_cluster(layout: Layout, password: str) -> None:
    draft = Path(tempfile.mkdtemp(prefix="data.new-", dir=layout.data.parent))
    password_file = draft.with_name(draft.name + ".password")
    try:
        layout.account.give(draft)
        write_private(password_file, password)
        layout.account.give(password_file)
        _initdb(layout, draft, password_file)
        draft.rename(layout.data)
        sync_directory(layout.data.parent)
    finally:
        _remove(password_file)
        _remove(draft)


def _initdb(layout: Layout, target: Path, password_file: Path) -> None:
    command = [
        str(layout.programs / "initdb"),
        f"--pgdata={target}",
        f"--username={OWNER}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        f"--set=scram_iterations={SCRAM_ITERATIONS}",
        "--encoding=UTF8",
        "--locale=C",
        "--no-instructions",
        *([] if layout.durable else ["--no-sync"]),
    ]
    try:
        done = _run(layout, command)
    except subprocess.TimeoutExpired as error:
        raise StartError(f"initdb on {layout.data} took more than {error.timeout:g} s: is the disk stuck?") from None
    if done.returncode:
        raise failed("initdb", done.stdout, layout.data)


def _run(layout: Layout, command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - a list of our own, no shell
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        timeout=_INITDB_TIMEOUT_SECONDS,
        cwd="/",
        env=ENVIRONMENT,
        **layout.account.popen_options(),
    )


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _check_version(data: Path) -> None:
    found = (data / "PG_VERSION").read_text(encoding="utf-8").strip()
    if found != str(POSTGRES_MAJOR):
        raise WrongVersionError(
            f"{data} was made by PostgreSQL {found}, this is PostgreSQL {POSTGRES_MAJOR}. Save it with the release "
            f"that made it (colloquy backup FILE), move {data} away, and load it with this one (colloquy restore FILE, "
            "then colloquy migrate); or set DATABASE_URL to a server that runs it."
        )

"""Backups: the whole database in one file and back, by PostgreSQL's own programs.

Those of the embedded PostgreSQL serve an external database as well, but they know no TLS: where the connection has it,
the machine's are taken, so that nothing travels in the clear that did not before. They run as the caller, also where
root keeps the embedded server under another account: its socket opens to whoever has the password. That goes into
their environment, which only their own account can read; arguments are for everybody to see.

A dump holds neither owners nor privileges, because the roles are named after their database. `colloquy migrate` makes
the roles of the restored one and grants them everything again.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import Connection
from psycopg.conninfo import make_conninfo
from psycopg.pq import Conninfo

from core.files import sync_directory
from db.embedded.account import Account
from db.embedded.binaries import POSTGRES_MAJOR, find_programs
from db.embedded.cluster import ENVIRONMENT
from db.embedded.errors import EmbeddedPostgresError
from db.embedded.layout import SYSTEM_DIR
from db.roles import role_name
from db.url import for_psycopg

# A backup that a migration keeps waiting must say so, and not wait for ever.
_DUMP: Final = ("--format=custom", "--no-owner", "--no-privileges", "--no-password", "--lock-wait-timeout=60s")
_RESTORE: Final = ("--no-owner", "--no-privileges", "--no-password", "--exit-on-error", "--single-transaction")
_LONGEST_REASON: Final = 500
# The embedded pg_restore sets what older ones do not know (transaction_timeout).
_OLDEST_SERVER: Final = 17

_IS_OURS: Final = "SELECT count(*) > 0 FROM pg_namespace WHERE nspname IN ('auth', 'platform')"
_IS_BOUND: Final = "SELECT NOT (rolsuper OR rolbypassrls) FROM pg_roles WHERE rolname = current_user"
_HIDDEN: Final = """
SELECT n.nspname || '.' || c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relrowsecurity AND (
  EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid AND NOT p.polpermissive)
  OR NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid AND p.polname = 'system'
                   AND p.polcmd IN ('*', 'r') AND pg_get_expr(p.polqual, p.polrelid) LIKE '%auth.is_system()%'))
ORDER BY 1 LIMIT 1
"""


class BackupError(Exception):
    """A dump or a restore did not happen. The message says why, and is safe to print: it never holds the password."""


def dump(url: str, target: Path) -> None:
    """Write the database into a new file of mode 0600, whole or not at all. Blocking; the database may be in use.

    Raises:
        SettingsError: the URL is not PostgreSQL's.
        BackupError: `target` exists or cannot be written, or the database cannot be read whole.
    """
    target = target.absolute()
    url = for_psycopg(url)
    with _explained(target), _connected(url) as connection:
        _refuse_existing(target)
        if not _ask(connection, _IS_OURS):
            raise BackupError("The database holds no tables of Colloquy: is it the right one?")
        descriptor, draft = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
        os.close(descriptor)
        try:
            _run("pg_dump", url, connection, [*_DUMP, *_reader(connection), f"--file={draft}"])
            _refuse_existing(target)
            Path(draft).rename(target)
        finally:
            Path(draft).unlink(missing_ok=True)
        sync_directory(target.parent)


def restore(url: str, source: Path) -> None:
    """Load a dump into a database without our tables, whole or not at all. Blocking.

    Afterwards `server.database.migrate` has to bring it to the current schema, and to make its roles. Load no file
    that others made: a dump may hold any statement, and the owner executes it.

    Raises:
        SettingsError: the URL is not PostgreSQL's.
        BackupError: `source` is no dump, or the database does not answer or holds our tables already.
    """
    source = source.absolute()
    url = for_psycopg(url)
    with _explained(source), _connected(url) as connection:
        source.open("rb").close()
        if _ask(connection, _IS_OURS):
            raise BackupError("The database holds tables of Colloquy already: restore into an empty one.")
        _run("pg_restore", url, connection, [*_RESTORE, str(source)])


def _refuse_existing(target: Path) -> None:
    if os.path.lexists(target):
        raise BackupError(f"{target} exists already: name another file.")


def _reader(connection: Connection) -> list[str]:
    """Return the options under which pg_dump sees every row.

    Our tables force row level security on their owner. A superuser is above it; any other owner reads as the system
    role, whose policies let it see all. That each table has one is looked at first: what policies hide would be
    missing from the dump without a word.
    """
    if not _ask(connection, _IS_BOUND):
        return []
    hidden = _ask(connection, _HIDDEN)
    if hidden:
        raise BackupError(f"The database cannot be dumped whole: the policies of {hidden} hide rows from the system.")
    return [f"--role={role_name(connection.info.dbname, 'system')}", "--enable-row-security"]


def _ask(connection: Connection, question: str) -> Any:
    row = connection.execute(question.encode()).fetchone()
    return row[0] if row else None


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    try:
        connection = psycopg.connect(url, autocommit=True)
    except psycopg.OperationalError as error:
        raise BackupError(f"The database does not answer: {str(error).splitlines()[0]}") from None
    except psycopg.ProgrammingError:
        # Its message may quote the URL.
        raise BackupError("DATABASE_URL cannot be read: a character in it may need percent-encoding.") from None
    with closing(connection):
        yield connection


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except EmbeddedPostgresError as error:
        raise BackupError(str(error)) from None
    except psycopg.Error as error:
        raise BackupError(f"The database failed: {str(error).splitlines()[0]}") from None
    except OSError as error:
        raise BackupError(f"{path} cannot be used: {error.strerror or error}.") from None


def _run(program: str, url: str, connection: Connection, arguments: list[str]) -> None:
    info = connection.info
    path = _find(program, info.server_version // 10000, tls=connection.pgconn.ssl_in_use)
    done = subprocess.run(  # noqa: S603 - a list of our own, no shell
        [str(path), *arguments, f"--dbname={_address(url, connection)}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
        cwd="/",
        env=ENVIRONMENT | ({"PGPASSWORD": info.password} if info.password else {}),
    )
    if done.returncode:
        # Only the program's own lines: what follows them may quote rows.
        own = (f"{program}: error: ", f"{program}: detail: ")
        said = "; ".join(line for line in done.stderr.splitlines() if line.startswith(own))
        reason = said.replace(info.password or "\0", "***") or f"it ended with status {done.returncode}"
        raise BackupError(f"{program} failed: {reason[:_LONGEST_REASON]}")


def _find(program: str, server: int, *, tls: bool) -> Path:
    """Return the program that can talk to a server of major version `server`."""
    if tls or not _OLDEST_SERVER <= server <= POSTGRES_MAJOR:
        found = shutil.which(program)
        if found is None:
            raise BackupError(
                f"This database needs {program} from the machine, and there is none on the PATH: install PostgreSQL's "
                f"client programs of version {server} or newer (postgresql-client-{server}). The ones that come along "
                f"know no TLS, and servers from {_OLDEST_SERVER} to {POSTGRES_MAJOR} only."
            )
        return Path(found)
    path = find_programs(Account(os.geteuid(), os.getegid(), switched=False), SYSTEM_DIR) / program
    if not os.access(path, os.X_OK):
        raise BackupError(f"{path} cannot be executed by this account.")
    return path


def _address(url: str, connection: Connection) -> str:
    """Return where a connection went, as the URL and our environment said, without its secrets."""
    given = {option.keyword for option in Conninfo.parse(url.encode()) if option.val}
    parts = {
        option.keyword.decode(): option.val.decode()
        for option in connection.pgconn.info
        if option.val
        and not option.dispchar
        and (option.keyword in given or (option.envvar or b"").decode() in os.environ)
    }
    return make_conninfo("", **parts)

"""Ask the server itself: a server that knows our password and serves our data directory is ours."""

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg

from db.embedded.cluster import OWNER
from db.embedded.errors import EmbeddedPostgresError
from db.embedded.layout import SOCKET_PORT, Layout

DATABASE: Final = "colloquy"
_CONNECT_TIMEOUT_SECONDS: Final = 2
_QUESTION: Final = """
SELECT current_setting('data_directory'), extract(epoch FROM pg_postmaster_start_time())::float8,
       EXISTS (SELECT FROM pg_database WHERE datname = 'colloquy')
"""


@dataclass(frozen=True)
class Answer:
    """What a server said that is ready for us; `started` is the time of its start, in seconds of the epoch."""

    started: float


def url(layout: Layout, password: str) -> str:
    """Return the owner role's URL. It names the port, so that PGPORT in somebody's environment does not count."""
    return f"postgresql://{OWNER}:{password}@/{DATABASE}?host={layout.socket}&port={SOCKET_PORT}"


def is_listening(directory: Path) -> bool:
    """Tell whether any process accepts connections at the socket, ready or not, of whatever container."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_CONNECT_TIMEOUT_SECONDS)
        try:
            client.connect(str(directory / f".s.PGSQL.{SOCKET_PORT}"))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except (BlockingIOError, TimeoutError):
            return True
    return True


def ask(layout: Layout, password: str) -> Answer | None:
    """Ask whether the server is ready, and make our database if it is not there; None means not yet, or not any more.

    Raises:
        EmbeddedPostgresError: the server refuses our password, or serves another data directory.
    """
    try:
        with psycopg.connect(
            host=str(layout.socket),
            port=SOCKET_PORT,
            user=OWNER,
            password=password,
            dbname="postgres",
            autocommit=True,
            connect_timeout=_CONNECT_TIMEOUT_SECONDS,
        ) as connection:
            row = connection.execute(_QUESTION).fetchone()
            if row is None:
                return None
            data, started, has_database = row
            if data != str(layout.data):
                raise EmbeddedPostgresError(f"{layout.socket} is in use by a server of {data}; stop that one first.")
            if not has_database:
                connection.execute(f"CREATE DATABASE {DATABASE}")
            return Answer(started)
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            raise EmbeddedPostgresError(
                f"The server of {layout.data} refuses the password in {layout.root / 'password'}: restore that file, "
                f"or set the password anew (ALTER ROLE {OWNER} in `postgres --single`)."
            ) from None
        return None

"""A throw-away server for a test session, and its migrated database, emptied for each test."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg.sql import SQL, Identifier

from db.embedded.server import EmbeddedPostgres

DATABASE = "colloquy_test"
# What says which schema there is stays, and what a migration fills.
_TABLES = """
SELECT table_schema, table_name FROM information_schema.tables
WHERE table_type = 'BASE TABLE'
  AND table_schema IN ('auth', 'audio', 'chat', 'counseling', 'interpret', 'platform', 'public', 'checkpoints', 'jobs')
  AND table_name NOT LIKE '%migrations' AND table_name NOT IN ('alembic_version', 'visitor_templates')
"""


def at(url: str, database: str) -> str:
    """Return the URL of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


@contextmanager
def running_server(root: Path, *, durable: bool = False) -> Iterator[str]:
    """Start a server, by default one that need not survive a crash of the machine, and give its URL."""
    server = EmbeddedPostgres(root, durable=durable)
    try:
        yield server.acquire()
    finally:
        server.release()


def empty(url: str) -> None:
    """Remove all rows of a migrated database, ours and the libraries'.

    Cheaper and calmer than a database for each test: to drop one, PostgreSQL waits for all of its processes at once.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '20s'")
        tables = [Identifier(*row) for row in connection.execute(_TABLES)]
        connection.execute(SQL("TRUNCATE {} CASCADE").format(SQL(", ").join(tables)))


def create(server_url: str, name: str) -> str:
    """Make an empty database and return its URL."""
    _administer(server_url, SQL("CREATE DATABASE {}"), name)
    return at(server_url, name)


def _administer(server_url: str, statement: SQL, *names: str) -> None:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(statement.format(*(Identifier(name) for name in names)))

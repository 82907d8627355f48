"""A throw-away server for a test session, and its migrated database, emptied for each test."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg.sql import SQL, Identifier

from db.embedded.server import EmbeddedPostgres

DATABASE = "colloquy_test"
# Most tests leave a few rows in a few tables. To delete those takes 2 ms; to truncate all tables makes a hundred and
# fifty new files, 35 ms of CPU. What says which schema there is stays, and what a migration fills.
_EMPTY = """
DO $$
DECLARE
  place regclass;
  filled boolean;
BEGIN
  SET LOCAL lock_timeout = '20s';
  -- Foreign keys are not looked at: in the end nothing refers to anything.
  SET LOCAL session_replication_role = replica;
  FOR place IN
    SELECT oid FROM pg_class
    WHERE relkind IN ('r', 'p')
      AND relnamespace::regnamespace::text IN
        ('auth', 'audio', 'chat', 'chat_vectors', 'counseling', 'interpret', 'platform', 'public', 'checkpoints',
         'jobs')
      AND relname NOT LIKE '%migrations' AND relname NOT IN ('alembic_version', 'visitor_templates')
  LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM %s)', place) INTO filled;
    IF filled AND pg_relation_size(place) > 100000 THEN
      EXECUTE format('TRUNCATE %s CASCADE', place);
    ELSIF filled THEN
      EXECUTE format('DELETE FROM %s', place);
    END IF;
  END LOOP;
END
$$
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


class Emptier:
    """Removes all rows of a migrated database, ours and the libraries', over a connection that it keeps.

    Cheaper and calmer than a database for each test: to drop one, PostgreSQL waits for all of its processes at once.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection | None = None

    def empty(self) -> None:
        try:
            self._connected().execute(_EMPTY)
        except psycopg.OperationalError:
            # A test ended all connections, this one too.
            self.close()
            self._connected().execute(_EMPTY)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> psycopg.Connection:
        if self._connection is None:
            self._connection = psycopg.connect(self._url, autocommit=True)
        return self._connection


def create(server_url: str, name: str) -> str:
    """Make an empty database and return its URL."""
    _administer(server_url, SQL("CREATE DATABASE {}"), name)
    return at(server_url, name)


def _administer(server_url: str, statement: SQL, *names: str) -> None:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(statement.format(*(Identifier(name) for name in names)))

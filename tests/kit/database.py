"""Throw-away databases: one server a test session, one migrated template, a copy for each test."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg.sql import SQL, Identifier

from db.embedded.server import EmbeddedPostgres

TEMPLATE = "colloquy_template"
_numbers = itertools.count(1)


def at(url: str, database: str) -> str:
    """Return the URL of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


@contextmanager
def running_server(root: Path) -> Iterator[str]:
    """Start a server that need not survive a crash of the machine, and give its URL."""
    server = EmbeddedPostgres(root, durable=False)
    try:
        yield server.acquire()
    finally:
        server.release()


@contextmanager
def copied(server_url: str) -> Iterator[str]:
    """Give the URL of a fresh copy of the template."""
    name = f"test_{next(_numbers)}"
    _administer(server_url, SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy"), name, TEMPLATE)
    try:
        yield at(server_url, name)
    finally:
        _administer(server_url, SQL("DROP DATABASE {} WITH (FORCE)"), name)


def create(server_url: str, name: str) -> str:
    """Make an empty database and return its URL."""
    _administer(server_url, SQL("CREATE DATABASE {}"), name)
    return at(server_url, name)


def _administer(server_url: str, statement: SQL, *names: str) -> None:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(statement.format(*(Identifier(name) for name in names)))

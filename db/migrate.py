"""Bring our own tables to the current schema (X036)."""

from pathlib import Path
from typing import Final

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine

from db import roles
from db.url import for_sqlalchemy, search_path_option

_MIGRATIONS: Final = Path(__file__).parent / "migrations"


def upgrade(url: str, revision: str = "head") -> None:
    """Apply all migrations up to `revision`, and let the roles use them. Blocking: run it in a thread.

    One process at a time: the caller sees to that.
    """
    engine = migration_engine(url)
    try:
        with engine.begin() as connection:
            command.upgrade(alembic_config(connection), revision)
            _ensure_roles(connection, url)
    finally:
        engine.dispose()


def grant(url: str) -> None:
    """Let the roles use what others than our migrations have made since. Blocking: run it in a thread."""
    engine = migration_engine(url)
    try:
        with engine.begin() as connection:
            _ensure_roles(connection, url)
    finally:
        engine.dispose()


def _ensure_roles(connection: Connection, url: str) -> None:
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)  # noqa: S101 - the driver that the URL names
    roles.ensure(raw, url)


def migration_engine(url: str) -> Engine:
    """Return an engine for whose connections no schema of ours is the default.

    A table of the default schema is reflected without one, and would not be found equal to its model.
    """
    return create_engine(for_sqlalchemy(url), connect_args={"options": search_path_option("pg_catalog")})


def alembic_config(connection: Connection) -> Config:
    """Return Alembic's configuration for work on an open connection."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config

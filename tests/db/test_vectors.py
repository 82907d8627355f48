"""The schema of vectors: made on demand with the real pgvector, or refused with what is missing (G39)."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import Connection
from psycopg.sql import SQL, Identifier

from core.settings import SettingsError
from db import backup, vectors
from db.roles import role_url
from server.database import migrate
from tests.kit import catalogue, database

_OURS = "SELECT count(*) FROM pg_namespace WHERE nspname = 'chat_vectors'"


@pytest.fixture
def plain(server_url: str) -> Iterator[str]:
    """An empty database of an owner that is no superuser."""
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute("CREATE ROLE plainer LOGIN CREATEROLE PASSWORD 'p'")
        admin.execute("CREATE DATABASE plainer OWNER plainer")
    parts = urlsplit(database.at(server_url, "plainer"))
    yield parts._replace(netloc=f"plainer:p@{parts.netloc.rpartition('@')[2]}").geturl()
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute("DROP DATABASE plainer WITH (FORCE)")
        for role in ("plainer_app", "plainer_system", "plainer"):
            admin.execute(SQL("DROP ROLE IF EXISTS {}").format(Identifier(role)))


def one(connection: Connection[Any], statement: str) -> Any:
    return (connection.execute(statement.encode()).fetchone() or [None])[0]


async def test_without_the_role_there_is_no_trace(plain: str) -> None:
    await migrate(plain)
    await asyncio.to_thread(_see_nothing, plain)


def _see_nothing(url: str) -> None:
    with psycopg.connect(url) as connection:
        assert one(connection, _OURS) == 0
        assert one(connection, "SELECT count(*) FROM pg_extension WHERE extname = 'vector'") == 0


async def test_an_owner_who_may_not_is_told_what_to_do(plain: str) -> None:
    with pytest.raises(SettingsError, match="CREATE EXTENSION vector SCHEMA public; in the database plainer"):
        await migrate(plain, vectors=True)
    # All else works on without.
    await migrate(plain)


@pytest.mark.parametrize("schema", ["public", "extensions"])
async def test_an_administrator_may_have_switched_it_on(plain: str, server_url: str, schema: str) -> None:
    """Wherever he did: the operators are found there."""

    def switch_on() -> None:
        with psycopg.connect(database.at(server_url, "plainer"), autocommit=True) as admin:
            admin.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}".encode())
            admin.execute(f"CREATE EXTENSION vector SCHEMA {schema}".encode())
            admin.execute(f"GRANT USAGE ON SCHEMA {schema} TO PUBLIC".encode())

    await asyncio.to_thread(switch_on)
    for _ in range(2):
        await migrate(plain, vectors=True)
    await asyncio.to_thread(_use, plain)


def _use(url: str) -> None:
    with psycopg.connect(role_url(url, "system")) as system:
        rows = catalogue.fill(system, [t for t in catalogue.tables(system) if t.name in _NEEDED])
        document, session, owner = rows["chat.documents"]["id"], rows["chat.sessions"]["id"], rows["auth.users"]["id"]
        for position, vector in enumerate(_VECTORS, 1):
            system.execute(
                "INSERT INTO chat.document_chunks (document_id, owner_id, session_id, position, text, tokens)"
                " VALUES (%s, %s, %s, %s, 'x', '')",
                (document, owner, session, position),
            )
            system.execute(
                "INSERT INTO chat_vectors.chunks VALUES (%s, %s, %s, %s, 'm', %s, %s::real[])",
                (document, owner, position, session, len(vector), vector),
            )
    nearest = "SELECT position, round(distance::numeric, 2)::float FROM chat_vectors.nearest(%s, %s, %s::real[], 9)"
    with psycopg.connect(role_url(url, "app"), autocommit=True) as app:
        # What is another's, another model's or of another length is not compared.
        assert app.execute(nearest, (session, "m", [1, 0])).fetchall() == []
        app.execute("SELECT set_config('app.user_id', %s, false)", (owner,))
        assert app.execute(nearest, (session, "m", [1, 0])).fetchall() == [(1, 0.0), (2, 0.4), (3, 1.0)]
        assert app.execute(nearest, (session, "m", [1, 0, 0])).fetchall() == [(4, 0.0)]
        assert app.execute(nearest, (session, "n", [1, 0])).fetchall() == []
        app.execute("SELECT set_config('app.user_id', '', false)")
        for table in ("chunks", "documents"):
            assert one(app, f"SELECT count(*) FROM chat_vectors.{table}") == 0


_VECTORS: list[list[float]] = [[1, 0], [0.6, 0.8], [0, 1], [1, 0, 0]]
_NEEDED = {"auth.users", "chat.sessions", "chat.documents"}


async def test_a_server_without_pgvector_is_told_what_to_install(
    plain: str, server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The statement asks for an extension that this server really has not."""
    monkeypatch.setattr(vectors, "NAME", "no_such_extension")
    with pytest.raises(SettingsError, match=r"postgresql-18-pgvector.*or unset MODEL_EMBED"):
        await migrate(plain, vectors=True)


def test_both_tables_are_secured_and_the_application_owns_neither(server_url: str) -> None:
    url = database.create(server_url, "vectors_secured")
    asyncio.run(migrate(url, vectors=True))
    with psycopg.connect(url, autocommit=True) as owner:
        found = {table.name: table for table in catalogue.tables(owner) if table.name.startswith("chat_vectors.")}
        assert set(found) == {"chat_vectors.documents", "chat_vectors.chunks"}
        for table in found.values():
            assert (table.owner, table.secured) == ("owner_id", True)
            assert table.policies == {"owner", "system"}
    with psycopg.connect(role_url(url, "app"), autocommit=True) as app:
        for statement in ("DROP POLICY owner ON chat_vectors.chunks", "TRUNCATE chat_vectors.chunks"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(statement.encode())


def test_a_backup_brings_them_along(server_url: str, tmp_path: Path) -> None:
    source, target = (database.create(server_url, name) for name in ("vectors_saved", "vectors_restored"))
    asyncio.run(migrate(source, vectors=True))
    _use(source)
    backup.dump(source, tmp_path / "dump")
    backup.restore(target, tmp_path / "dump")
    asyncio.run(migrate(target, vectors=True))
    with psycopg.connect(role_url(target, "system")) as system:
        assert one(system, "SELECT count(*) FROM chat_vectors.chunks") == 4
        [[session]] = system.execute("SELECT id FROM chat.sessions").fetchall()
        found = system.execute("SELECT position FROM chat_vectors.nearest(%s, 'm', '{1,0}', 1)", (session,)).fetchall()
    assert found == [(1,)]

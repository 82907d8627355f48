"""The schema: models and migrations agree, and the command may be given again (X036)."""

import asyncio
import io
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg.rows import dict_row

import db.migrate
import server.database
from core import logging
from db.migrations.tables import METADATA, is_ours
from db.roles import role_url
from server.database import migrate
from tests.kit import database

TABLES = """
SELECT table_schema || '.' || table_name FROM information_schema.tables
WHERE table_schema IN ('auth', 'audio', 'chat', 'counseling', 'interpret', 'platform', 'public', 'checkpoints', 'jobs')
ORDER BY 1
"""


FIRST_LIGHT_ROWS = """
WITH u AS (INSERT INTO auth.users DEFAULT VALUES RETURNING id),
     a AS (INSERT INTO public.agents (user_id, name) SELECT id, '客服' FROM u RETURNING id),
     c AS (INSERT INTO public.call_records (user_id, agent_id, caller_name, start_time)
           SELECT u.id, a.id, '张三', now() FROM u, a),
     t AS (INSERT INTO platform.threads (id, owner_id, workflow) SELECT gen_random_uuid(), id, 'w' FROM u RETURNING id),
     r AS (INSERT INTO platform.runs (id, thread_id, owner_id, workflow, request, status, cancel_requested)
           SELECT gen_random_uuid(), t.id, u.id, 'w', '{}', 'running', true FROM t, u RETURNING id),
     e AS (INSERT INTO platform.run_events (run_id, fence, seq, event, data)
           SELECT id, 1, 1, 'custom', '{"said": "before"}' FROM r)
INSERT INTO platform.usage (run_id, user_id, role, model, input_tokens, output_tokens, latency_ms)
SELECT r.id, u.id, 'summary', 'm', 1, 1, 1 FROM r, u
"""


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {row[0] for row in connection.execute(TABLES)}


def test_models_and_migrations_agree(database_url: str) -> None:
    engine = db.migrate.migration_engine(database_url)
    with engine.connect() as connection:
        options = {"include_schemas": True, "include_name": is_ours, "version_table_schema": "public"}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


async def test_an_empty_database_becomes_current_and_again_nothing_happens(server_url: str) -> None:
    url = await asyncio.to_thread(database.create, server_url, "migrated_twice")
    await migrate(url)
    made = tables(url)
    assert {"platform.runs", "checkpoints.checkpoints", "jobs.procrastinate_jobs", "public.call_records"} <= made
    await migrate(url)
    assert tables(url) == made


async def test_many_processes_may_migrate_at_once(server_url: str) -> None:
    url = await asyncio.to_thread(database.create, server_url, "migrated_at_once")
    await asyncio.gather(*(migrate(url) for _ in range(5)))
    assert "jobs.procrastinate_jobs" in tables(url)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    lines = io.StringIO()
    logging.configure("warning", "json", stream=lines)
    yield lines
    logging.configure("debug", "json")


async def test_who_waits_long_says_for_whom(
    database_url: str, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    monkeypatch.setattr(server.database, "_TELL_SECONDS", 0)
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as other:
        await other.execute(f"SELECT pg_advisory_lock({server.database._MIGRATION_LOCK})".encode())
        waiting = asyncio.create_task(migrate(database_url))
        while "another_process_migrates" not in log.getvalue() and not waiting.done():
            await asyncio.sleep(0.02)
        assert f"pid {other.info.backend_pid}, role " in log.getvalue()
    await waiting


def test_every_migration_can_be_taken_back(server_url: str) -> None:
    url = database.create(server_url, "taken_back")
    asyncio.run(migrate(url))
    engine = db.migrate.migration_engine(url)
    with engine.begin() as connection:
        command.downgrade(db.migrate.alembic_config(connection), "base")
    engine.dispose()
    assert tables(url) == {"public.alembic_version"}
    db.migrate.upgrade(url)
    assert "public.call_records" in tables(url)


def test_rows_of_the_first_release_survive(server_url: str) -> None:
    """Under an owner who is no superuser, whom FORCE ROW LEVEL SECURITY binds too."""
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute("CREATE ROLE upgrader LOGIN CREATEROLE PASSWORD 'p'")
        admin.execute("CREATE DATABASE upgraded OWNER upgrader")
    parts = urlsplit(database.at(server_url, "upgraded"))
    url = parts._replace(netloc="upgrader:p@" + parts.netloc.rpartition("@")[2]).geturl()
    db.migrate.upgrade(url, "2026_11_21_first_light")
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(FIRST_LIGHT_ROWS)
    asyncio.run(migrate(url))
    with psycopg.connect(role_url(url, "system"), row_factory=dict_row) as system:
        [run] = system.execute("SELECT owner_id, status, cancel_action FROM platform.runs").fetchall()
        [event] = system.execute("SELECT owner_id, data FROM platform.run_events").fetchall()
        [call] = system.execute("SELECT user_id, caller_name FROM public.call_records").fetchall()
        [usage] = system.execute("SELECT run_id IS NOT NULL AS kept FROM platform.usage").fetchall()
    assert (run["status"], run["cancel_action"]) == ("running", "interrupt")
    assert event == {"owner_id": run["owner_id"], "data": {"said": "before"}}
    assert call == {"user_id": run["owner_id"], "caller_name": "张三"}
    assert usage == {"kept": True}
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute("DROP DATABASE upgraded WITH (FORCE)")
        for role in ("upgraded_app", "upgraded_system", "upgrader"):
            admin.execute(f"DROP ROLE {role}".encode())


def test_new_functions_come_with_the_right_to_use_them(server_url: str) -> None:
    """Servers of the former release work on while a migration is under way."""
    url = database.create(server_url, "granted")
    db.migrate.upgrade(url)
    with psycopg.connect(role_url(url, "app"), autocommit=True) as app:
        assert app.execute("SELECT * FROM auth.identify_key('x')").fetchall() == []
        assert app.execute("SELECT * FROM auth.identify_phone(gen_random_uuid())").fetchall() == []


def test_the_lists_have_their_indexes(database_url: str) -> None:
    """W24: the newest calls of a user come from one index, whatever else the table holds."""
    with psycopg.connect(database_url) as connection:
        connection.execute("SET enable_seqscan = off")
        plan = connection.execute(
            "EXPLAIN SELECT * FROM public.call_records WHERE user_id = '00000000-0000-0000-0000-000000000001'"
            " ORDER BY start_time DESC, id DESC LIMIT 20"
        ).fetchall()
    text = "\n".join(row[0] for row in plan)
    assert "idx_call_records_user_start" in text
    assert "Sort" not in text

"""The schema: models and migrations agree, and the command may be given again (X036)."""

import asyncio

import psycopg
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import db.migrate
from db.migrations.tables import METADATA, is_ours
from server.database import migrate
from tests.kit import database

TABLES = """
SELECT table_schema || '.' || table_name FROM information_schema.tables
WHERE table_schema IN ('auth', 'platform', 'public', 'checkpoints', 'jobs') ORDER BY 1
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

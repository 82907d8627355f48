"""Make procrastinate's tables, in a schema of their own, and bring them to the installed version."""

import asyncio
from pathlib import Path
from typing import Final

from procrastinate.schema import SchemaManager
from psycopg import AsyncConnection

from db.url import for_psycopg, search_path_option

_RECORD: Final = """
CREATE TABLE IF NOT EXISTS colloquy_migrations (
  name TEXT PRIMARY KEY, applied_at TIMESTAMPTZ NOT NULL DEFAULT now()
)
"""
# Ours, after procrastinate's: a run's jobs are looked up by its id.
_OURS: Final = {
    "colloquy_run_id": "CREATE INDEX colloquy_jobs_run_id ON procrastinate_jobs ((args->>'run_id'))",
}


async def setup(url: str) -> None:
    """Apply procrastinate's schema, or the migrations that an older one lacks.

    procrastinate keeps no record of what was applied, so one is kept beside its tables.
    """
    connection = await AsyncConnection.connect(for_psycopg(url), options=search_path_option("jobs"))
    async with connection, connection.transaction():
        await connection.execute(_RECORD)
        for name, sql in await _missing(connection):
            if sql:
                await connection.execute(sql.encode())
            await connection.execute("INSERT INTO colloquy_migrations (name) VALUES (%s)", (name,))


async def _missing(connection: AsyncConnection) -> list[tuple[str, str]]:
    cursor = await connection.execute("SELECT name FROM colloquy_migrations")
    applied = {str(row[0]) for row in await cursor.fetchall()}
    files = await asyncio.to_thread(_migration_files)
    # A new database gets the whole schema, which contains what every migration file would do.
    if not applied:
        schema = await asyncio.to_thread(SchemaManager.get_schema)
        return [("schema", schema), *((name, "") for name in files), *_OURS.items()]
    return [(name, sql) for name, sql in {**files, **_OURS}.items() if name not in applied]


def _migration_files() -> dict[str, str]:
    paths = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    return {path.name: path.read_text(encoding="utf-8") for path in paths}

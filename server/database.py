"""Where the process's PostgreSQL is: the one that DATABASE_URL names, or our own, embedded one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from psycopg import AsyncConnection

import checkpoints.setup
import db.migrate
import db.vectors
import jobs.setup
from core.settings import Settings, SettingsError
from core.tasks import end
from db.embedded.server import EmbeddedPostgres
from db.url import for_psycopg
from server.counseling import templates

log = structlog.get_logger(__name__)

_WATCH_SECONDS: Final = 2.0
_ASK_SECONDS: Final = 0.05
_TELL_SECONDS: Final = 5.0
_WAIT_SECONDS: Final = 600.0
# Any constant will do, as long as nothing else in the database uses it.
_MIGRATION_LOCK: Final = 7_201_426_001


@asynccontextmanager
async def located(settings: Settings) -> AsyncIterator[str]:
    """Give the database owner's URL; while the block runs, an embedded server is kept running."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    server = EmbeddedPostgres(settings.data_dir / "pg")
    url = await asyncio.to_thread(server.acquire)
    watch = asyncio.create_task(_watch(server), name="embedded PostgreSQL watch")
    try:
        yield url
    finally:
        await end(watch)
        await asyncio.to_thread(server.release)


async def _watch(server: EmbeddedPostgres) -> None:
    while True:
        await asyncio.sleep(_WATCH_SECONDS)
        try:
            await asyncio.to_thread(server.ensure)
        except Exception:
            # The next look tries again.
            log.exception("embedded_postgres_down")


async def migrate(url: str, *, vectors: bool = False) -> None:
    """Bring our tables, LangGraph's and procrastinate's, and the roles that use them, to the current schema (X036).

    Idempotent.

    Args:
        url: the owner's.
        vectors: also what vectors of documents are kept in, which needs pgvector.

    Raises:
        SettingsError: the owner may not make the roles, or there is no pgvector.
    """
    async with _alone(url):
        await asyncio.to_thread(db.migrate.upgrade, url)
        if vectors:
            await asyncio.to_thread(db.vectors.ensure, url)
        await checkpoints.setup.setup(url)
        await jobs.setup.setup(url)
        await templates.seed(url)
        await asyncio.to_thread(db.migrate.grant, url)


@asynccontextmanager
async def _alone(url: str) -> AsyncIterator[None]:
    """Let one process at a time migrate.

    By asking again and again: a statement that waits for the lock would be a transaction, and LangGraph's
    CREATE INDEX CONCURRENTLY waits for all of those.
    """
    async with await AsyncConnection.connect(for_psycopg(url), autocommit=True) as connection:
        loop = asyncio.get_running_loop()
        begun, told = loop.time(), False
        while True:
            cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", (_MIGRATION_LOCK,))
            row = await cursor.fetchone()
            if row and row[0]:
                break
            waited = loop.time() - begun
            if waited > _WAIT_SECONDS:
                raise SettingsError(
                    "Another process has been migrating this database for too long; see pg_stat_activity."
                )
            if waited > _TELL_SECONDS and not told:
                told = True
                log.warning("another_process_migrates", holders=await _holders(connection))
            await asyncio.sleep(_ASK_SECONDS)
        # It is released with its connection.
        yield


async def _holders(connection: AsyncConnection) -> list[str]:
    cursor = await connection.execute(
        "SELECT format('pid %%s, role %%s, since %%s', a.pid, a.usename, a.backend_start) FROM pg_locks AS l"
        " JOIN pg_stat_activity AS a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.granted"
        " AND (l.classid::bigint << 32) + l.objid::bigint = %s",
        (_MIGRATION_LOCK,),
    )
    return [str(row[0]) for row in await cursor.fetchall()]

"""LangGraph's Postgres saver on a shared pool: without its global lock, and with the thread's fence."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import psycopg
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.base import SerializerProtocol
from psycopg import AsyncCursor
from psycopg.rows import DictRow, dict_row

from db.database import Pool

FENCE_LOST_STATE = "CF001"


class FenceLost(Exception):
    """The run was taken over by another process: nothing it does may be written any more."""


class PooledSaver(AsyncPostgresSaver):
    """Reads with any connection of the pool, side by side.

    The stock saver holds one asyncio lock over every statement even with a pool, which makes all runs of a
    process wait for one another (see library-facts in the decision "one-saver-per-run").
    """

    def __init__(self, pool: Pool, serde: SerializerProtocol | None = None) -> None:
        super().__init__(conn=pool, serde=serde)
        self._pool = pool

    @asynccontextmanager
    async def _cursor(self, *, pipeline: bool = False) -> AsyncIterator[AsyncCursor[DictRow]]:
        async with self._pool.connection() as connection:
            if not pipeline:
                async with connection.cursor(binary=True, row_factory=dict_row) as cursor:
                    yield cursor
                return
            async with (
                connection.transaction(),
                connection.pipeline(),
                connection.cursor(binary=True, row_factory=dict_row) as cursor,
            ):
                yield cursor


class FencedSaver(PooledSaver):
    """One run's saver: each write checks, in its own transaction, that the run still holds its thread.

    Raises:
        FenceLost: another process has claimed a run on this thread since.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        thread_id: UUID,
        fence: int,
        on_lost: Callable[[], None] = lambda: None,
        serde: SerializerProtocol | None = None,
    ) -> None:
        super().__init__(pool, serde)
        self._thread_id = thread_id
        self._fence = fence
        self._on_lost = on_lost

    @asynccontextmanager
    async def _cursor(self, *, pipeline: bool = False) -> AsyncIterator[AsyncCursor[DictRow]]:
        try:
            async with super()._cursor(pipeline=pipeline) as cursor:
                if pipeline:
                    await cursor.execute("SELECT platform.hold_fence(%s, %s)", (self._thread_id, self._fence))
                yield cursor
        except psycopg.Error as error:
            if error.sqlstate == FENCE_LOST_STATE:
                self._on_lost()
                raise FenceLost from error
            raise

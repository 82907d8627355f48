"""LangGraph's Postgres saver on a shared pool: without its global lock, and with the thread's fence."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
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

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Save a checkpoint; where the serializer encrypts, nothing of its values stays in plain text."""
        if isinstance(self.serde, EncryptedSerializer):
            checkpoint, new_versions = _boxed(checkpoint, new_versions)
        return await super().aput(config, checkpoint, metadata, new_versions)

    def _dump_blobs(
        self, thread_id: str, checkpoint_ns: str, values: dict[str, Any], versions: ChannelVersions
    ) -> list[tuple[str, str, str, str, str, bytes | None]]:
        opened = {name: value.value if isinstance(value, _Box) else value for name, value in values.items()}
        return super()._dump_blobs(thread_id, checkpoint_ns, opened, versions)

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


@dataclass(frozen=True)
class _Box:
    """A plain value that must not be stored as such."""

    value: str | float | bool | None


def _boxed(checkpoint: Checkpoint, new_versions: ChannelVersions) -> tuple[Checkpoint, ChannelVersions]:
    """Send strings, numbers and truth values to the blobs as well, which LangGraph keeps beside the blobs otherwise.

    All of them at each step, because one that has not changed may have been kept in plain text so far.
    """
    values = checkpoint["channel_values"]
    boxes = {
        name: _Box(value) for name, value in values.items() if value is None or isinstance(value, str | int | float)
    }
    versions = {name: checkpoint["channel_versions"][name] for name in boxes if name in checkpoint["channel_versions"]}
    boxed = {**values, **{name: boxes[name] for name in versions}}
    return {**checkpoint, "channel_values": boxed}, {**new_versions, **versions}


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

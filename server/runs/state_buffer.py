"""A saver that keeps what it should write, so that a state can be worked out first and written under a lock after."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.serde.base import SerializerProtocol
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from checkpoints.saver import PooledSaver, saved_as
from db.database import Pool


class _OneConnection:
    """Stands for a pool, with the connection whose transaction is open."""

    def __init__(self, connection: AsyncConnection[DictRow]) -> None:
        self._connection = connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection[DictRow]]:
        yield self._connection


def saver_on(connection: AsyncConnection[DictRow], serde: SerializerProtocol) -> PooledSaver:
    """Return a saver that works in the transaction of one connection."""
    return PooledSaver(cast("Pool", _OneConnection(connection)), serde)


class BufferedSaver(PooledSaver):
    """Reads from the database and writes nothing until it is told to.

    An update of a state runs code of the graph (reducers, conditional edges): no lock is held during that.
    """

    def __init__(self, pool: Pool, serde: SerializerProtocol) -> None:
        super().__init__(pool, serde)
        # Shared by the copies that LangGraph makes of a saver.
        self._checkpoints: list[tuple[RunnableConfig, Checkpoint, CheckpointMetadata, ChannelVersions]] = []
        self._writes: list[tuple[RunnableConfig, Sequence[tuple[str, Any]], str, str]] = []

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Keep a checkpoint, and name it."""
        self._checkpoints.append((config, checkpoint, metadata, new_versions))
        return saved_as(config, checkpoint)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Keep a task's writes."""
        self._writes.append((config, writes, task_id, task_path))

    async def write_to(self, saver: PooledSaver) -> None:
        """Write all that was kept with another saver."""
        for put in self._checkpoints:
            await saver.aput(*put)
        for put_writes in self._writes:
            await saver.aput_writes(*put_writes)

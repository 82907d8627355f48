"""LangGraph's Postgres saver on a shared pool: without its global lock, and with long lists read item by item."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from psycopg import AsyncCursor
from psycopg.rows import DictRow, dict_row

from checkpoints import lists
from checkpoints.rows import Typed
from db.database import Pool

_NEWEST: Final = """
WHERE (thread_id, checkpoint_ns, checkpoint_id) IN (
  SELECT t.id, '', (SELECT c.checkpoint_id FROM checkpoints AS c WHERE c.thread_id = t.id AND c.checkpoint_ns = ''
                    ORDER BY c.checkpoint_id DESC LIMIT 1)
  FROM unnest(%s::text[]) AS t(id))
"""
_IS_STORED: Final = (
    "SELECT FROM checkpoints.checkpoints WHERE thread_id = %s AND checkpoint_ns = %s AND checkpoint_id = %s"
)


class FenceLost(Exception):
    """The run was taken over by another process: nothing it does may be written any more."""


@dataclass(frozen=True)
class Loaded:
    """A checkpoint as it is stored: its row, and its channels' blobs and items as the serializer wrote them."""

    row: DictRow
    blobs: dict[str, Typed]
    items: dict[str, list[Typed]] = field(default_factory=dict)
    numbers: dict[str, list[int]] = field(default_factory=dict)


class PooledSaver(AsyncPostgresSaver):
    """Reads with any connection of the pool, side by side.

    The stock saver holds one asyncio lock over every statement even with a pool, which makes all runs of a
    process wait for one another (see the decision "the-write-path").
    """

    def __init__(self, pool: Pool, serde: SerializerProtocol | None = None) -> None:
        super().__init__(conn=pool, serde=serde)
        self._pool = pool
        # Once: to look at a class of a Protocol takes longer than to save a small value.
        self.encrypts = isinstance(self.serde, EncryptedSerializer)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Read a checkpoint, or a namespace's newest one; the graph's own where none is named."""
        async for loaded in self._read(namespaced(config), None, None, 1):
            return self._as_tuple(loaded)
        return None

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002 - LangGraph's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Read checkpoints, newest first."""
        async for loaded in self._read(config, filter, before, limit):
            yield self._as_tuple(loaded)

    async def newest(self, thread_ids: list[str]) -> dict[str, dict[str, Any]]:
        """Return the channels' values at the newest checkpoint of each thread that has one."""
        async with self._cursor() as cursor:
            await cursor.execute(f"{self.SELECT_SQL}{_NEWEST}", (thread_ids,), binary=True)
            rows = await cursor.fetchall()
        items = await self._items(rows)
        found = [self._as_tuple(_loaded(row, items)) for row in rows]
        return {one.config["configurable"]["thread_id"]: one.checkpoint["channel_values"] for one in found}

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Save a checkpoint; where the serializer encrypts, nothing of its values stays in plain text."""
        if self.encrypts:
            checkpoint, new_versions = _boxed(checkpoint, new_versions)
        return await super().aput(config, checkpoint, metadata, new_versions)

    async def adelete_thread(self, thread_id: str) -> None:
        """Delete all that is stored of a thread."""
        await super().adelete_thread(thread_id)
        async with self._cursor() as cursor:
            await cursor.execute("DELETE FROM checkpoints.list_items WHERE thread_id = %s", (thread_id,))

    async def _read(
        self,
        config: RunnableConfig | None,
        metadata: dict[str, Any] | None,
        before: RunnableConfig | None,
        limit: int | None,
    ) -> AsyncIterator[Loaded]:
        where, values = self._search_where(config, metadata, before)
        statement = f"{self.SELECT_SQL}{where} ORDER BY checkpoint_id DESC{'' if limit is None else ' LIMIT %s'}"
        async with self._cursor() as cursor:
            await cursor.execute(statement, [*values, *([] if limit is None else [limit])], binary=True)
            rows = await cursor.fetchall()
        items = await self._items(rows)
        for row in rows:
            try:
                loaded = _loaded(row, items)
            except KeyError:
                # Between the two statements retention may have deleted it.
                if await self._is_stored(row):
                    raise
                continue
            yield loaded

    async def _is_stored(self, row: DictRow) -> bool:
        async with self._cursor() as cursor:
            await cursor.execute(_IS_STORED, (row["thread_id"], row["checkpoint_ns"], row["checkpoint_id"]))
            return await cursor.fetchone() is not None

    async def _items(self, rows: Iterable[DictRow]) -> dict[lists.Address, dict[int, Typed]]:
        """Read the items that all rows' long lists are made of, in one statement."""
        wanted: dict[lists.Address, list[lists.Span]] = {}
        for row in rows:
            for channel, kind, blob in row["channel_values"] or ():
                if kind.decode() == lists.TYPE:
                    address = (row["thread_id"], row["checkpoint_ns"], channel.decode())
                    wanted.setdefault(address, []).extend(lists.unpack(blob))
        found: dict[lists.Address, dict[int, Typed]] = {address: {} for address in wanted}
        if found:
            async with self._cursor() as cursor:
                await cursor.execute(lists.FETCH, lists.fetch_parameters(wanted), binary=True)
                for item in await cursor.fetchall():
                    address = (item["thread_id"], item["checkpoint_ns"], item["channel"])
                    found[address][item["seq"]] = Typed(item["type"], item["blob"])
        return found

    def _as_tuple(self, loaded: Loaded) -> CheckpointTuple:
        row = loaded.row
        place = {"thread_id": row["thread_id"], "checkpoint_ns": row["checkpoint_ns"]}
        values = {name: self.serde.loads_typed(value) for name, value in loaded.blobs.items()}
        for name, items in loaded.items.items():
            values[name] = [self.serde.loads_typed(item) for item in items]
        parent = row["parent_checkpoint_id"]
        document: Checkpoint = row["checkpoint"]
        return CheckpointTuple(
            config={"configurable": {**place, "checkpoint_id": row["checkpoint_id"]}},
            checkpoint={**document, "channel_values": {**(document.get("channel_values") or {}), **values}},
            metadata=row["metadata"],
            parent_config={"configurable": {**place, "checkpoint_id": parent}} if parent else None,
            pending_writes=self._load_writes(row["pending_writes"]),
        )

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


def saved_as(config: RunnableConfig, checkpoint: Checkpoint) -> RunnableConfig:
    """Return the config that names a checkpoint which was put with `config`."""
    place = config["configurable"]
    return {
        "configurable": {
            "thread_id": place["thread_id"],
            "checkpoint_ns": place["checkpoint_ns"],
            "checkpoint_id": checkpoint["id"],
        }
    }


def namespaced(config: RunnableConfig) -> RunnableConfig:
    """Return a config that names the graph's own namespace where it names none: a search takes that for any."""
    return {"configurable": {"checkpoint_ns": "", **config["configurable"]}}


def _loaded(row: DictRow, items: Mapping[lists.Address, Mapping[int, Typed]]) -> Loaded:
    loaded = Loaded(row, {})
    stored: Sequence[tuple[bytes, bytes, bytes]] = row["channel_values"] or ()
    for raw_channel, raw_kind, blob in stored:
        channel, kind = raw_channel.decode(), raw_kind.decode()
        if kind == lists.TYPE:
            found = items[row["thread_id"], row["checkpoint_ns"], channel]
            loaded.numbers[channel] = lists.numbers_of(lists.unpack(blob))
            loaded.items[channel] = [found[number] for number in loaded.numbers[channel]]
        elif kind != "empty":
            loaded.blobs[channel] = Typed(kind, blob)
    return loaded


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

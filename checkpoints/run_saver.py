"""One run's saver, write-behind: what it is given goes to the run's outbox, which commits under the thread's fence."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from inspect import signature
from typing import Any, Final
from uuid import UUID

import orjson
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    get_checkpoint_id,
    get_serializable_checkpoint_metadata,
)

from checkpoints import lists
from checkpoints.documents import PLAIN, split
from checkpoints.heads import Head, HeadCache, LongList
from checkpoints.rows import Outbox, Typed
from checkpoints.run_memory import RunMemory
from checkpoints.saver import Loaded, PooledSaver, namespaced, saved_as

Begun = Callable[[], Awaitable[int]]
_OPTIONS: Final = orjson.OPT_NON_STR_KEYS
_NEXT: Final = """
SELECT coalesce(max(seq), 0) + 1 AS free FROM checkpoints.list_items
WHERE thread_id = %s AND checkpoint_ns = %s AND channel = %s
"""


class RunSaver(PooledSaver):
    """Saves at once, as far as the graph can see; reads see all that was saved (X023).

    Args:
        reader: reads from the tables.
        outbox: takes the rows, and commits them soon, or when it is told to.
        thread_id: the run's thread.
        begun: returns the run's fence when it has its thread, which is before anything is read; with the first one the
            thread has no checkpoint yet. It may be asked more than once.
        heads: what this process knows of threads' newest checkpoints.
        waits: whether each save returns only when it is committed (durability `sync`).
    """

    def __init__(
        self,
        reader: PooledSaver,
        outbox: Outbox,
        *,
        thread_id: UUID,
        begun: Begun,
        heads: HeadCache,
        waits: bool = False,
    ) -> None:
        # What it is made of serves all runs alike: to make it anew takes longer than to save a checkpoint.
        vars(self).update(vars(reader))
        self._outbox = outbox
        self._thread_id = thread_id
        self._begun = begun
        self._heads = heads
        self._waits = waits
        self._memory = RunMemory()

    def as_json(self, name: str, value: Any) -> Any:
        """Return a channel's value as JSON that `orjson` takes over, where it was made when the value was saved."""
        kept, blocks = self._memory.told.get(name, (None, []))
        return orjson.Fragment(lists.as_json(blocks)) if value is kept and blocks else value

    def leave_head(self) -> None:
        """Remember the thread's newest checkpoint for its next run; for when all is committed."""
        head, fence = self._memory.head, self._memory.fence
        if head is not None and fence is not None and head.checkpoint["id"] not in self._memory.written_to:
            self._heads.keep(self._thread_id, fence, head)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Take a checkpoint; where the serializer encrypts, nothing of its values stays in plain text."""
        place = config["configurable"]
        namespace = place["checkpoint_ns"]
        plain, blobs = split(checkpoint["channel_values"], encrypts=self.encrypts)
        changed = self._to_store(blobs, checkpoint, new_versions)
        typed, long = await self._serialize(namespace, {name: blobs[name] for name in changed})
        unsaved = self._outbox.unsaved
        for channel, value in typed.items():
            unsaved.blobs[namespace, channel, changed[channel]] = value
        kept: Checkpoint = {**checkpoint, "channel_values": plain}
        described = get_serializable_checkpoint_metadata(config, metadata)
        unsaved.put_checkpoint(
            namespace,
            checkpoint["id"],
            place.get("checkpoint_id"),
            checkpoint=orjson.dumps(kept, option=_OPTIONS),
            metadata=orjson.dumps(described, option=_OPTIONS),
        )
        self._memory.touched.add(namespace)
        if namespace == "":
            short = {channel: value for channel, value in typed.items() if channel not in long} if long else typed
            head = Head(kept, described, place.get("checkpoint_id"), short, long)
            self._memory.head = head.after(self._memory.head, blobs)
        await self._saved()
        await self._outbox.hold()
        return saved_as(config, checkpoint)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Take what a task wrote."""
        place = config["configurable"]
        namespace, checkpoint_id = place["checkpoint_ns"], place["checkpoint_id"]
        for index, (channel, value) in enumerate(writes):
            key = (namespace, checkpoint_id, task_id, WRITES_IDX_MAP.get(channel, index))
            self._outbox.unsaved.put_write(key, channel, task_path, Typed(*self.serde.dumps_typed(value)))
        self._memory.touched.add(namespace)
        self._memory.written_to.add(checkpoint_id)
        await self._saved()

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Read a checkpoint, from memory where it is known; a graph does nothing before that."""
        fence = await self._open()
        namespace = config["configurable"].get("checkpoint_ns", "")
        if namespace in self._memory.touched:
            await self._outbox.flush()
        elif get_checkpoint_id(config) is None:
            if fence == 1:
                return None
            if namespace == "" and (known := self._from_cache()):
                return known
        async for loaded in self._read(namespaced(config), None, None, 1):
            found = self._as_tuple(loaded)
            if namespace == "" and get_checkpoint_id(config) is None:
                await self._learn(loaded, found)
            return found
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
        await self._open()
        await self._outbox.flush()
        async for found in super().alist(config, filter=filter, before=before, limit=limit):
            yield found

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Read what was written to channels that keep no whole values."""
        await self._outbox.flush()
        return await super().aget_delta_channel_history(config=config, channels=channels)

    async def _open(self) -> int:
        """Return the run's fence, when it is known."""
        fence = self._memory.fence
        if fence is None:
            fence = self._memory.fence = await self._begun()
            self._memory.known = self._heads.take(self._thread_id, fence)
        return fence

    async def _saved(self) -> None:
        self._outbox.changed()
        if self._waits:
            await self._outbox.flush()

    def _to_store(
        self, blobs: Mapping[str, Any], checkpoint: Checkpoint, new_versions: ChannelVersions
    ) -> dict[str, str]:
        """Return the versions of the values to be written: the new ones.

        Where values are encrypted all plain ones too: those that have not changed may have been kept readable so far.
        """
        versions = checkpoint["channel_versions"]
        return {
            name: str(versions[name])
            for name, value in blobs.items()
            if name in new_versions or (self.encrypts and name in versions and isinstance(value, PLAIN))
        }

    async def _serialize(
        self, namespace: str, values: Mapping[str, Any]
    ) -> tuple[dict[str, Typed], dict[str, LongList]]:
        """Return the values as blobs; items of long lists go to the outbox, and the lists are returned as well."""
        typed: dict[str, Typed] = {}
        long: dict[str, LongList] = {}
        for channel, value in values.items():
            prints = self._prints(namespace, channel, value)
            if prints is None:
                typed[channel] = Typed(*self.serde.dumps_typed(value))
            else:
                long[channel], placed = await self._store(namespace, channel, value, prints)
                typed[channel] = Typed(lists.TYPE, lists.pack(placed))
        return typed, long

    def _prints(self, namespace: str, channel: str, value: Any) -> lists.Prints | None:
        """Return a long list's; None for what is stored whole."""
        if type(value) is not list or len(value) < lists.LONG:
            return None
        known = self._memory.head.lists if namespace == "" and self._memory.head is not None else {}
        return lists.fingerprints(value, known[channel].prints if channel in known else None)

    async def _store(
        self, namespace: str, channel: str, value: list[Any], prints: lists.Prints
    ) -> tuple[LongList, list[int]]:
        """Take the items of a long list that are not stored yet; return it with its items' numbers."""
        if namespace == "":
            self._memory.told[channel] = value, prints.json
        value, prints = list(value), prints.alone()
        stored = self._memory.stored.get((namespace, channel))
        if stored is None:
            # Before anything is awaited: the graph goes on, and may change an item.
            typed = {index: Typed(*self.serde.dumps_typed(item)) for index, item in enumerate(value)}
            stored = lists.Stored(await self._free_number(namespace, channel))
            self._memory.stored[namespace, channel] = stored
            placed, new = stored.place(prints.each)
        else:
            placed, new = stored.place(prints.each)
            typed = {index: Typed(*self.serde.dumps_typed(value[index])) for index in new.values()}
        for number, index in new.items():
            self._outbox.unsaved.items[namespace, channel, number] = typed[index]
        head = self._memory.head if namespace == "" else None
        size = head.lists[channel].bytes if head is not None and channel in head.lists else 0
        return LongList(value, prints, stored, size + sum(len(typed[index].blob) for index in new.values())), placed

    async def _free_number(self, namespace: str, channel: str) -> int:
        if await self._open() == 1:
            return 1
        # Also what runs that were rolled back, and branches that were left, have stored.
        async with self._cursor() as cursor:
            await cursor.execute(_NEXT, (str(self._thread_id), namespace, channel))
            row = await cursor.fetchone()
        return int(row["free"]) if row else 1

    async def _learn(self, loaded: Loaded, found: CheckpointTuple) -> None:
        """Note what is stored of the graph's own newest checkpoint."""
        row = loaded.row
        if row["pending_writes"]:
            self._memory.written_to.add(row["checkpoint_id"])
        long: dict[str, LongList] = {}
        for channel, items in loaded.items.items():
            value = found.checkpoint["channel_values"][channel]
            prints = lists.fingerprints(value)
            if prints is None:
                return
            stored = lists.Stored(await self._free_number("", channel))
            stored.numbers.update(zip(prints.each, loaded.numbers[channel], strict=True))
            self._memory.stored["", channel] = stored
            long[channel] = LongList(list(value), prints.alone(), stored, sum(len(item.blob) for item in items))
        document: Checkpoint = row["checkpoint"]
        kept: Checkpoint = {**document, "channel_values": document.get("channel_values") or {}}
        self._memory.head = Head(kept, row["metadata"], row["parent_checkpoint_id"], loaded.blobs, long)

    def _from_cache(self) -> CheckpointTuple | None:
        known, self._memory.known = self._memory.known, None
        if known is None or not all(long.is_unchanged() for long in known.lists.values()):
            return None
        self._memory.head = known
        for channel, long in known.lists.items():
            self._memory.stored["", channel] = long.stored
        values = {name: self.serde.loads_typed(value) for name, value in known.blobs.items()}
        values |= {name: list(long.items) for name, long in known.lists.items()}
        place = {"thread_id": str(self._thread_id), "checkpoint_ns": ""}
        return CheckpointTuple(
            config={"configurable": {**place, "checkpoint_id": known.checkpoint["id"]}},
            checkpoint={
                **known.checkpoint,
                "channel_versions": dict(known.checkpoint["channel_versions"]),
                "versions_seen": {name: dict(seen) for name, seen in known.checkpoint["versions_seen"].items()},
                "channel_values": {**known.checkpoint["channel_values"], **values},
            },
            metadata=known.metadata.copy(),
            parent_config={"configurable": {**place, "checkpoint_id": known.parent_id}} if known.parent_id else None,
            pending_writes=[],
        )


# LangGraph asks for it at each run; to find it anew takes fifteen times as long.
RunSaver.aput_writes.__signature__ = signature(RunSaver.aput_writes)  # type: ignore[attr-defined]

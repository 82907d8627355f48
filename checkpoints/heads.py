"""The newest checkpoints of threads that this process executed last, so that their next run reads none."""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from uuid import UUID

from langgraph.checkpoint.base import Checkpoint, CheckpointMetadata

from checkpoints import lists
from checkpoints.rows import Typed

_MOST_BYTES: Final = 64 * 1024 * 1024
# What a list's item takes beside its text, and a head beside its values.
_ITEM_BYTES: Final = 200
_HEAD_BYTES: Final = 2000


@dataclass(frozen=True)
class LongList:
    """A list with what is stored of it."""

    items: list[Any]
    prints: lists.Prints
    stored: lists.Stored
    bytes: int

    def is_unchanged(self) -> bool:
        """Whether its items are still what was stored: nodes share them, and may have changed one in place."""
        return lists.fingerprints(self.items, self.prints) == self.prints


class Head(NamedTuple):
    """A thread's newest checkpoint, with no pending writes; its values as they were stored, long lists as they are."""

    checkpoint: Checkpoint
    metadata: CheckpointMetadata
    parent_id: str | None
    blobs: Mapping[str, Typed]
    lists: Mapping[str, LongList] = MappingProxyType({})

    def after(self, before: "Head | None", names: Collection[str]) -> "Head | None":
        """Return this head with the values that have not changed since the one before it.

        None where some of the values that `names` tells are known from neither.
        """
        long, blobs = dict(self.lists), dict(self.blobs)
        if before is not None:
            for name, value in before.lists.items():
                if name in names and name not in blobs:
                    long.setdefault(name, value)
            for name, blob in before.blobs.items():
                if name in names and name not in long:
                    blobs.setdefault(name, blob)
        is_whole = len(blobs) + len(long) == len(names)
        return self._replace(blobs=blobs, lists=long) if is_whole else None

    @property
    def bytes(self) -> int:
        """About what it takes in memory."""
        small = sum(len(value.blob) for value in self.blobs.values())
        return _HEAD_BYTES + small + sum(long.bytes + _ITEM_BYTES * len(long.items) for long in self.lists.values())


class HeadCache:
    """Heads by thread and fence, the least recently used dropped first.

    A head is the thread's newest checkpoint as long as nobody raised the thread's fence: each claim does, and each
    change of a state from outside.
    """

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._heads: OrderedDict[UUID, tuple[int, Head, int]] = OrderedDict()

    def keep(self, thread_id: UUID, fence: int, head: Head) -> None:
        """Remember what a run under `fence` left."""
        self.take(thread_id, fence)
        size = head.bytes
        self._heads[thread_id] = (fence, head, size)
        self._bytes += size
        while self._bytes > self._most_bytes:
            _, (_, _, dropped) = self._heads.popitem(last=False)
            self._bytes -= dropped

    def take(self, thread_id: UUID, fence: int) -> Head | None:
        """Return, and forget, what the run before `fence` left; None where it was executed elsewhere."""
        fence_then, head, size = self._heads.pop(thread_id, (None, None, 0))
        self._bytes -= size
        return head if fence_then == fence - 1 else None

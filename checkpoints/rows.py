"""What a run has to save, as rows that wait for their commit."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import orjson


class Typed(NamedTuple):
    """A value as a serializer wrote it."""

    type: str
    blob: bytes


class Packed:
    """Values end to end: one parameter of a statement, however many they are."""

    def __init__(self) -> None:
        self._values: list[bytes] = []
        self._size = 0

    def place(self, row: dict[str, Any], value: bytes, name: str = "") -> dict[str, Any]:
        """Add a value; return its row with the place of its first byte, counted from one, and how many it has.

        They are its `at` and `len`, after `name`.
        """
        row[name + "at"] = self._size + 1
        row[name + "len"] = size = len(value)
        self._values.append(value)
        self._size += size
        return row

    def as_bytes(self) -> bytes:
        """Return all of them."""
        return b"".join(self._values)


@dataclass
class Unsaved:
    """Rows of the checkpoint tables, each once; the newest of a kind where they may be written again."""

    checkpoints: dict[tuple[str, str], tuple[str | None, bytes, bytes]] = field(default_factory=dict)
    blobs: dict[tuple[str, str, str], Typed] = field(default_factory=dict)
    items: dict[tuple[str, str, int], Typed] = field(default_factory=dict)
    writes: dict[tuple[str, str, str, int], tuple[str, str, Typed]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.checkpoints or self.blobs or self.items or self.writes)

    def put_checkpoint(
        self, namespace: str, checkpoint_id: str, parent: str | None, *, checkpoint: bytes, metadata: bytes
    ) -> None:
        """Add a checkpoint; both documents are JSON."""
        self.checkpoints[namespace, checkpoint_id] = parent, checkpoint, metadata

    def put_write(self, key: tuple[str, str, str, int], channel: str, path: str, value: Typed) -> None:
        """Add a task's write by namespace, checkpoint, task and index; below zero the last one counts."""
        if key[3] < 0 or key not in self.writes:
            self.writes[key] = (channel, path, value)

    def as_parameters(self, packed: Packed) -> list[str | None]:
        """Return checkpoints, items, blobs and writes as JSON each, which says where in `packed` their values are."""
        return [
            _document(_checkpoint_row(key, row, packed) for key, row in self.checkpoints.items()),
            _document(
                packed.place({"ns": ns, "channel": channel, "seq": number, "type": kind}, blob)
                for (ns, channel, number), (kind, blob) in self.items.items()
            ),
            _document(
                packed.place({"ns": ns, "channel": channel, "version": version, "type": kind}, blob)
                for (ns, channel, version), (kind, blob) in self.blobs.items()
            ),
            _document(
                packed.place(
                    {
                        "ns": ns,
                        "checkpoint": of,
                        "task": task,
                        "idx": index,
                        "channel": channel,
                        "path": path,
                        "type": kind,
                    },
                    blob,
                )
                for (ns, of, task, index), (channel, path, (kind, blob)) in self.writes.items()
            ),
        ]


def _checkpoint_row(key: tuple[str, str], row: tuple[str | None, bytes, bytes], packed: Packed) -> dict[str, Any]:
    parent, checkpoint, metadata = row
    own = packed.place({"ns": key[0], "id": key[1], "parent": parent}, checkpoint)
    return packed.place(own, metadata, "meta_")


def _document(rows: Iterable[dict[str, Any]]) -> str | None:
    found = list(rows)
    return orjson.dumps(found).decode() if found else None


class Outbox(Protocol):
    """Where a run's saver leaves what it saves."""

    unsaved: Unsaved

    def changed(self) -> None:
        """Say that something was added: it is committed soon."""

    async def flush(self) -> None:
        """Return when all that was added is committed.

        Raises:
            FenceLost: another process has claimed a run on this thread since.
        """

    async def hold(self) -> None:
        """Return when the run may do its next step.

        Raises:
            FenceLost: another process has claimed a run on this thread since.
        """

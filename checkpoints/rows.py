"""What a run has to save, as rows that wait for their commit."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import orjson


class Typed(NamedTuple):
    """A value as a serializer wrote it."""

    type: str
    blob: bytes


@dataclass
class Unsaved:
    """Rows of the checkpoint tables, each once; the newest of a kind where they may be written again."""

    checkpoints: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    blobs: dict[tuple[str, str, str], Typed] = field(default_factory=dict)
    items: dict[tuple[str, str, int], Typed] = field(default_factory=dict)
    writes: dict[tuple[str, str, str, int], tuple[str, str, Typed]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.checkpoints or self.blobs or self.items or self.writes)

    def put_checkpoint(
        self, namespace: str, checkpoint_id: str, parent: str | None, *, checkpoint: bytes, metadata: bytes
    ) -> None:
        """Add a checkpoint; both documents are JSON."""
        self.checkpoints[namespace, checkpoint_id] = {
            "ns": namespace,
            "id": checkpoint_id,
            "parent": parent,
            "checkpoint": orjson.Fragment(checkpoint),
            "metadata": orjson.Fragment(metadata),
        }

    def put_write(self, key: tuple[str, str, str, int], channel: str, path: str, value: Typed) -> None:
        """Add a task's write by namespace, checkpoint, task and index; below zero the last one counts."""
        if key[3] < 0 or key not in self.writes:
            self.writes[key] = (channel, path, value)

    def as_parameters(self) -> tuple[str | None, str | None, str | None, str | None, list[bytes]]:
        """Return checkpoints, items, blobs and writes as JSON each, and the bytes that they name by place, from one."""
        values: list[bytes] = []

        def at(value: Typed) -> int:
            values.append(value.blob)
            return len(values)

        return (
            _document(self.checkpoints.values()),
            _document(
                {"ns": ns, "channel": channel, "seq": number, "type": value.type, "at": at(value)}
                for (ns, channel, number), value in self.items.items()
            ),
            _document(
                {"ns": ns, "channel": channel, "version": version, "type": value.type, "at": at(value)}
                for (ns, channel, version), value in self.blobs.items()
            ),
            _document(
                {
                    "ns": ns,
                    "checkpoint": checkpoint,
                    "task": task,
                    "idx": index,
                    "channel": channel,
                    "path": path,
                    "type": value.type,
                    "at": at(value),
                }
                for (ns, checkpoint, task, index), (channel, path, value) in self.writes.items()
            ),
            values,
        )


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

"""The states that have no copy on their threads' rows, for lists of threads: read from the newest checkpoints."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from langgraph.checkpoint.serde.base import SerializerProtocol

from checkpoints.saver import PooledSaver
from db.database import Pool, acting_for
from server.runs import thread_repository
from server.runs.encode import plain
from server.runs.workflows import Graph, Workflows, knowing

Row = Mapping[str, Any]


class LongStates:
    """Long states, and all where checkpoints are encrypted (X033): two statements for a whole page of threads."""

    def __init__(self, pool: Pool, workflows: Workflows, serde: SerializerProtocol) -> None:
        self._pool = pool
        self._workflows = workflows
        self._serde = serde

    async def fill(self, owner_id: UUID, rows: Sequence[Row]) -> list[Row]:
        """Return threads' rows with `values` where they have none; a thread on which nothing has happened keeps none.

        Args:
            owner_id: whose threads they are.
            rows: with `thread_id` and `values`.
        """
        lacking = [row["thread_id"] for row in rows if row["values"] is None]
        if not lacking:
            return list(rows)
        async with acting_for(self._pool, owner_id) as connection:
            named = await thread_repository.workflows(connection, owner_id, lacking)
        ids = {workflow: [str(key) for key in named if named[key] == workflow] for workflow in set(named.values())}
        found: dict[str, Any] = {}
        for workflow, threads in ids.items():
            if workflow in self._workflows:
                found |= await self._read(self._workflows[workflow], threads)
        return [{**row, "values": found.get(str(row["thread_id"]))} if row["values"] is None else row for row in rows]

    async def _read(self, graph: Graph, threads: list[str]) -> dict[str, Any]:
        newest = await knowing(graph, PooledSaver(self._pool, self._serde)).newest(threads)
        names = graph.stream_channels_asis
        if isinstance(names, str):
            return {thread: plain(values.get(names)) for thread, values in newest.items()}
        return {
            thread: plain({name: values[name] for name in names if name in values}) for thread, values in newest.items()
        }

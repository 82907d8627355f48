"""What an owner can do with a thread's state: read it, now and as it was, and change it from outside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.types import StateUpdate

from checkpoints.saver import PooledSaver
from core.errors import Conflict, NotFound
from db.database import Pool, acting_for
from server.runs import snapshots, state_updates, thread_repository
from server.runs.assistants import labels
from server.runs.state_buffer import BufferedSaver, saver_on
from server.runs.threads import no_such_thread
from server.runs.workflows import Graph, Workflows, with_saver


@dataclass(frozen=True)
class Place:
    """A checkpoint of a thread; without an id the newest one, in a subgraph where `checkpoint_ns` says so."""

    checkpoint_id: str | None = None
    checkpoint_ns: str = ""
    checkpoint_map: Mapping[str, str] = field(default_factory=dict)

    def config(self, thread_id: UUID) -> RunnableConfig:
        """Return LangGraph's own form of it."""
        configurable: dict[str, Any] = {"thread_id": str(thread_id), "checkpoint_ns": self.checkpoint_ns}
        if self.checkpoint_id is not None:
            configurable["checkpoint_id"] = self.checkpoint_id
        if self.checkpoint_map:
            configurable["checkpoint_map"] = dict(self.checkpoint_map)
        return {"configurable": configurable}


HEAD = Place()


class ThreadStates:
    """The states of one owner's threads at a time; what is another's does not exist."""

    def __init__(self, pool: Pool, workflows: Workflows, serde: SerializerProtocol) -> None:
        self._pool = pool
        self._serde = serde
        self._workflows = workflows

    async def read(
        self, owner_id: UUID, thread_id: UUID, place: Place = HEAD, *, subgraphs: bool = False
    ) -> dict[str, Any]:
        """Return the state at a place; with `subgraphs`, tasks that are subgraphs carry theirs.

        Raises:
            NotFound: there is no such thread of this owner, or no such checkpoint.
        """
        graph = await self._reading(owner_id, thread_id)
        if graph is None:
            if place != HEAD:
                raise _no_such_checkpoint()
            return _nothing()
        snapshot = await graph.aget_state(place.config(thread_id), subgraphs=subgraphs)
        if snapshot.created_at is None:
            if place != HEAD:
                raise _no_such_checkpoint()
            return _nothing()
        return snapshots.render(snapshot)

    async def history(
        self,
        owner_id: UUID,
        thread_id: UUID,
        place: Place = HEAD,
        *,
        limit: int = 10,
        before: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        """Return states, newest first: those before a checkpoint, those whose metadata contain something.

        Raises:
            NotFound: there is no such thread of this owner.
        """
        graph = await self._reading(owner_id, thread_id)
        if graph is None:
            return []
        until: RunnableConfig | None = {"configurable": {"checkpoint_id": before}} if before else None
        states = graph.aget_state_history(place.config(thread_id), filter=metadata, before=until, limit=limit)
        return [snapshots.render(snapshot) async for snapshot in states]

    async def update(
        self, owner_id: UUID, thread_id: UUID, updates: list[StateUpdate], place: Place = HEAD
    ) -> dict[str, Any]:
        """Apply updates as one step after a place, and make that the thread's state; return its checkpoint.

        Raises:
            NotFound: there is no such thread of this owner, or no such checkpoint.
            Conflict: a run of it is not finished, it changed meanwhile, or it belongs to no workflow yet.
            Unusable: the graph cannot take the updates.
        """
        async with acting_for(self._pool, owner_id) as connection:
            thread = await thread_repository.standing(connection, owner_id, thread_id)
            busy = await thread_repository.has_unfinished(connection, owner_id, thread_id)
        if thread is None:
            raise no_such_thread()
        if busy:
            raise _busy()
        workflow = thread["workflow"] or thread["graph_id"]
        if workflow is None:
            raise Conflict(
                "The thread belongs to no graph yet: start a run on it, or set graph_id in its metadata.",
                code="NO_GRAPH",
            )
        graph = self._graph(workflow)
        if place != HEAD:
            await self.read(owner_id, thread_id, place)
        buffer = BufferedSaver(self._pool, self._serde)
        state_updates.check(graph, place.checkpoint_ns, updates)
        checkpoint = await state_updates.apply(_on(graph, buffer), place.config(thread_id), updates)
        await self._keep(owner_id, thread_id, thread["fence"], workflow, buffer)
        return checkpoint

    async def _keep(self, owner_id: UUID, thread_id: UUID, fence: int, workflow: str, buffer: BufferedSaver) -> None:
        """Write an update that was worked out, unless the thread has changed since."""
        async with acting_for(self._pool, owner_id) as connection:
            locked = await thread_repository.standing(connection, owner_id, thread_id, lock=True)
            if locked is None:
                raise no_such_thread()
            if await thread_repository.has_unfinished(connection, owner_id, thread_id):
                raise _busy()
            if locked["fence"] != fence:
                raise Conflict("The thread was changed at the same time; read it again.", code="THREAD_CHANGED")
            saver = saver_on(connection, self._serde)
            await buffer.write_to(saver)
            head = await _on(self._graph(workflow), saver).aget_state(HEAD.config(thread_id))
            state = {
                "values": head.values,
                # What LangGraph Server says of a thread that has steps to do.
                "status": "interrupted" if head.next else "idle",
                "interrupts": snapshots.pending_interrupts(head),
            }
            await thread_repository.keep_state(connection, owner_id, thread_id, workflow, labels(workflow), state)

    async def _reading(self, owner_id: UUID, thread_id: UUID) -> Graph | None:
        """Return the thread's graph with a saver to read with; None when it belongs to none yet."""
        async with acting_for(self._pool, owner_id) as connection:
            thread = await thread_repository.standing(connection, owner_id, thread_id)
        if thread is None:
            raise no_such_thread()
        if thread["workflow"] is None:
            return None
        return _on(self._graph(thread["workflow"]), PooledSaver(self._pool, self._serde))

    def _graph(self, workflow: str) -> Graph:
        if workflow not in self._workflows:
            raise NotFound("The thread's graph is not served here.", code="NO_SUCH_GRAPH")
        return self._workflows[workflow]


def _on(graph: Graph, saver: BaseCheckpointSaver[str]) -> Graph:
    return with_saver(graph, saver)


def _nothing() -> dict[str, Any]:
    """Return the state of a thread on which nothing has happened."""
    return {
        "values": {},
        "next": [],
        "tasks": [],
        "metadata": None,
        "created_at": None,
        "checkpoint": None,
        "parent_checkpoint": None,
        "interrupts": [],
        "checkpoint_id": None,
        "parent_checkpoint_id": None,
    }


def _busy() -> Conflict:
    return Conflict("A run of this thread is not finished yet.", code="THREAD_BUSY")


def _no_such_checkpoint() -> NotFound:
    return NotFound("The thread has no such checkpoint.", code="NO_SUCH_CHECKPOINT")

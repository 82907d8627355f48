"""What an owner can do with threads: make, find, change, copy and delete them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from core.errors import Conflict, NotFound
from core.ids import IdSource
from db.database import Pool, acting_for
from db.lanes import Lanes
from server.auth.principal import no_caller
from server.runs import repository, thread_repository
from server.runs.jsonb import jsonb_text
from server.runs.long_states import LongStates
from server.runs.snapshots import by_task
from server.runs.thread_search import ThreadFilter, ThreadPage

Thread = Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """A page of threads: how many match in all, and the next page's offset, if there is one."""

    threads: list[dict[str, Any]]
    total: int
    next_offset: int | None


def no_such_thread() -> NotFound:
    """Return the error for a thread that does not exist, or is another's (X016)."""
    return NotFound("There is no such thread.")


def _shown(row: Thread) -> Thread:
    """Return a row with its interrupts as the protocol has them."""
    return {**row, "interrupts": by_task(row["interrupts"])} if "interrupts" in row else row


class Threads:
    """The threads of one owner at a time; what is another's does not exist.

    Args:
        pool: for reading, and for changes.
        lanes: make threads.
        ids: new ones.
        states: long ones.
        caller_key: the digest of an API key that has to be the owner's when a thread is made; None: it was seen.
    """

    def __init__(
        self, pool: Pool, lanes: Lanes, ids: IdSource, states: LongStates, caller_key: bytes | None = None
    ) -> None:
        self._pool = pool
        self._states = states
        self._lanes = lanes
        self._ids = ids
        self._caller_key = caller_key

    async def create(
        self, owner_id: UUID, thread_id: UUID | None, metadata: dict[str, Any], *, or_existing: bool = False
    ) -> tuple[Thread, bool]:
        """Make a thread that belongs to no workflow yet, or return the owner's own of that id if asked.

        Returns:
            The thread, and whether it was made.

        Raises:
            Unauthenticated: the caller's key counts no more.
            Conflict: the id is taken.
        """
        new_id = thread_id or self._ids.uuid()
        found = await self._lanes.submit(
            new_id, thread_repository.MAKE, [new_id, owner_id, jsonb_text(metadata), self._caller_key]
        )
        if found["outcome"] == "no_caller":
            raise no_caller()
        if found["outcome"] == "made":
            return thread_repository.made(new_id, metadata, found["made_at"]), True
        # An id of ours is taken only by a first try whose commit was not heard of.
        existing = None
        if or_existing or thread_id is None:
            async with acting_for(self._pool, owner_id) as connection:
                existing = await thread_repository.find(connection, owner_id, new_id)
        if existing is None:
            raise Conflict("A thread with this id exists already.", code="THREAD_EXISTS")
        return _shown(existing), thread_id is None

    async def read(self, owner_id: UUID, thread_id: UUID) -> Thread:
        """Return a thread.

        Raises:
            NotFound: there is no such thread of this owner.
        """
        async with acting_for(self._pool, owner_id) as connection:
            found = await thread_repository.find(connection, owner_id, thread_id)
        if found is None:
            raise no_such_thread()
        return _shown((await self._states.fill(owner_id, [found]))[0])

    async def search(self, owner_id: UUID, chosen: ThreadFilter, page: ThreadPage) -> Found:
        """Return a page of the owner's threads."""
        async with acting_for(self._pool, owner_id) as connection:
            rows = await thread_repository.search(connection, owner_id, chosen, page)
            total = page.offset + len(rows)
            # A page that is not full says how many there are.
            if len(rows) == page.limit or not rows:
                total = await thread_repository.count(connection, owner_id, chosen)
        shown: Sequence[Thread] = rows
        if "values" in page.columns:
            shown = await self._states.fill(owner_id, rows)
        after = page.offset + len(rows)
        return Found([page.show(_shown(row)) for row in shown], total, after if rows and after < total else None)

    async def count(self, owner_id: UUID, chosen: ThreadFilter) -> int:
        """Count the owner's threads."""
        async with acting_for(self._pool, owner_id) as connection:
            return await thread_repository.count(connection, owner_id, chosen)

    async def merge_metadata(self, owner_id: UUID, thread_id: UUID, metadata: dict[str, Any]) -> Thread:
        """Change the named keys of a thread's metadata; the others stay.

        Raises:
            NotFound: there is no such thread of this owner.
            Conflict: it belongs to a workflow, and `graph_id` names another.
        """
        async with acting_for(self._pool, owner_id) as connection:
            thread = await thread_repository.standing(connection, owner_id, thread_id, lock=True)
            if thread is None:
                raise no_such_thread()
            if thread["workflow"] is not None and metadata.get("graph_id", thread["workflow"]) != thread["workflow"]:
                raise Conflict("The thread belongs to another graph: its graph_id stays.", code="OTHER_GRAPH")
            changed = await thread_repository.merge_metadata(connection, owner_id, thread_id, metadata)
        if changed is None:
            raise no_such_thread()
        return _shown(changed)

    async def copy(self, owner_id: UUID, thread_id: UUID) -> Thread:
        """Return a copy of a thread, with its checkpoints and without its runs.

        Raises:
            NotFound: there is no such thread of this owner.
        """
        async with acting_for(self._pool, owner_id) as connection:
            copied = await thread_repository.copy(connection, owner_id, thread_id, self._ids.uuid())
        if copied is None:
            raise no_such_thread()
        return _shown(copied)

    async def delete(self, owner_id: UUID, thread_id: UUID) -> None:
        """Delete a thread with its runs, events and checkpoints; a run in flight can write no more.

        Raises:
            NotFound: there is no such thread of this owner.
        """
        async with acting_for(self._pool, owner_id) as connection:
            deleted = await repository.delete_thread(connection, thread_id, owner_id)
        if not deleted:
            raise no_such_thread()

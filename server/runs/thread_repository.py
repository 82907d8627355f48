"""SQL of the threads that people make, find and change themselves. Every statement names the owner."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.sql import SQL, Composable, Identifier

from server.runs.jsonb import jsonb
from server.runs.thread_search import ThreadFilter, ThreadPage

Connection = AsyncConnection[DictRow]

# The protocol's names are the keys of all rows.
_COLUMNS: Final[dict[str, Composable]] = {
    "thread_id": SQL("id AS thread_id"),
    "created_at": SQL("created_at"),
    "updated_at": SQL("updated_at"),
    "state_updated_at": SQL("state_updated_at"),
    "metadata": SQL("metadata"),
    "status": SQL("status"),
    "config": SQL("'{}'::jsonb AS config"),
    "values": SQL("state_values AS values"),
    "interrupts": SQL("interrupts"),
}
_ALL: Final = SQL(", ").join(_COLUMNS.values())
_SORTS: Final[dict[str, Composable]] = {
    "thread_id": SQL("id"),
    **{name: Identifier(name) for name in ("status", "created_at", "updated_at", "state_updated_at")},
}


MAKE: Final = "SELECT * FROM platform.make_thread(%s, %s, %s::jsonb, %s)"


def made(thread_id: UUID, metadata: dict[str, Any], made_at: datetime) -> dict[str, Any]:
    """Return the row of a thread that was just made."""
    return {
        "thread_id": thread_id,
        "created_at": made_at,
        "updated_at": made_at,
        "state_updated_at": made_at,
        "metadata": metadata,
        "status": "idle",
        "config": {},
        "values": None,
        "interrupts": {},
    }


async def find(connection: Connection, owner_id: UUID, thread_id: UUID) -> DictRow | None:
    """Read a thread in the protocol's words."""
    statement = SQL("SELECT {} FROM platform.threads WHERE id = %s AND owner_id = %s").format(_ALL)
    cursor = await connection.execute(statement, (thread_id, owner_id))
    return await cursor.fetchone()


async def standing(connection: Connection, owner_id: UUID, thread_id: UUID, *, lock: bool = False) -> DictRow | None:
    """Read what decides about a change: `workflow`, `graph_id` (metadata's), `fence`; locked if asked."""
    statement = SQL(
        "SELECT workflow, metadata->>'graph_id' AS graph_id, fence FROM platform.threads"
        " WHERE id = %s AND owner_id = %s{}"
    ).format(SQL(" FOR UPDATE" if lock else ""))
    cursor = await connection.execute(statement, (thread_id, owner_id))
    return await cursor.fetchone()


async def workflows(connection: Connection, owner_id: UUID, thread_ids: list[UUID]) -> dict[UUID, str]:
    """Return the workflows of those threads that belong to one."""
    cursor = await connection.execute(
        "SELECT id, workflow FROM platform.threads WHERE id = ANY(%s) AND owner_id = %s AND workflow IS NOT NULL",
        (thread_ids, owner_id),
    )
    return {row["id"]: row["workflow"] for row in await cursor.fetchall()}


async def has_unfinished(connection: Connection, owner_id: UUID, thread_id: UUID) -> bool:
    """Tell whether a run of the thread is pending or running."""
    cursor = await connection.execute(
        "SELECT FROM platform.runs WHERE thread_id = %s AND owner_id = %s AND status IN ('pending', 'running') LIMIT 1",
        (thread_id, owner_id),
    )
    return await cursor.fetchone() is not None


async def merge_metadata(
    connection: Connection, owner_id: UUID, thread_id: UUID, metadata: dict[str, Any]
) -> DictRow | None:
    """Change the named keys of a thread's metadata."""
    statement = SQL(
        "UPDATE platform.threads SET metadata = metadata || %s, updated_at = now()"
        " WHERE id = %s AND owner_id = %s RETURNING {}"
    ).format(_ALL)
    cursor = await connection.execute(statement, (jsonb(metadata), thread_id, owner_id))
    return await cursor.fetchone()


async def search(connection: Connection, owner_id: UUID, chosen: ThreadFilter, page: ThreadPage) -> list[DictRow]:
    """Read a page of threads; the order is total, so that pages do not overlap."""
    where, values = _matching(owner_id, chosen)
    statement = SQL(
        "SELECT {columns} FROM platform.threads WHERE {where} ORDER BY {by} {way}, id {way} LIMIT %s OFFSET %s"
    ).format(
        columns=SQL(", ").join(_COLUMNS[name] for name in _COLUMNS if name in page.columns),
        where=where,
        by=_SORTS[page.sort_by],
        way=SQL("ASC" if page.sort_order == "asc" else "DESC"),
    )
    cursor = await connection.execute(statement, [*values, page.limit, page.offset])
    return await cursor.fetchall()


async def count(connection: Connection, owner_id: UUID, chosen: ThreadFilter) -> int:
    """Count the threads that a filter lets pass."""
    where, values = _matching(owner_id, chosen)
    cursor = await connection.execute(
        SQL("SELECT count(*) AS found FROM platform.threads WHERE {}").format(where), values
    )
    row = await cursor.fetchone()
    return int(row["found"]) if row else 0


def _matching(owner_id: UUID, chosen: ThreadFilter) -> tuple[Composable, list[Any]]:
    conditions: list[Composable] = [SQL("owner_id = %s")]
    values: list[Any] = [owner_id]
    if chosen.metadata:
        conditions.append(SQL("metadata @> %s"))
        values.append(jsonb(chosen.metadata))
    if chosen.values:
        conditions.append(SQL("state_values @> %s"))
        values.append(jsonb(chosen.values))
    if chosen.status is not None:
        conditions.append(SQL("status = %s"))
        values.append(chosen.status)
    if chosen.ids is not None:
        conditions.append(SQL("id = ANY(%s)"))
        values.append(chosen.ids)
    return SQL(" AND ").join(conditions), values


async def copy(connection: Connection, owner_id: UUID, thread_id: UUID, new_id: UUID) -> DictRow | None:
    """Copy a thread with all of its checkpoints, but without its runs; None when the owner has no such thread.

    What an unfinished run will still do is not in the copy: it stands idle at the last checkpoint. Its fence says that
    there are checkpoints: a run takes a thread without one for new.
    """
    # The lock keeps a run's writes out between the statements.
    locked = await standing(connection, owner_id, thread_id, lock=True)
    if locked is None:
        return None
    statement = SQL(
        """
        INSERT INTO platform.threads (id, owner_id, workflow, status, metadata, interrupts, state_values, fence)
        SELECT %s, owner_id, workflow, CASE status WHEN 'busy' THEN 'idle' ELSE status END, metadata,
               CASE status WHEN 'busy' THEN '{{}}'::jsonb ELSE interrupts END, state_values, least(fence, 1)
        FROM platform.threads WHERE id = %s AND owner_id = %s RETURNING {}
        """
    ).format(_ALL)
    cursor = await connection.execute(statement, (new_id, thread_id, owner_id))
    for copied in _COPIES:
        await connection.execute(copied, (str(new_id), str(thread_id)))
    return await cursor.fetchone()


_COPIES: Final = (
    """
    INSERT INTO checkpoints.checkpoints
      (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata)
    SELECT %s, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, metadata
    FROM checkpoints.checkpoints WHERE thread_id = %s
    """,
    """
    INSERT INTO checkpoints.checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
    SELECT %s, checkpoint_ns, channel, version, type, blob FROM checkpoints.checkpoint_blobs WHERE thread_id = %s
    """,
    """
    INSERT INTO checkpoints.list_items (thread_id, checkpoint_ns, channel, seq, type, blob)
    SELECT %s, checkpoint_ns, channel, seq, type, blob FROM checkpoints.list_items WHERE thread_id = %s
    """,
    """
    INSERT INTO checkpoints.checkpoint_writes
      (thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, blob, task_path)
    SELECT %s, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, blob, task_path
    FROM checkpoints.checkpoint_writes WHERE thread_id = %s
    """,
)


async def keep_state(
    connection: Connection,
    owner_id: UUID,
    thread_id: UUID,
    workflow: str,
    labels: dict[str, str],
    state: dict[str, Any],
) -> None:
    """Write what a changed state (`values`, `status`, `interrupts`) makes of the thread's row, and raise its fence.

    A run that was read before this may write no more.
    """
    await connection.execute(
        """
        UPDATE platform.threads SET fence = fence + 1, workflow = %(workflow)s, metadata = metadata || %(labels)s,
          status = %(status)s, state_values = %(values)s, interrupts = %(interrupts)s,
          updated_at = now(), state_updated_at = now()
        WHERE id = %(thread)s AND owner_id = %(owner)s
        """,
        {
            "thread": thread_id,
            "owner": owner_id,
            "workflow": workflow,
            "labels": jsonb(labels),
            "status": state["status"],
            "values": jsonb(state["values"]),
            "interrupts": jsonb(state["interrupts"]),
        },
    )

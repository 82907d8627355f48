"""SQL of the runs that the protocol's clients see. Every statement names the owner."""

from typing import Final
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.sql import SQL

Connection = AsyncConnection[DictRow]
_COLUMNS: Final = SQL(
    "id, thread_id, workflow, status, request, created_at, coalesce(finished_at, started_at, created_at) AS updated_at"
)


async def find(connection: Connection, owner_id: UUID, thread_id: UUID, run_id: UUID) -> DictRow | None:
    """Read one run of a thread."""
    statement = SQL("SELECT {} FROM platform.runs WHERE id = %s AND thread_id = %s AND owner_id = %s").format(_COLUMNS)
    cursor = await connection.execute(statement, (run_id, thread_id, owner_id))
    return await cursor.fetchone()


async def page(
    connection: Connection, owner_id: UUID, thread_id: UUID, statuses: list[str] | None, limit: int, offset: int
) -> list[DictRow]:
    """Read a page of a thread's runs, the newest first."""
    statement = SQL(
        "SELECT {} FROM platform.runs WHERE thread_id = %(thread)s AND owner_id = %(owner)s"
        " AND (%(statuses)s::text[] IS NULL OR status = ANY(%(statuses)s))"
        " ORDER BY created_at DESC, id DESC LIMIT %(limit)s OFFSET %(offset)s"
    ).format(_COLUMNS)
    values = {"thread": thread_id, "owner": owner_id, "statuses": statuses, "limit": limit, "offset": offset}
    cursor = await connection.execute(statement, values)
    return await cursor.fetchall()


async def delete_finished(connection: Connection, owner_id: UUID, thread_id: UUID, run_id: UUID) -> bool:
    """Delete a run that is finished, with its events."""
    cursor = await connection.execute(
        "DELETE FROM platform.runs WHERE id = %s AND thread_id = %s AND owner_id = %s"
        " AND status NOT IN ('scheduled', 'pending', 'running')",
        (run_id, thread_id, owner_id),
    )
    return cursor.rowcount > 0


async def ending(connection: Connection, owner_id: UUID, run_id: UUID) -> DictRow | None:
    """Read how a run stands, and its thread's state; `is_latest` tells whether that is the state the run left."""
    cursor = await connection.execute(
        """
        SELECT run.status, run.error_code, run.error_message, run.workflow, run.thread_id,
               thread.fence = run.fence AS is_latest, thread.state_values AS values, thread.interrupts
        FROM platform.runs AS run JOIN platform.threads AS thread ON thread.id = run.thread_id
        WHERE run.id = %s AND run.owner_id = %s
        """,
        (run_id, owner_id),
    )
    return await cursor.fetchone()


async def delete_ephemeral(connection: Connection, owner_id: UUID, thread_id: UUID) -> None:
    """Delete a thread that was made for one run, once that has ended."""
    await connection.execute(
        "DELETE FROM platform.threads WHERE id = %(thread)s AND owner_id = %(owner)s AND ephemeral AND NOT EXISTS ("
        "SELECT FROM platform.runs WHERE thread_id = %(thread)s AND status IN ('scheduled', 'pending', 'running'))",
        {"thread": thread_id, "owner": owner_id},
    )

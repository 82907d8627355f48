"""SQL of what is deleted by age, as the system role: each call is bounded, and its caller's transaction is short."""

import json
from datetime import UTC, datetime
from typing import Any, Final, LiteralString, NamedTuple, Self
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

Connection = AsyncConnection[DictRow]

MOST_COUNTED: Final = 10_000
MOST_ROWS: Final = 500
"""How many rows one call deletes."""
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
# One sweep at a time, of all processes: any number that nothing else takes.
_LOCK: Final = 7_303_217_440_518_263_101


class Order(NamedTuple):
    """A table's rows by the time of their last change."""

    page: LiteralString
    backlog: LiteralString

    @classmethod
    def of(cls, table: LiteralString, column: LiteralString) -> Self:
        """Return the order of a table's rows by a column."""
        due: LiteralString = f"FROM {table} WHERE ({column}, id) > (%s, %s) AND {column} <= %s"
        return cls(
            f"SELECT id, {column} AS at {due} ORDER BY {column}, id LIMIT %s",
            f"SELECT count(*) AS due FROM (SELECT {due} LIMIT %s) AS waiting",  # noqa: S608 - names of ours
        )


THREADS: Final = Order.of("platform.threads", "updated_at")
RUNS: Final = Order.of("platform.runs", "finished_at")


async def take_turn(connection: Connection) -> bool:
    """Keep all other processes from sweeping until the transaction ends; False where one already sweeps."""
    cursor = await connection.execute("SELECT pg_try_advisory_xact_lock(%s) AS mine", (_LOCK,))
    row = await cursor.fetchone()
    return bool(row and row["mine"])


async def due(connection: Connection, sweep: str, order: Order, until: datetime) -> list[DictRow]:
    """Return the next rows (`id`, `at`) of a sweep, that were last changed before an instant."""
    cursor = await connection.execute(order.page, (*await _through(connection, sweep), until, 100))
    return await cursor.fetchall()


async def backlog(connection: Connection, sweep: str, order: Order, until: datetime) -> int:
    """Count the rows that a sweep has before it, up to `MOST_COUNTED`."""
    cursor = await connection.execute(order.backlog, (*await _through(connection, sweep), until, MOST_COUNTED))
    row = await cursor.fetchone()
    return int(row["due"]) if row else 0


async def _through(connection: Connection, sweep: str) -> tuple[Any, Any]:
    cursor = await connection.execute("SELECT through, through_id FROM platform.retention WHERE sweep = %s", (sweep,))
    row = await cursor.fetchone()
    return (row["through"], row["through_id"]) if row else (_BEGINNING, UUID(int=0))


async def advance(connection: Connection, sweep: str, row: DictRow) -> None:
    """Remember that a sweep is done with a row and all before it."""
    await connection.execute(
        """
        INSERT INTO platform.retention (sweep, through, through_id) VALUES (%s, %s, %s)
        ON CONFLICT (sweep) DO UPDATE SET through = excluded.through, through_id = excluded.through_id
        """,
        (sweep, row["at"], row["id"]),
    )


async def hold_idle(connection: Connection, thread_id: UUID) -> bool:
    """Lock a thread that nobody works on; False where somebody does, which moves it in its order, or it is gone."""
    cursor = await connection.execute("SELECT FROM platform.threads WHERE id = %s FOR UPDATE SKIP LOCKED", (thread_id,))
    if await cursor.fetchone() is None:
        return False
    # A statement of its own: it sees what was committed until the lock was had.
    cursor = await connection.execute(
        "SELECT FROM platform.runs WHERE thread_id = %s AND status IN ('scheduled', 'pending', 'running') LIMIT 1",
        (thread_id,),
    )
    return await cursor.fetchone() is None


async def raise_fence(connection: Connection, thread_id: UUID) -> None:
    """Make all that was read of a thread before this count as outdated."""
    await connection.execute("UPDATE platform.threads SET fence = fence + 1 WHERE id = %s", (thread_id,))


async def delete_events(connection: Connection, run_ids: list[UUID]) -> int:
    """Delete some of runs' events; return how many."""
    cursor = await connection.execute(
        """
        DELETE FROM platform.run_events AS event USING (
          SELECT run_id, fence, seq FROM platform.run_events WHERE run_id = ANY(%s) LIMIT %s) AS old
        WHERE event.run_id = old.run_id AND event.fence = old.fence AND event.seq = old.seq
        """,
        (run_ids, MOST_ROWS),
    )
    return cursor.rowcount


async def trim_runs(connection: Connection, run_ids: list[UUID]) -> int:
    """Delete what finished runs were asked and answered, but for their metadata and settings; return how many."""
    cursor = await connection.execute(
        "SELECT id, request FROM platform.runs WHERE id = ANY(%s) ORDER BY id FOR UPDATE", (run_ids,)
    )
    rows = await cursor.fetchall()
    # Not by PostgreSQL's functions: they refuse some text that its JSON may hold.
    trimmed = [json.dumps({**row["request"], "input": None, "resume": None, "options": {}}) for row in rows]
    await connection.execute(
        """
        UPDATE platform.runs AS run SET request = trimmed.request::json, output = NULL
        FROM unnest(%s::uuid[], %s::text[]) AS trimmed(id, request) WHERE run.id = trimmed.id
        """,
        ([row["id"] for row in rows], trimmed),
    )
    return len(rows)


async def delete_keys(connection: Connection, before: datetime) -> int:
    """Delete some idempotency keys that are no longer honoured; return how many."""
    cursor = await connection.execute(
        """
        DELETE FROM platform.idempotency_keys AS k USING (
          SELECT owner_id, key FROM platform.idempotency_keys WHERE created_at < %s
          ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED) AS old
        WHERE k.owner_id = old.owner_id AND k.key = old.key
        """,
        (before, MOST_ROWS),
    )
    return cursor.rowcount


async def delete_jobs(connection: Connection) -> int:
    """Delete some jobs that are over, or whose worker is gone: they only wake runs, which are woken anew.

    Returns:
        How many.
    """
    cursor = await connection.execute(
        """
        DELETE FROM jobs.procrastinate_jobs WHERE id IN (
          SELECT id FROM jobs.procrastinate_jobs
          WHERE status NOT IN ('todo', 'doing') OR (status = 'doing' AND worker_id IS NULL)
          LIMIT %s FOR UPDATE SKIP LOCKED)
        """,
        (MOST_ROWS,),
    )
    return cursor.rowcount

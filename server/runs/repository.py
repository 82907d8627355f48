"""SQL of threads and runs. Each function is one short transaction's work on a psycopg connection."""

from typing import Any, Final, Literal
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from server.runs.assistants import labels
from server.runs.jsonb import jsonb, jsonb_text
from server.runs.model import Accepted, CancelAction, Claim, Load, RunRequest, RunResult, RunStatus
from server.runs.snapshots import shown

Connection = AsyncConnection[DictRow]
MAX_LOST_ATTEMPTS = 3


async def start(connection: Connection, run_id: UUID, request: RunRequest, worker_id: UUID | None) -> Accepted:
    """Accept a run, or say why not; claimed at once where a process is given and the thread is free (X018, X019).

    One statement: with autocommit, one round trip.
    """
    cursor = await connection.execute(START, start_parameters(run_id, request, worker_id))
    row = await cursor.fetchone() or {}
    return Accepted(**row)


START: Final = (
    "SELECT * FROM platform.start_run(%s, %s, %s, %s, %s::json, %s::jsonb, %s, %s::text[], %s, %s, %s, %s, %s, %s, %s)"
)


def start_parameters(run_id: UUID, request: RunRequest, worker_id: UUID | None) -> list[Any]:
    """Return the parameters of START."""
    idempotency = request.idempotency
    return [
        run_id,
        request.thread_id,
        request.owner_id,
        request.workflow,
        request.payload,
        jsonb_text(request.metadata | labels(request.workflow)),
        request.strategy,
        None if request.answers is None else list(request.answers),
        worker_id,
        idempotency.key if idempotency else None,
        idempotency.request_sha256 if idempotency else None,
        request.makes_thread,
        request.is_stateless,
        request.after_seconds,
        request.caller_key,
    ]


async def claim(connection: Connection, run_id: UUID, worker_id: UUID) -> Claim | None:
    """Take a pending run for this process and raise its thread's fence; None when it is not to be had."""
    cursor = await connection.execute("SELECT * FROM platform.claim_run(%s, %s)", (run_id, worker_id))
    row = await cursor.fetchone()
    return Claim(run_id=run_id, **row) if row else None


async def free_thread(connection: Connection, thread_id: UUID, status: str, interrupts: dict[str, Any]) -> None:
    """Mark the thread as no longer busy, unless another run of it is waiting."""
    await connection.execute("SELECT platform.free_thread(%s, %s, %s, NULL)", (thread_id, status, jsonb(interrupts)))


async def result(connection: Connection, run_id: UUID, owner_id: UUID) -> RunResult | None:
    """Read how a run of this owner stands."""
    cursor = await connection.execute(
        """
        SELECT run.*, thread.interrupts FROM platform.runs AS run
        JOIN platform.threads AS thread ON thread.id = run.thread_id
        WHERE run.id = %s AND run.owner_id = %s
        """,
        (run_id, owner_id),
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    return RunResult(
        run_id=run_id,
        thread_id=row["thread_id"],
        status=RunStatus(row["status"]),
        output=row["output"],
        interrupts=shown(row["interrupts"]),
        error_status=row["error_status"],
        error_code=row["error_code"],
        error_message=row["error_message"],
    )


async def newest(connection: Connection, thread_id: UUID, owner_id: UUID) -> tuple[RunResult, dict[str, Any]] | None:
    """Read how the newest run of a thread stands, and its metadata; None when the owner has no such run."""
    cursor = await connection.execute(
        "SELECT id, request -> 'metadata' AS metadata FROM platform.runs WHERE thread_id = %s AND owner_id = %s"
        " ORDER BY created_at DESC LIMIT 1",
        (thread_id, owner_id),
    )
    row = await cursor.fetchone()
    found = None if row is None else await result(connection, row["id"], owner_id)
    return None if row is None or found is None else (found, row["metadata"] or {})


async def status(connection: Connection, run_id: UUID) -> RunStatus | None:
    """Read a run's status, or None when it is gone."""
    cursor = await connection.execute("SELECT status FROM platform.runs WHERE id = %s", (run_id,))
    row = await cursor.fetchone()
    return RunStatus(row["status"]) if row else None


async def request_cancel(
    connection: Connection, run_id: UUID, owner_id: UUID, action: CancelAction
) -> Literal["ended", "told"] | None:
    """Ask for the end of a run: one that waits ends at once, one that runs is told to.

    Returns:
        Which of the two; None when there is no unfinished run of this owner.
    """
    # The thread first, as all others do: who finishes a run has it when he claims the next one.
    await connection.execute(
        "SELECT FROM platform.threads WHERE id = (SELECT thread_id FROM platform.runs WHERE id = %s AND owner_id = %s)"
        " FOR UPDATE",
        (run_id, owner_id),
    )
    cursor = await connection.execute(
        """
        UPDATE platform.runs SET cancel_action = %s,
          status = CASE WHEN status = 'running' THEN status ELSE 'interrupted' END,
          finished_at = CASE WHEN status <> 'running' THEN now() END
        WHERE id = %s AND owner_id = %s AND status IN ('scheduled', 'pending', 'running')
        RETURNING thread_id, status, base_interrupts, scheduled_at
        """,
        (action, run_id, owner_id),
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    if row["status"] != RunStatus.interrupted:
        return "told"
    if action == "rollback":
        await connection.execute("DELETE FROM platform.runs WHERE id = %s", (run_id,))
    if row["scheduled_at"] is not None:
        # It had not taken its place on the thread yet.
        return "ended"
    interrupts = row["base_interrupts"]
    await free_thread(connection, row["thread_id"], "interrupted" if interrupts else "idle", interrupts)
    return "ended"


async def held(connection: Connection, worker_id: UUID) -> list[tuple[UUID, bool]]:
    """Return the runs that a process has claimed, and whether their end was asked for."""
    cursor = await connection.execute(
        "SELECT id, cancel_action IS NOT NULL AS cancelled FROM platform.runs"
        " WHERE worker_id = %s AND status = 'running'",
        (worker_id,),
    )
    return [(row["id"], row["cancelled"]) for row in await cursor.fetchall()]


async def disown(connection: Connection, run_ids: list[UUID], worker_id: UUID) -> None:
    """Give up runs that a process has claimed and does not execute; the next sweep restarts them."""
    await connection.execute(
        "UPDATE platform.runs SET worker_id = NULL WHERE id = ANY(%s) AND worker_id = %s AND status = 'running'",
        (run_ids, worker_id),
    )


async def delete_thread(connection: Connection, thread_id: UUID, owner_id: UUID) -> bool:
    """Delete a thread with its runs, events and checkpoints; False when it is not this owner's."""
    cursor = await connection.execute(
        "DELETE FROM platform.threads WHERE id = %s AND owner_id = %s", (thread_id, owner_id)
    )
    return cursor.rowcount > 0


async def thread_workflow(connection: Connection, thread_id: UUID, owner_id: UUID) -> str | None:
    """Return the workflow of an owner's thread."""
    cursor = await connection.execute(
        "SELECT workflow FROM platform.threads WHERE id = %s AND owner_id = %s", (thread_id, owner_id)
    )
    row = await cursor.fetchone()
    return row["workflow"] if row else None


async def load(connection: Connection) -> Load:
    """Count unfinished runs and waiting jobs; raises when runs or checkpoints are out of reach."""
    await connection.execute("SELECT 1 FROM checkpoints.checkpoints LIMIT 1")
    cursor = await connection.execute("SELECT * FROM platform.load()")
    row = await cursor.fetchone() or {}
    return Load(**row)

"""Who is alive: this process's heartbeat, and the sweep that restarts what dead processes left."""

import asyncio
from typing import Final
from uuid import UUID

import structlog
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from core.tasks import end
from db.database import Pool
from jobs.queue import JobQueue
from server.runs import repository
from server.runs.execution import RUN_JOB
from server.runs.executor import Executor

log = structlog.get_logger(__name__)

# Who could not beat for so many beats has to assume that the others could not either.
_LATE_BEATS: Final = 2
# They are back within a beat, and the time that a connection takes.
_CONNECT_SECONDS: Final = 1.0
# A run that nobody took up by then has lost its job.
_UNTAKEN_SECONDS: Final = 5.0
# How often runs are looked for whose time has come.
_WAKE_SECONDS: Final = 0.5
# A client that lost its connection may come back for the result of a stateless run.
EPHEMERAL_SECONDS: Final = 60.0
LOST_SENTENCE: Final = "The run lost its worker three times and was given up."


class Leases:
    """Beats while it runs; each beat also looks for dead processes' runs and for requests to cancel.

    A process that was silent for `dead_seconds` is taken for dead: at the latest one beat later its runs restart.
    """

    def __init__(
        self,
        pool: Pool,
        jobs: JobQueue,
        executor: Executor,
        worker_id: UUID,
        *,
        beat_seconds: float,
        dead_seconds: float,
    ) -> None:
        self._pool = pool
        self._jobs = jobs
        self._executor = executor
        self._worker_id = worker_id
        self._beat_seconds = beat_seconds
        self._dead_seconds = dead_seconds
        self._unknown: set[UUID] = set()
        self._beaten_at: float | None = None
        self._patient_until: float | None = None
        self._task: asyncio.Task[None] | None = None
        self._waker: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Register this process, sweep once, and go on beating."""
        await self._beat()
        self._task = asyncio.create_task(self._beat_often(), name="heartbeat")
        self._waker = asyncio.create_task(self._wake_often(), name="alarm clock")

    async def stop(self) -> None:
        """Stop beating and sign off, so that what is left restarts elsewhere at once."""
        await end(self._task)
        await end(self._waker)
        async with self._pool.connection() as connection:
            await connection.execute("DELETE FROM platform.workers WHERE id = %s", (self._worker_id,))

    async def _beat_often(self) -> None:
        while True:
            await asyncio.sleep(self._beat_seconds)
            try:
                await self._beat()
            except Exception as error:  # noqa: BLE001 - the database may be restarting; the next beat tries again
                log.warning("heartbeat_failed", error=type(error).__name__)

    async def _wake_often(self) -> None:
        while True:
            await asyncio.sleep(_WAKE_SECONDS)
            try:
                async with self._pool.connection() as connection, connection.transaction():
                    for run_id in await _due(connection):
                        await self._jobs.enqueue(connection, RUN_JOB, run_id=str(run_id))
            except Exception as error:  # noqa: BLE001 - the next look finds them
                log.warning("scheduled_runs_not_woken", error=type(error).__name__)

    async def _beat(self) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(
                "INSERT INTO platform.workers (id) VALUES (%s) ON CONFLICT (id) DO UPDATE SET seen_at = now()",
                (self._worker_id,),
            )
            is_sure = self._note_beat()
            await self._compare(connection)
            async with connection.transaction():
                if is_sure:
                    await _bury(connection, self._dead_seconds)
                free = await self._sweep(connection)
        for run_id in free:
            self._executor.offer(run_id)

    def _note_beat(self) -> bool:
        """Return whether others that were not seen lately are dead; not so where the database was away for all."""
        now = asyncio.get_running_loop().time()
        is_late = self._beaten_at is not None and now - self._beaten_at > _LATE_BEATS * self._beat_seconds
        self._beaten_at = now
        if self._patient_until is not None:
            # Once, however late the next beat is: a process under load must not wait for ever.
            self._patient_until = None if now >= self._patient_until else self._patient_until
        elif is_late:
            self._patient_until = now + self._beat_seconds + _CONNECT_SECONDS
        return self._patient_until is None

    async def _compare(self, connection: AsyncConnection[DictRow]) -> None:
        """Look at the runs that are this process's: cancel those that are to end, give up those that are unknown.

        A claim whose commit was not heard of leaves a run here that nobody executes. It is given up when it is
        still unknown at the next beat: the first time it may just be on its way.
        """
        held = await repository.held(connection, self._worker_id)
        for run_id, cancelled in held:
            if cancelled:
                self._executor.cancel(run_id)
        unknown = {run_id for run_id, _ in held if not self._executor.executes(run_id)}
        if forsaken := sorted(unknown & self._unknown):
            log.warning("runs_disowned", run_ids=[str(run_id) for run_id in forsaken])
            await repository.disown(connection, forsaken, self._worker_id)
        self._unknown = unknown

    async def _sweep(self, connection: AsyncConnection[DictRow]) -> list[UUID]:
        """Return the runs that anybody may go on with now; each has a job, in case that it is not taken here.

        Those that wait for a while are among them though they have a job: whoever listens for jobs may be deaf.
        """
        lost = await _restart_lost(connection)
        for run_id, given_up in lost:
            log.warning("run_lost_its_worker", run_id=str(run_id), given_up=given_up)
        restarted = [run_id for run_id, given_up in lost if not given_up]
        waiting = await _untaken(connection)
        for run_id in [*restarted, *(run_id for run_id, has_job in waiting if not has_job)]:
            await self._jobs.enqueue(connection, RUN_JOB, run_id=str(run_id))
        await _delete_ephemeral(connection)
        return [*restarted, *(run_id for run_id, _ in waiting)]


async def _due(connection: AsyncConnection[DictRow]) -> list[UUID]:
    """Let runs whose time has come take their places in their threads' queues, and return them."""
    cursor = await connection.execute(
        """
        WITH due AS (
          SELECT run.id, run.thread_id FROM platform.runs AS run
          JOIN platform.threads AS thread ON thread.id = run.thread_id
          WHERE run.status = 'scheduled' AND run.scheduled_at <= now()
          ORDER BY run.scheduled_at LIMIT 100 FOR UPDATE OF run, thread SKIP LOCKED),
        busy AS (
          UPDATE platform.threads SET status = 'busy', updated_at = now() WHERE id IN (SELECT thread_id FROM due))
        UPDATE platform.runs SET status = 'pending', scheduled_at = NULL WHERE id IN (SELECT id FROM due) RETURNING id
        """
    )
    return [row["id"] for row in await cursor.fetchall()]


async def _delete_ephemeral(connection: AsyncConnection[DictRow]) -> None:
    """Delete the threads of stateless runs that ended a while ago, and whose answer nobody fetched."""
    await connection.execute(
        """
        DELETE FROM platform.threads WHERE id IN (
          SELECT id FROM platform.threads AS thread
          WHERE ephemeral AND updated_at < now() - make_interval(secs => %s)
            -- Two, because each has an index of its own.
            AND NOT EXISTS (SELECT FROM platform.runs WHERE thread_id = thread.id AND status = 'scheduled')
            AND NOT EXISTS (SELECT FROM platform.runs WHERE thread_id = thread.id AND status IN ('pending', 'running'))
          ORDER BY updated_at LIMIT 100 FOR UPDATE SKIP LOCKED)
        """,
        (EPHEMERAL_SECONDS,),
    )


async def _bury(connection: AsyncConnection[DictRow], dead_seconds: float) -> None:
    """Strike off the processes that were not seen for too long."""
    await connection.execute(
        "DELETE FROM platform.workers WHERE seen_at < now() - make_interval(secs => %s)", (dead_seconds,)
    )


async def _restart_lost(connection: AsyncConnection[DictRow]) -> list[tuple[UUID, bool]]:
    """Return dead processes' runs to pending, or end those that lost their worker too often."""
    cursor = await connection.execute(
        """
        WITH lost AS (
          SELECT run.id, run.thread_id FROM platform.runs AS run
          JOIN platform.threads AS thread ON thread.id = run.thread_id
          WHERE run.status = 'running'
            AND NOT EXISTS (SELECT 1 FROM platform.workers WHERE id = run.worker_id)
          FOR UPDATE OF run, thread SKIP LOCKED),
        raised AS (
          UPDATE platform.threads AS thread SET fence = thread.fence + 1,
                 status = CASE WHEN run.attempt >= %(most)s THEN 'error' ELSE thread.status END
          FROM lost JOIN platform.runs AS run ON run.id = lost.id WHERE thread.id = lost.thread_id)
        UPDATE platform.runs AS run SET worker_id = NULL,
          status = CASE WHEN attempt >= %(most)s THEN 'error' ELSE 'pending' END,
          error_status = CASE WHEN attempt >= %(most)s THEN 500 END,
          error_code = CASE WHEN attempt >= %(most)s THEN 'WORKER_LOST' END,
          error_message = CASE WHEN attempt >= %(most)s THEN %(sentence)s END,
          finished_at = CASE WHEN attempt >= %(most)s THEN now() END
        FROM lost WHERE run.id = lost.id RETURNING run.id, run.status = 'error' AS given_up
        """,
        {"most": repository.MAX_LOST_ATTEMPTS, "sentence": LOST_SENTENCE},
    )
    return [(row["id"], row["given_up"]) for row in await cursor.fetchall()]


async def _untaken(connection: AsyncConnection[DictRow]) -> list[tuple[UUID, bool]]:
    """Return runs that wait on free threads for longer than a job takes, and whether they have one."""
    cursor = await connection.execute(
        """
        SELECT run.id, EXISTS (
          SELECT 1 FROM jobs.procrastinate_jobs AS job
          WHERE job.task_name = %s AND job.status = 'todo' AND job.args->>'run_id' = run.id::text) AS has_job
        FROM platform.runs AS run
        WHERE run.status = 'pending' AND run.created_at < now() - make_interval(secs => %s)
          AND NOT EXISTS (SELECT 1 FROM platform.runs AS other
                          WHERE other.thread_id = run.thread_id AND other.status = 'running')
        ORDER BY run.created_at LIMIT 100
        """,
        (RUN_JOB, _UNTAKEN_SECONDS),
    )
    return [(row["id"], row["has_job"]) for row in await cursor.fetchall()]

"""Keeps procrastinate's worker running: it stops, without an error, when PostgreSQL restarts."""

import asyncio
from typing import Final

import structlog

from core.tasks import end
from jobs.queue import QUEUE, JobQueue

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS: Final = 2.0
STALLED_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 1.0
_RESTART_SECONDS: Final = 0.5
_PATIENCE_SECONDS: Final = 1.0


class JobWorker:
    """Takes jobs from the queue until it is stopped."""

    def __init__(self, queue: JobQueue, *, concurrency: int) -> None:
        self._queue = queue
        self._concurrency = concurrency
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to take jobs, in a task of its own."""
        self._task = asyncio.create_task(self._supervise(), name="job worker")

    async def stop(self) -> None:
        """Take no more jobs. Handlers that still work are cut off after a second: let them end before."""
        await end(self._task, patience=_PATIENCE_SECONDS)
        self._task = None

    async def _supervise(self) -> None:
        while True:
            try:
                await self._queue.app.run_worker_async(
                    queues=[QUEUE],
                    concurrency=self._concurrency,
                    install_signal_handlers=False,
                    delete_jobs="always",
                    # Its listener may be deaf for a while after PostgreSQL was restarted.
                    fetch_job_polling_interval=_POLL_SECONDS,
                    update_heartbeat_interval=HEARTBEAT_SECONDS,
                    stalled_worker_timeout=STALLED_SECONDS,
                )
            except Exception as error:  # noqa: BLE001 - whatever stops it, it starts again
                log.warning("job_worker_failed", error=type(error).__name__)
            log.warning("job_worker_restarts")
            await asyncio.sleep(_RESTART_SECONDS)

"""Expired sessions are purged a day later, with their threads, messages and documents (G37, G71)."""

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from core.clock import Clock
from core.tasks import end
from db.database import Pool
from server.chat.repository import purge
from server.metrics import RETENTION_DELETED

log = structlog.get_logger(__name__)

KEPT: Final = timedelta(hours=24)
_FIRST_SECONDS: Final = 30.0


class ChatRetention:
    """Purges what has expired long enough ago.

    Args:
        pool: the system role's.
        clock: tells what has expired.
        seconds: from one sweep to the next.
    """

    def __init__(self, pool: Pool, clock: Clock, seconds: float) -> None:
        self._pool = pool
        self._clock = clock
        self._seconds = seconds
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to sweep, in a task of its own."""
        self._task = asyncio.create_task(self._sweep_often(), name="chat retention")

    async def stop(self) -> None:
        """Stop where it is."""
        await end(self._task)
        self._task = None

    async def _sweep_often(self) -> None:
        delay = min(self._seconds, _FIRST_SECONDS)
        while True:
            await asyncio.sleep(delay)
            delay = self._seconds
            try:
                await self.sweep()
            except Exception as error:  # noqa: BLE001 - the database may be restarting; the next sweep goes on
                log.warning("chat_retention_failed", error=type(error).__name__)

    async def sweep(self) -> int:
        """Purge all that is due, some sessions a transaction; return how many. Several processes share the work."""
        before = self._clock.now() - KEPT
        purged = 0
        async with self._pool.connection() as connection:
            async with connection.transaction():
                await purge.close_expired(connection, self._clock.now())
            while True:
                async with connection.transaction():
                    deleted = await purge.purge_some(connection, before)
                if deleted == 0:
                    return purged
                purged += deleted
                RETENTION_DELETED.labels("chat_sessions").inc(deleted)

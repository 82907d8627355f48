"""What is done now and then: files that nothing refers to are deleted, failed analyses are written down (T03)."""

import asyncio
from typing import Final

import structlog

from core.tasks import end
from db.database import Database
from server.audio import files
from server.audio.analysing import failure
from server.audio.repository import sessions
from server.metrics import RETENTION_DELETED
from tools.storage.model import OpenStorage

log = structlog.get_logger(__name__)

_FIRST_SECONDS: Final = 30.0
_SOME: Final = 100


class AudioUpkeep:
    """Tidies up after crashes, deleted users and runs whose failure nobody has asked about.

    Args:
        system: the system role's database.
        storage: where the files are.
        seconds: from one time to the next.
    """

    def __init__(self, system: Database, storage: OpenStorage, seconds: float) -> None:
        self._system = system
        self._storage = storage
        self._seconds = seconds
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in a task of its own."""
        self._task = asyncio.create_task(self._often(), name="audio upkeep")

    async def stop(self) -> None:
        """Stop where it is."""
        await end(self._task)
        self._task = None

    async def _often(self) -> None:
        delay = min(self._seconds, _FIRST_SECONDS)
        while True:
            await asyncio.sleep(delay)
            delay = self._seconds
            try:
                await self.tidy()
            except Exception as error:  # noqa: BLE001 - the database may be restarting; the next time goes on
                log.warning("audio_upkeep_failed", error=type(error).__name__)

    async def tidy(self) -> None:
        """Do all that is due; several processes may."""
        while await self._settle() == _SOME:
            pass
        if deleted := await files.sweep(self._system, self._storage):
            RETENTION_DELETED.labels("audio_files").inc(deleted)
        await self._storage.tidy()

    async def _settle(self) -> int:
        async with self._system.transaction() as session:
            found = await sessions.failed(session, _SOME)
            for one in found:
                await sessions.fail(session, one.user_id, one.session_id, one.analysis_asked_at, failure(one))
        return len(found)

"""The daily job, 00:30 Beijing time: snapshots of this week and the one before, of all classes (E083, G66, W33)."""

import asyncio
from datetime import datetime
from typing import Final

import structlog

from core.clock import Clock
from core.tasks import end
from db.database import Database
from server.counseling import staff_repository, weeks

log = structlog.get_logger(__name__)

_FIRST_SECONDS: Final = 20.0
_LOOK_SECONDS: Final = 30.0


async def refresh(system: Database, now: datetime) -> dict[str, int]:
    """Write both weeks' snapshots; returns of how many students, by week. Again, it changes nothing but the times."""
    written: dict[str, int] = {}
    for week in weeks.refreshed(now):
        # A transaction each: a report that is asked for meanwhile waits for one week at most.
        async with system.transaction() as session:
            written[week.key] = await staff_repository.write_compliance(session, week, now)
    log.info("compliance_refreshed", **{f"week_{key}": number for key, number in written.items()})
    return written


class DailyCompliance:
    """Refreshes once after each 00:30, and once after the process has started: it may have been down then.

    Several processes do it several times, which is the same. It looks at the clock often and never sleeps until a
    time, so that a clock that is set forward or back neither holds it up nor makes it miss a day.
    """

    def __init__(self, system: Database, clock: Clock) -> None:
        self._system = system
        self._clock = clock
        self._done: datetime | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look, in a task of its own."""
        self._task = asyncio.create_task(self._look_often(), name="daily compliance")

    async def stop(self) -> None:
        """Stop where it is; what is half done is done again."""
        await end(self._task)
        self._task = None

    async def look(self) -> bool:
        """Refresh if it is due; tells whether it was."""
        now = self._clock.now()
        due = weeks.last_refresh(now)
        if self._done == due:
            return False
        await refresh(self._system, now)
        self._done = due
        return True

    async def _look_often(self) -> None:
        delay = _FIRST_SECONDS
        while True:
            await asyncio.sleep(delay)
            delay = _LOOK_SECONDS
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 - the database may be restarting; the next look tries again
                log.warning("compliance_failed", error=type(error).__name__)

"""Growth is bounded: what is old, or more than is wanted of a thread, is deleted in small parts (issue 4)."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple
from uuid import UUID

import structlog

from checkpoints import retention as checkpoints
from core.clock import Clock
from core.settings import Settings
from core.tasks import end
from db.database import Pool
from server import metrics
from server.runs import retention_repository as repository
from server.runs.retention_repository import RUNS, THREADS, Connection, Order

log = structlog.get_logger(__name__)

Forget = Callable[[Connection, datetime], Awaitable[int]]

# A sweep that takes longer goes on after a pause, in any process.
MOST_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 1.0
_FIRST_SECONDS: Final = 30.0
# Commits may come this much later than the times that they write.
_SETTLED: Final = timedelta(seconds=60)
_KEYS: Final = timedelta(hours=24)
# An idle thread is looked at so often until its last checkpoint is too old.
_LOOKS: Final = 4


@dataclass(frozen=True)
class Limits:
    """What is kept of a thread (number and age of checkpoints), and of finished runs; None: no limit."""

    checkpoints: int | None
    checkpoint_age: timedelta | None
    event_age: timedelta | None
    run_age: timedelta | None

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """Return the configured ones."""

        def days(number: float) -> timedelta | None:
            return timedelta(days=number) if number else None

        return cls(
            settings.retention_checkpoints_per_thread or None,
            days(settings.retention_checkpoint_days),
            days(settings.retention_event_days),
            days(settings.retention_run_days),
        )


class _Sweep(NamedTuple):
    """A way through the rows of a table that were last changed some time ago."""

    name: str
    order: Order
    age: timedelta
    handle: Callable[[Connection, list[UUID]], Awaitable[None]]


class _OutOfTime(Exception):
    """The sweep goes on later."""


class Retention:
    """Deletes what is no longer kept, in one process at a time.

    Args:
        pool: the system role's.
        limits: what is kept.
        clock: tells what is old.
        seconds: from one sweep to the next.
        families: what else is kept as long as checkpoints are, by kind; each deletes some rows from before a time, and
            says how many.
    """

    def __init__(
        self, pool: Pool, limits: Limits, clock: Clock, seconds: float, families: Mapping[str, Forget] | None = None
    ) -> None:
        self._pool = pool
        self._limits = limits
        self._clock = clock
        self._seconds = seconds
        self._families = families or {}
        self._deadline = 0.0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to sweep, in a task of its own."""
        self._task = asyncio.create_task(self._sweep_often(), name="retention")

    async def stop(self) -> None:
        """Stop where it is: what is half done is done again."""
        await end(self._task)
        self._task = None

    async def _sweep_often(self) -> None:
        delay = min(self._seconds, _FIRST_SECONDS)
        while True:
            await asyncio.sleep(delay)
            delay = self._seconds
            try:
                if not await self.sweep():
                    delay = min(self._seconds, _PAUSE_SECONDS)
            except Exception as error:  # noqa: BLE001 - the database may be restarting; the next sweep goes on
                log.warning("retention_failed", error=type(error).__name__)

    async def sweep(self, seconds: float = MOST_SECONDS) -> bool:
        """Delete what is due, for some seconds at most.

        Returns:
            False when the time was too short; True also when another process is at it.
        """
        async with self._turn() as is_ours:
            if not is_ours:
                return True
            began = time.monotonic()
            self._deadline = began + seconds
            async with self._pool.connection() as connection:
                try:
                    await self._work(connection)
                    is_done = True
                except _OutOfTime:
                    is_done = False
                await self._show(connection)
            metrics.RETENTION_SECONDS.set(time.monotonic() - began)
            metrics.RETENTION_TIME.set_to_current_time()
            return is_done

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[bool]:
        # The lock goes with its transaction, also when the process dies. An idle transaction holds nothing else.
        async with self._pool.connection() as connection, connection.transaction():
            yield await repository.take_turn(connection)

    async def _work(self, connection: Connection) -> None:
        await self._repeat(connection, "jobs", lambda: repository.delete_jobs(connection))
        before = self._clock.now() - _KEYS
        await self._repeat(connection, "idempotency_keys", lambda: repository.delete_keys(connection, before))
        if age := self._limits.checkpoint_age:
            for kind, forget in self._families.items():
                await self._repeat(connection, kind, partial(forget, connection, self._clock.now() - age))
        for sweep in self._sweeps():
            while rows := await repository.due(connection, sweep.name, sweep.order, self._until(sweep)):
                await sweep.handle(connection, [row["id"] for row in rows])
                await repository.advance(connection, sweep.name, rows[-1])

    def _sweeps(self) -> list[_Sweep]:
        limits = self._limits
        sweeps = []
        if limits.event_age:
            sweeps.append(_Sweep("events", RUNS, limits.event_age, self._delete_events))
        if limits.run_age:
            sweeps.append(_Sweep("runs", RUNS, limits.run_age, self._trim_runs))
        if limits.checkpoints or limits.checkpoint_age:
            sweeps.append(_Sweep("threads", THREADS, timedelta(0), self._tidy_all))
        if age := limits.checkpoint_age:
            sweeps += [
                _Sweep(f"threads_{look}", THREADS, age * look / _LOOKS, self._tidy_all) for look in range(1, _LOOKS + 1)
            ]
        return sweeps

    def _until(self, sweep: _Sweep) -> datetime:
        return self._clock.now() - sweep.age - _SETTLED

    async def _show(self, connection: Connection) -> None:
        for sweep in self._sweeps():
            left = await repository.backlog(connection, sweep.name, sweep.order, self._until(sweep))
            metrics.RETENTION_BACKLOG.labels(sweep.name).set(left)

    async def _delete_events(self, connection: Connection, run_ids: list[UUID]) -> None:
        await self._repeat(connection, "events", lambda: repository.delete_events(connection, run_ids))

    async def _trim_runs(self, connection: Connection, run_ids: list[UUID]) -> None:
        self._check_time()
        async with connection.transaction():
            trimmed = await repository.trim_runs(connection, run_ids)
        _count(Counter(runs=trimmed))

    async def _repeat(self, connection: Connection, kind: str, delete: Callable[[], Awaitable[int]]) -> None:
        """Delete rows in transactions of their own, until there are no more."""
        deleted = repository.MOST_ROWS
        while deleted >= repository.MOST_ROWS:
            self._check_time()
            async with connection.transaction():
                deleted = await delete()
            _count(Counter({kind: deleted}))

    async def _tidy_all(self, connection: Connection, thread_ids: list[UUID]) -> None:
        age = self._limits.checkpoint_age
        keep = checkpoints.Keep(self._limits.checkpoints, self._clock.now() - age if age else None)
        self._check_time()
        for thread_id in await checkpoints.exceeding(connection, thread_ids, keep):
            await self._tidy(connection, thread_id, keep)

    async def _tidy(self, connection: Connection, thread_id: UUID, keep: checkpoints.Keep) -> None:
        """Delete what a thread need not keep, unless somebody works on it."""
        has_more = True
        while has_more:
            self._check_time()
            async with connection.transaction():
                deleted = await self._tidy_some(connection, thread_id, keep)
            _count(deleted)
            has_more = max(deleted.values(), default=0) >= checkpoints.MOST_ROWS

    async def _tidy_some(self, connection: Connection, thread_id: UUID, keep: checkpoints.Keep) -> Counter[str]:
        if not await repository.hold_idle(connection, thread_id):
            return Counter()
        oldest = await checkpoints.oldest_kept(connection, thread_id, keep)
        if oldest is None:
            return Counter()
        deleted = await checkpoints.delete_before(connection, thread_id, oldest)
        if deleted.total():
            # A process that remembers the thread may know items by number that are gone; a change of an old state
            # that is being worked out may build on a checkpoint that is.
            await repository.raise_fence(connection, thread_id)
        return deleted

    def _check_time(self) -> None:
        if time.monotonic() > self._deadline:
            raise _OutOfTime


def _count(deleted: Counter[str]) -> None:
    for kind, number in deleted.items():
        metrics.RETENTION_DELETED.labels(kind).inc(number)

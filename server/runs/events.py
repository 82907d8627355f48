"""A run's events: one writer under the thread's fence, any number of readers in any process.

Readers in the writer's process are fed from memory; all others, and who is far behind, read the log.
"""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Final, Self
from uuid import UUID

import orjson
import structlog
from psycopg import AsyncConnection
from psycopg.rows import DictRow

from checkpoints.saver import FenceLost
from core.tasks import wait_at_most
from db.database import Pool, acting_for
from server.runs.broker import Broker, notify
from server.runs.encode import encode
from server.runs.feed import Feed
from server.runs.fence import fenced
from server.runs.model import Claim, Event, EventId, RunStatus

log = structlog.get_logger(__name__)

_BATCH_SECONDS: Final = 0.02
_POLL_SECONDS: Final = 1.0
_PAGE: Final = 500


class EventWriter:
    """Collects a run's events and writes them in batches.

    Leaving the block lets a write that is under way end; what is left is for the run's last transaction.
    """

    def __init__(self, pool: Pool, broker: Broker, claimed: Claim, feed: Feed) -> None:
        self._pool = pool
        self._broker = broker
        self._claimed = claimed
        self._buffer: list[tuple[int, str, str]] = []
        self._feed = feed
        self._is_held_back = False
        self._filled = asyncio.Event()
        self._closed = asyncio.Event()
        self._seq = 0
        self._flusher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._flusher = asyncio.create_task(self._flush_often(), name="event flusher")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        self._filled.set()
        if self._flusher is not None:
            await self._flusher

    def append(self, event: str, data: Any, *, early: bool = True) -> None:
        """Add an event; it is written within a few hundredths of a second.

        Args:
            event: its name.
            data: what JSON can hold, and what LangGraph emits besides.
            early: whether readers may see it before it is committed; if not, they see it and all later ones in the
                log, when the run has ended.
        """
        self._seq += 1
        encoded = encode(data)
        self._buffer.append((self._seq, event, encoded))
        self._is_held_back = self._is_held_back or not early
        if not self._is_held_back:
            event_id = EventId(self._claimed.fence, self._seq)
            self._feed.publish(Event(event_id, event, orjson.loads(encoded)))
            self._broker.wake(self._claimed.run_id)
        self._filled.set()

    async def write(self, connection: AsyncConnection[DictRow]) -> None:
        """Write what is collected in the caller's fenced transaction, and tell the readers."""
        if self._buffer:
            await self._insert(connection, self._buffer)
        await notify(connection, self._claimed.run_id)

    async def _insert(self, connection: AsyncConnection[DictRow], batch: list[tuple[int, str, str]]) -> None:
        # A batch whose commit was not heard of is written again.
        await connection.execute(
            """
            INSERT INTO platform.run_events (run_id, owner_id, fence, seq, event, data)
            SELECT %s, %s, %s, seq, event, data FROM unnest(%s::int[], %s::text[], %s::json[]) AS e(seq, event, data)
            ON CONFLICT DO NOTHING
            """,
            (
                self._claimed.run_id,
                self._claimed.owner_id,
                self._claimed.fence,
                *(list(column) for column in zip(*batch, strict=True)),
            ),
        )

    async def _flush_often(self) -> None:
        while True:
            await self._filled.wait()
            await wait_at_most(self._closed, _BATCH_SECONDS)
            if self._closed.is_set():
                return
            batch = list(self._buffer)
            self._filled.clear()
            try:
                async with fenced(self._pool, self._claimed) as connection:
                    await self._insert(connection, batch)
                    await notify(connection, self._claimed.run_id)
            except FenceLost:
                return
            except Exception as error:  # noqa: BLE001 - the next flush, or the run's end, writes them
                log.warning("events_not_written", run_id=str(self._claimed.run_id), error=type(error).__name__)
                self._filled.set()
            else:
                del self._buffer[: len(batch)]


async def read(
    pool: Pool, broker: Broker, owner_id: UUID, run_id: UUID, after: EventId, seconds: float | None = None
) -> AsyncIterator[Event]:
    """Yield a run's events that come after `after`, until the run is finished or `seconds` are over."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + (float("inf") if seconds is None else seconds)
    with broker.subscribe(run_id) as news:
        while True:
            news.clear()
            feed = broker.feed_of(run_id)
            remembered = feed.after(after) if feed else None
            finished, events = (
                (False, remembered) if remembered is not None else await _page(pool, owner_id, run_id, after)
            )
            for event in events:
                yield event
                after = event.id
            left = deadline - loop.time()
            if left <= 0 or (finished and not events):
                return
            if not events:
                await wait_at_most(news, min(_POLL_SECONDS, left))


async def _page(pool: Pool, owner_id: UUID, run_id: UUID, after: EventId) -> tuple[bool, list[Event]]:
    async with acting_for(pool, owner_id) as connection:
        # The status first: what a finished run wrote is then in the second answer.
        cursor = await connection.execute("SELECT status FROM platform.runs WHERE id = %s", (run_id,))
        run = await cursor.fetchone()
        cursor = await connection.execute(
            """
            SELECT fence, seq, event, data FROM platform.run_events
            WHERE run_id = %s AND (fence, seq) > (%s, %s) ORDER BY fence, seq LIMIT %s
            """,
            (run_id, *after, _PAGE),
        )
        rows = await cursor.fetchall()
    finished = run is None or RunStatus(run["status"]).finished
    return finished, [Event(EventId(row["fence"], row["seq"]), row["event"], row["data"]) for row in rows]

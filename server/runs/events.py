"""Reading a run's events, in any process.

Readers in the process that executes the run are fed from memory; all others, and who is far behind, read the log.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from db.database import Pool, acting_for
from server.runs.broker import Broker
from server.runs.model import Event, EventId, RunStatus

_POLL_SECONDS: Final = 1.0
_PAGE: Final = 500


async def read(
    pool: Pool, broker: Broker, owner_id: UUID, run_id: UUID, after: EventId, seconds: float | None = None
) -> AsyncIterator[list[Event]]:
    """Yield a run's events that come after `after`, as many at a time as there are, until the run is finished.

    Ends early, without an error, when `seconds` are over.
    """
    deadline = asyncio.get_running_loop().time() + (float("inf") if seconds is None else seconds)
    feed = None
    with broker.subscribe(run_id) as news, _ticking(news, deadline):
        while True:
            news.clear()
            # One that has ended is whole, and tells the rest.
            if feed is None or not feed.has_ended:
                feed = broker.feed_of(run_id)
            remembered = feed.after(after) if feed else None
            news.reads_log = remembered is None
            finished, events = (
                (feed is not None and feed.has_ended, remembered)
                if remembered is not None
                else await _page(pool, owner_id, run_id, after)
            )
            if events:
                yield events
                after = events[-1].id
            if (finished and not events) or asyncio.get_running_loop().time() >= deadline:
                return
            if not events:
                await news.wait()


@contextmanager
def _ticking(news: asyncio.Event, deadline: float) -> Iterator[None]:
    """Set the event every second, and at the deadline: a wake-up may get lost. One timer a second, not one a wait."""
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle

    def tick() -> None:
        nonlocal timer
        news.set()
        timer = later()

    def later() -> asyncio.TimerHandle:
        left = deadline - loop.time()
        return loop.call_later(min(_POLL_SECONDS, left) if left > 0 else _POLL_SECONDS, tick)

    timer = later()
    try:
        yield
    finally:
        timer.cancel()


async def _page(pool: Pool, owner_id: UUID, run_id: UUID, after: EventId) -> tuple[bool, list[Event]]:
    async with acting_for(pool, owner_id) as connection:
        # The status first: what a finished run wrote is then in the second answer.
        cursor = await connection.execute("SELECT status FROM platform.runs WHERE id = %s", (run_id,))
        run = await cursor.fetchone()
        cursor = await connection.execute(
            """
            SELECT fence, seq, event, data::text FROM platform.run_events
            WHERE run_id = %s AND (fence, seq) > (%s, %s) ORDER BY fence, seq LIMIT %s
            """,
            (run_id, *after, _PAGE),
        )
        rows = await cursor.fetchall()
    finished = run is None or RunStatus(run["status"]).finished
    return finished, [Event(EventId(row["fence"], row["seq"]), row["event"], row["data"]) for row in rows]

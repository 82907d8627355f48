"""Reading a run's events, in any process.

Readers in the process that executes the run are fed from memory; all others, and who is far behind, read the log.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

from core.tasks import wait_at_most
from db.database import Pool, acting_for
from server.runs.broker import Broker
from server.runs.model import Event, EventId, RunStatus

_POLL_SECONDS: Final = 1.0
_PAGE: Final = 500


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
            SELECT fence, seq, event, data::text FROM platform.run_events
            WHERE run_id = %s AND (fence, seq) > (%s, %s) ORDER BY fence, seq LIMIT %s
            """,
            (run_id, *after, _PAGE),
        )
        rows = await cursor.fetchall()
    finished = run is None or RunStatus(run["status"]).finished
    return finished, [Event(EventId(row["fence"], row["seq"]), row["event"], row["data"]) for row in rows]

"""SQL that forgets sessions, as the system role; each call is bounded, and its caller's transaction is short."""

from datetime import datetime
from typing import Final

from server.chat.repository.sessions import Connection

_MOST: Final = 50


async def close_expired(connection: Connection, at: datetime) -> None:
    """Close what has expired: its time does not come back, whatever the clock does (G37)."""
    await connection.execute(
        "UPDATE chat.sessions SET closed_at = expires_at WHERE id IN ("
        " SELECT id FROM chat.sessions WHERE expires_at <= %s AND closed_at IS NULL LIMIT 1000 FOR UPDATE SKIP LOCKED)",
        (at,),
    )


async def purge_some(connection: Connection, before: datetime) -> int:
    """Delete some sessions that expired before an instant, with all that hangs on them; return how many."""
    cursor = await connection.execute(
        "SELECT id, thread_id FROM chat.sessions WHERE expires_at <= %s ORDER BY expires_at, id LIMIT %s"
        " FOR UPDATE SKIP LOCKED",
        (before, _MOST),
    )
    rows = await cursor.fetchall()
    if rows:
        # Its runs, their events and its checkpoints go with a thread.
        await connection.execute("DELETE FROM platform.threads WHERE id = ANY(%s)", ([r["thread_id"] for r in rows],))
        await connection.execute("DELETE FROM chat.sessions WHERE id = ANY(%s)", ([r["id"] for r in rows],))
    return len(rows)

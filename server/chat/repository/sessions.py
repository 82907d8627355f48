"""SQL of sessions, within a transaction that acts for their owner. Locks are on the session's row (G42)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

Connection = AsyncConnection[DictRow]

# In the database's own time. A process that answers renews it; one that died keeps nobody out for longer.
LEASE_SECONDS: Final = 20


@dataclass(frozen=True, kw_only=True)
class Session:
    """A session, as its row says."""

    id: UUID
    owner_id: UUID
    thread_id: UUID
    memory: dict[str, Any]
    ttl_seconds: int
    expires_at: datetime
    is_closed: bool
    is_leased: bool

    def lives(self, at: datetime) -> bool:
        """Tell whether it may be used."""
        return not self.is_closed and at < self.expires_at


@dataclass(frozen=True, kw_only=True)
class ThreadStanding:
    """What a session's thread is doing."""

    waits: bool = False
    """Whether it is interrupted, for a decision."""
    is_running: bool = False


_COLUMNS: Final = (
    "id, owner_id, thread_id, memory, ttl_seconds, expires_at, closed_at IS NOT NULL AS is_closed,"
    # Whose answer is there has nothing to keep others out for, also where its process died before it said so.
    " coalesce(leased_until > now() AND NOT EXISTS (SELECT FROM chat.messages AS m WHERE m.session_id = sessions.id"
    " AND m.owner_id = sessions.owner_id AND m.turn_id = leased_by AND m.role = 'assistant'), false) AS is_leased"
)
_READ: Final = f"SELECT {_COLUMNS} FROM chat.sessions WHERE id = %s AND owner_id = %s".encode()  # noqa: S608 - ours


async def insert(
    connection: Connection, *, session_id: UUID, owner_id: UUID, thread_id: UUID, ttl_seconds: int, at: datetime
) -> None:
    """Write a new session."""
    await connection.execute(
        "INSERT INTO chat.sessions (id, owner_id, thread_id, ttl_seconds, expires_at, created_at, updated_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (session_id, owner_id, thread_id, ttl_seconds, at + timedelta(seconds=ttl_seconds), at, at),
    )


async def find(connection: Connection, session_id: UUID, owner_id: UUID, *, lock: bool = False) -> Session | None:
    """Read a session of this owner, locked against others if asked."""
    # Not FOR UPDATE: what is being added to the session (a long document) need not be waited for.
    cursor = await connection.execute(_READ + b" FOR NO KEY UPDATE" if lock else _READ, (session_id, owner_id))
    row = await cursor.fetchone()
    return Session(**row) if row else None


async def standing(connection: Connection, thread_id: UUID) -> ThreadStanding:
    """Read what a thread is doing. A statement after the lock's: it sees what was committed until then."""
    cursor = await connection.execute(
        """
        SELECT t.interrupts <> '{}' AS waits, EXISTS (
          SELECT FROM platform.runs AS r WHERE r.thread_id = t.id AND r.status IN ('pending', 'running')) AS is_running
        FROM platform.threads AS t WHERE t.id = %s
        """,
        (thread_id,),
    )
    row = await cursor.fetchone()
    return ThreadStanding(**row) if row else ThreadStanding()


async def slide(connection: Connection, session: Session, at: datetime) -> None:
    """Let a session live on from now (G37)."""
    await connection.execute(
        "UPDATE chat.sessions SET expires_at = %s, updated_at = %s WHERE id = %s",
        (at + timedelta(seconds=session.ttl_seconds), at, session.id),
    )


async def lease(connection: Connection, session: Session, turn_id: UUID, at: datetime) -> None:
    """Let a session live on, and keep others from asking in it while the turn is answered."""
    await connection.execute(
        "UPDATE chat.sessions SET expires_at = %s, updated_at = %s, leased_by = %s,"
        " leased_until = now() + make_interval(secs => %s) WHERE id = %s",
        (at + timedelta(seconds=session.ttl_seconds), at, turn_id, LEASE_SECONDS, session.id),
    )


async def renew(connection: Connection, session_id: UUID, turn_id: UUID) -> None:
    """Keep a session for longer."""
    await connection.execute(
        "UPDATE chat.sessions SET leased_until = now() + make_interval(secs => %s) WHERE id = %s AND leased_by = %s",
        (LEASE_SECONDS, session_id, turn_id),
    )


async def release(connection: Connection, session_id: UUID, turn_id: UUID) -> None:
    """Let others ask in a session again."""
    await connection.execute(
        "UPDATE chat.sessions SET leased_until = NULL, leased_by = NULL WHERE id = %s AND leased_by = %s",
        (session_id, turn_id),
    )


async def remember(connection: Connection, session_id: UUID, memory: dict[str, Any]) -> None:
    """Replace what a session remembers (G36)."""
    await connection.execute("UPDATE chat.sessions SET memory = %s WHERE id = %s", (Jsonb(memory), session_id))


async def page(
    connection: Connection, owner_id: UUID, at: datetime, *, limit: int, offset: int
) -> tuple[list[DictRow], int]:
    """Read sessions that have not expired, newest first, each with its first message; and count them."""
    cursor = await connection.execute(
        """
        SELECT s.id, s.thread_id, s.created_at, s.updated_at, s.expires_at, coalesce(left(m.content, 50), '') AS title
        FROM chat.sessions AS s
        LEFT JOIN chat.messages AS m ON m.session_id = s.id AND m.owner_id = s.owner_id AND m.number = 1
        WHERE s.owner_id = %s AND s.expires_at > %s AND s.closed_at IS NULL
        ORDER BY s.updated_at DESC, s.id DESC LIMIT %s OFFSET %s
        """,
        (owner_id, at, limit, offset),
    )
    rows = await cursor.fetchall()
    cursor = await connection.execute(
        "SELECT count(*) AS total FROM chat.sessions WHERE owner_id = %s AND expires_at > %s AND closed_at IS NULL",
        (owner_id, at),
    )
    counted = await cursor.fetchone()
    return rows, counted["total"] if counted else 0

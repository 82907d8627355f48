"""SQL of sessions, their logs, and this family's users. Every statement names the owner."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.models.interpret import InterpretLog, InterpretSession, InterpretUser
from nodes.interpret_execute.records import Noted, SessionStatus
from server.auth.repository import phone_user

_LONGEST_MESSAGE: Final = 8000
# What a run that ends by itself does not leave a session in.
_AT_WORK: Final = ("interpreting", "executing")

_NOTE: Final = """
WITH kept AS (
  SELECT id FROM interpret.sessions WHERE thread_id = %(thread)s AND user_id = %(user)s
), added AS (
  INSERT INTO interpret.logs (session_id, user_id, key, step, status, message)
  SELECT id, %(user)s, %(key)s, %(step)s, %(outcome)s, %(message)s FROM kept
  ON CONFLICT (session_id, key) DO NOTHING
  RETURNING session_id
), changed AS (
  UPDATE interpret.sessions AS session SET status = %(status)s, updated_at = clock_timestamp()
  FROM added WHERE session.id = added.session_id AND %(status)s::text IS NOT NULL
)
SELECT 1 FROM added
"""


@dataclass(frozen=True)
class Opened:
    """A session that a request works on, and the status that it had before; None: it is new."""

    id: UUID
    thread_id: UUID
    former: SessionStatus | None


async def open_session(
    session: AsyncSession, user_id: UUID, session_id: str, thread_id: UUID, status: SessionStatus
) -> Opened:
    """Get or make the user's session and set its status (B018); `thread_id` is a new one's (K17).

    The user's own row is made with his first session (B035, K16).
    """
    known = await _reopen(session, user_id, session_id, status)
    if known is not None:
        return known
    await _ensure_user(session, user_id)
    made = await session.execute(
        insert(InterpretSession)
        .values(session_id=session_id, user_id=user_id, thread_id=thread_id, status=status)
        .on_conflict_do_nothing(index_elements=["user_id", "session_id"])
        .returning(InterpretSession.id)
    )
    new_id = made.scalar_one_or_none()
    if new_id is not None:
        return Opened(new_id, thread_id, None)
    # Another request made it meanwhile.
    known = await _reopen(session, user_id, session_id, status)
    assert known is not None  # noqa: S101 - sessions are deleted with their threads only, and this one has none yet
    return known


async def _reopen(session: AsyncSession, user_id: UUID, session_id: str, status: SessionStatus) -> Opened | None:
    found = await find_session(session, user_id, session_id, lock=True)
    if found is None:
        return None
    opened = Opened(found.id, found.thread_id, cast("SessionStatus", found.status))
    await _set_status(session, user_id, found.id, status)
    return opened


async def read_user(session: AsyncSession, user_id: UUID) -> InterpretUser:
    """Return a user's row, made where there is none (B035)."""
    await _ensure_user(session, user_id)
    return (await session.scalars(select(InterpretUser).where(InterpretUser.auth_user_id == user_id))).one()


async def _ensure_user(session: AsyncSession, user_id: UUID) -> None:
    """Make the user's row under the phone that he logs in with, or under his id where there is none."""
    phone = await phone_user(session, user_id)
    for username in [phone.phone, str(user_id)] if phone else [str(user_id)]:
        await session.execute(
            insert(InterpretUser).values(username=username, auth_user_id=user_id).on_conflict_do_nothing()
        )
        known = await session.scalar(select(InterpretUser.id).where(InterpretUser.auth_user_id == user_id))
        if known is not None:
            return


async def find_session(
    session: AsyncSession, user_id: UUID, session_id: str, *, lock: bool = False
) -> InterpretSession | None:
    """Read a session by the client's name for it, locked against other writers if asked."""
    statement = select(InterpretSession).where(
        InterpretSession.user_id == user_id, InterpretSession.session_id == session_id
    )
    return await session.scalar(statement.with_for_update() if lock else statement)


async def _set_status(session: AsyncSession, user_id: UUID, id_: UUID, status: SessionStatus) -> None:
    await session.execute(
        update(InterpretSession)
        .where(InterpretSession.id == id_, InterpretSession.user_id == user_id)
        .values(status=status, updated_at=func.clock_timestamp())
        .execution_options(synchronize_session=False)
    )


async def put_back(session: AsyncSession, user_id: UUID, opened: Opened, status: SessionStatus) -> None:
    """Undo what `open_session` wrote on a session that was there, where nobody has written since."""
    if opened.former is None:
        return
    await session.execute(
        update(InterpretSession)
        .where(InterpretSession.id == opened.id, InterpretSession.user_id == user_id, InterpretSession.status == status)
        .values(status=opened.former)
    )


async def fail_session(
    session: AsyncSession, user_id: UUID, thread_id: UUID, *, key: str, step: str, message: str
) -> None:
    """Mark a session as failed whose run has ended without saying so, and log it as a step (G22)."""
    failed = await session.scalar(
        update(InterpretSession)
        .where(
            InterpretSession.thread_id == thread_id,
            InterpretSession.user_id == user_id,
            InterpretSession.status.in_(_AT_WORK),
        )
        .values(status="failed", updated_at=func.clock_timestamp())
        .returning(InterpretSession.id)
    )
    if failed is not None:
        await _log(session, user_id, failed, key=key, step=step, status="failed", message=message)


async def note(
    connection: AsyncConnection[DictRow],
    user_id: UUID,
    thread_id: UUID,
    *,
    key: str,
    status: SessionStatus | None,
    step: str,
    outcome: Noted,
    message: str,
) -> bool:
    """Add a row to the log of the session that keeps this thread and set its status (B019).

    Returns:
        Whether it was added; False where the key was noted before, or no session of this user keeps the thread.
    """
    added = await connection.execute(
        _NOTE,
        {
            "user": user_id,
            "thread": thread_id,
            "key": key,
            "status": status,
            "step": step,
            "outcome": outcome,
            "message": _storable(message),
        },
    )
    return await added.fetchone() is not None


async def _log(
    session: AsyncSession, user_id: UUID, id_: UUID, *, key: str, step: str, status: Noted, message: str
) -> None:
    await session.execute(
        insert(InterpretLog)
        .values(session_id=id_, user_id=user_id, key=key, step=step, status=status, message=_storable(message))
        .on_conflict_do_nothing(index_elements=["session_id", "key"])
    )


def _storable(message: str) -> str:
    # A model's words: PostgreSQL's text holds neither U+0000 nor half characters.
    return message.replace("\0", "").encode(errors="replace").decode()[:_LONGEST_MESSAGE]


async def list_logs(
    session: AsyncSession, user_id: UUID, id_: UUID, *, limit: int, offset: int
) -> tuple[Sequence[InterpretLog], int]:
    """Read a page of a session's log, oldest first, and count it."""
    matching = (InterpretLog.session_id == id_, InterpretLog.user_id == user_id)
    page = select(InterpretLog).where(*matching).order_by(InterpretLog.id).limit(limit).offset(offset)
    rows = (await session.scalars(page)).all()
    total = await session.scalar(select(func.count()).select_from(InterpretLog).where(*matching))
    return rows, total or 0

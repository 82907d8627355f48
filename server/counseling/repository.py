"""SQL of sessions: whose they are, how they begin, grow and are read."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.database import Pool, acting_for
from db.models.counseling import CounselingSession, CounselingUser, ThoughtRecord, VisitorInstance
from server.counseling.scopes import Kind, Scope
from server.counseling.weeks import Handed, Week
from server.runs.jsonb import jsonb

MOST_LINES: Final = 2000
"""Messages of one session: an append rewrites them all."""


async def locate(session: AsyncSession, kind: Kind, thing: UUID) -> tuple[UUID, Scope | None] | None:
    """Return whose a thing is and how the caller stands to it; None: there is no such thing."""
    found = await session.execute(
        text("SELECT student_id, scope FROM counseling.locate(:kind, :thing)"), {"kind": kind, "thing": thing}
    )
    row = found.first()
    return (row.student_id, row.scope) if row else None


async def enrolled_at(session: AsyncSession, student_id: UUID) -> datetime:
    """Return since when somebody is enrolled."""
    statement = select(CounselingUser.created_at).where(CounselingUser.auth_user_id == student_id)
    return (await session.scalars(statement)).one()


async def handed_in(session: AsyncSession, student_id: UUID, week: Week) -> list[Handed]:
    """Return a student's sessions of a week as its rules see them."""
    rows = await session.execute(
        select(
            CounselingSession.created_at,
            CounselingSession.finalized_at,
            func.array_agg(ThoughtRecord.created_at).filter(ThoughtRecord.id.is_not(None)).label("records"),
        )
        .outerjoin(ThoughtRecord, ThoughtRecord.session_id == CounselingSession.id)
        .where(
            CounselingSession.student_id == student_id,
            CounselingSession.created_at >= week.start,
            CounselingSession.created_at < week.end,
        )
        .group_by(CounselingSession.id)
    )
    return [Handed(row.created_at, row.finalized_at, tuple(row.records or ())) for row in rows]


async def insert_session(
    session: AsyncSession, student_id: UUID, instance_id: UUID, at: datetime, number: int | None
) -> Row[UUID, int] | None:
    """Write a session under the instance's next number, or the given one; None: that one is taken (E013, G48).

    The instance is locked, so that its numbers have no gaps.
    """
    await session.execute(select(VisitorInstance.id).where(VisitorInstance.id == instance_id).with_for_update())
    if number is None:
        last = await session.scalar(
            select(func.max(CounselingSession.session_number)).where(
                CounselingSession.visitor_instance_id == instance_id, CounselingSession.student_id == student_id
            )
        )
        number = (last or 0) + 1
    made = await session.execute(
        insert(CounselingSession)
        .values(visitor_instance_id=instance_id, student_id=student_id, session_number=number, created_at=at)
        .on_conflict_do_nothing(constraint="sessions_number")
        .returning(CounselingSession.id, CounselingSession.session_number)
    )
    return made.first()


_APPEND: Final = b"""
UPDATE counseling.sessions SET chat_history = chat_history || %(lines)s
WHERE id = %(id)s AND finalized_at IS NULL AND finalize_thread_id IS NULL
  AND jsonb_array_length(chat_history) < %(most)s
  AND (%(key)s::text IS NULL OR NOT chat_history @> jsonb_build_array(jsonb_build_object('key', %(key)s::text)))
RETURNING id
"""


async def append(pool: Pool, user_id: UUID, session_id: UUID, line: dict[str, Any], *, key: str | None = None) -> bool:
    """Append a message, in one statement (W31); False when the session is finalised, or being so, or full.

    The busiest statement of the family: it goes without SQLAlchemy.

    Args:
        pool: the application's.
        user_id: who may write there.
        session_id: whose messages.
        line: the message.
        key: a line of this key is appended once.
    """
    values = {"lines": jsonb([line]), "id": session_id, "most": MOST_LINES, "key": key}
    async with acting_for(pool, user_id) as connection:
        cursor = await connection.execute(_APPEND, values)
        return await cursor.fetchone() is not None


async def read(session: AsyncSession, session_id: UUID, *, lock: bool = False) -> CounselingSession | None:
    """Read a session that the caller sees, locked against other writers if asked."""
    statement = select(CounselingSession).where(CounselingSession.id == session_id)
    return await session.scalar(statement.with_for_update() if lock else statement)


async def newest(session: AsyncSession, instance_id: UUID, *, completed: bool) -> CounselingSession | None:
    """Read an instance's newest session, or the newest that is finalised (E026, E027)."""
    statement = select(CounselingSession).where(CounselingSession.visitor_instance_id == instance_id)
    if completed:
        statement = statement.where(CounselingSession.finalized_at.is_not(None))
    return await session.scalar(statement.order_by(CounselingSession.session_number.desc()).limit(1))


async def page(session: AsyncSession, instance_id: UUID, *, limit: int, offset: int) -> Sequence[Row[*tuple[Any, ...]]]:
    """Read a page of an instance's sessions, the newest first, without what was said in them (E028)."""
    rows = await session.execute(
        select(
            CounselingSession.id,
            CounselingSession.session_number,
            CounselingSession.created_at,
            CounselingSession.session_diary.is_not(None).label("has_diary"),
            CounselingSession.pre_session_activity.is_not(None).label("has_activity"),
        )
        .where(CounselingSession.visitor_instance_id == instance_id)
        .order_by(CounselingSession.session_number.desc())
        .limit(limit)
        .offset(offset)
    )
    return rows.all()


async def instances_of(session: AsyncSession, student_id: UUID) -> Sequence[UUID]:
    """Return a student's visitor instances, the oldest first (E052)."""
    statement = select(VisitorInstance.id).where(VisitorInstance.owner_id == student_id)
    return (await session.scalars(statement.order_by(VisitorInstance.created_at, VisitorInstance.id))).all()

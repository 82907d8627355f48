"""SQL of what finalising a session reads and writes: the visitor, what came before, each stage's result."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from db.models.counseling import CounselingSession, MemoryVersion, VisitorInstance, VisitorTemplate
from db.models.platform import Thread


async def visitor(session: AsyncSession, instance_id: UUID) -> tuple[str, str, dict[str, Any]]:
    """Return a visitor's name, persona and what he remembers."""
    rows = await session.execute(
        select(VisitorTemplate.name, VisitorTemplate.core_persona, VisitorInstance.long_term_memory)
        .join(VisitorInstance, VisitorInstance.template_key == VisitorTemplate.key)
        .where(VisitorInstance.id == instance_id)
    )
    name, persona, memory = rows.one()
    return name, persona, memory


async def session_before(session: AsyncSession, present: CounselingSession) -> CounselingSession | None:
    """Return the instance's finalised session before this one."""
    return await session.scalar(
        select(CounselingSession)
        .where(
            CounselingSession.visitor_instance_id == present.visitor_instance_id,
            CounselingSession.session_number < present.session_number,
            CounselingSession.finalized_at.is_not(None),
        )
        .order_by(CounselingSession.session_number.desc())
        .limit(1)
    )


async def version(session: AsyncSession, session_id: UUID) -> dict[str, Any] | None:
    """Return the version of the memory that a session made."""
    return await session.scalar(select(MemoryVersion.content).where(MemoryVersion.session_id == session_id))


async def memory_before(session: AsyncSession, present: CounselingSession) -> dict[str, Any] | None:
    """Return the version that was the newest when a session's own was made."""
    own = select(MemoryVersion.id).where(MemoryVersion.session_id == present.id).scalar_subquery()
    return await session.scalar(
        select(MemoryVersion.content)
        .join(CounselingSession, CounselingSession.id == MemoryVersion.session_id)
        .where(CounselingSession.visitor_instance_id == present.visitor_instance_id, MemoryVersion.id < own)
        .order_by(MemoryVersion.id.desc())
        .limit(1)
    )


async def save(session: AsyncSession, session_id: UUID, values: dict[str, Any]) -> bool:
    """Store a stage's result on its session; False when the session is gone."""
    saved = await session.execute(
        update(CounselingSession)
        .where(CounselingSession.id == session_id)
        .values(**values)
        .returning(CounselingSession.id)
    )
    return saved.first() is not None


async def save_memory(session: AsyncSession, present: CounselingSession, memory: dict[str, Any], at: datetime) -> None:
    """Store the session's version; the visitor remembers it, unless a later session has made one since."""
    instance = VisitorInstance.id == present.visitor_instance_id
    await session.execute(select(VisitorInstance.id).where(instance).with_for_update())
    written = insert(MemoryVersion).values(
        session_id=present.id, student_id=present.student_id, content=memory, created_at=at
    )
    own = await session.scalar(
        written.on_conflict_do_update(
            constraint="long_term_memory_versions_of", set_={"content": written.excluded.content}
        ).returning(MemoryVersion.id)
    )
    other = aliased(CounselingSession)
    later = (
        select(func.count())
        .select_from(MemoryVersion)
        .join(other, other.id == MemoryVersion.session_id)
        .where(other.visitor_instance_id == present.visitor_instance_id, MemoryVersion.id > own)
    )
    if not await session.scalar(later):
        await session.execute(update(VisitorInstance).where(instance).values(long_term_memory=memory))


async def finish(
    session: AsyncSession, session_id: UUID, homework: list[dict[str, Any]], fallbacks: list[str], at: datetime
) -> bool | None:
    """Store the homework and the end of a session, once; False when that was done before, None when it is gone."""
    written = await session.execute(
        update(CounselingSession)
        .where(
            CounselingSession.id == session_id,
            or_(CounselingSession.finalized_at.is_(None), CounselingSession.remaking),
        )
        .values(
            homework=homework,
            fallbacks=fallbacks,
            finalized_at=func.coalesce(CounselingSession.finalized_at, at),
            remaking=False,
        )
        .returning(CounselingSession.id)
        .execution_options(synchronize_session=False)
    )
    if written.first() is not None:
        return True
    there = await session.scalar(select(CounselingSession.id).where(CounselingSession.id == session_id))
    return False if there is not None else None


async def keep_thread(session: AsyncSession, session_id: UUID, column: str, thread_id: UUID) -> UUID:
    """Give the session a thread for its runs, or return the one that it has."""
    chosen = getattr(CounselingSession, column)
    kept = await session.scalar(
        update(CounselingSession)
        .where(CounselingSession.id == session_id)
        .values({column: func.coalesce(chosen, thread_id)})
        .returning(chosen)
        .execution_options(synchronize_session=False)
    )
    return kept or thread_id


async def let_go(session: AsyncSession, session_id: UUID, thread_id: UUID) -> None:
    """Open a session again whose run was not accepted: nothing has ever begun on its thread."""
    begun = exists().where(Thread.id == thread_id)
    await session.execute(
        update(CounselingSession)
        .where(CounselingSession.id == session_id, CounselingSession.finalize_thread_id == thread_id, ~begun)
        .values(finalize_thread_id=None)
        .execution_options(synchronize_session=False)
    )


async def remake(session: AsyncSession, session_id: UUID) -> None:
    """Let a finalised session be finalised once more."""
    await session.execute(update(CounselingSession).where(CounselingSession.id == session_id).values(remaking=True))

"""SQL of profiles (A052, G12)."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.models.recordings import AudioSegment, AudioTask
from db.models.skills import Profile


async def page(session: AsyncSession, user_id: UUID, *, limit: int, offset: int) -> tuple[Sequence[Profile], int]:
    """Read a page of a user's profiles, newest first, and how many there are."""
    mine = Profile.user_id == user_id
    order = (Profile.created_at.desc(), Profile.id.desc())
    rows = (await session.scalars(select(Profile).where(mine).order_by(*order).limit(limit).offset(offset))).all()
    return rows, await session.scalar(select(func.count()).select_from(Profile).where(mine)) or 0


async def find(session: AsyncSession, user_id: UUID, profile_id: UUID, *, lock: bool = False) -> Profile | None:
    """Read one profile, locked against other writers if asked."""
    statement = select(Profile).where(Profile.id == profile_id, Profile.user_id == user_id)
    return await session.scalar(statement.with_for_update() if lock else statement)


async def count(session: AsyncSession, user_id: UUID) -> int:
    """Count a user's profiles."""
    return await session.scalar(select(func.count()).select_from(Profile).where(Profile.user_id == user_id)) or 0


async def add(session: AsyncSession, values: dict[str, Any]) -> Profile:
    """Add a profile."""
    return (await session.scalars(insert(Profile).values(values).returning(Profile))).one()


async def remove(session: AsyncSession, user_id: UUID, profile_id: UUID) -> bool:
    """Delete a profile; return whether there was one. Its photo is left to the sweep by the table itself."""
    gone = delete(Profile).where(Profile.id == profile_id, Profile.user_id == user_id).returning(Profile.id)
    return await session.scalar(gone) is not None


async def duration(session: AsyncSession, user_id: UUID, session_id: UUID) -> float | None:
    """Read the length of a user's recording, and keep it from being deleted until the transaction's end."""
    statement = select(AudioTask.duration).where(AudioTask.id == session_id, AudioTask.user_id == user_id)
    return await session.scalar(statement.with_for_update(key_share=True, read=True))


async def segment(session: AsyncSession, user_id: UUID, segment_id: UUID) -> AudioSegment | None:
    """Read a segment of a user's recording, and keep it from being deleted until the transaction's end."""
    statement = select(AudioSegment).where(AudioSegment.id == segment_id, AudioSegment.user_id == user_id)
    return await session.scalar(statement.with_for_update(key_share=True, read=True))

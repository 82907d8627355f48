"""SQL of files that nothing refers to."""

from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.models.recordings import AbandonedFile


async def abandon(session: AsyncSession, user_id: UUID, key: str, seconds: float) -> None:
    """Let a file be deleted after some time, unless something keeps it until then."""
    due_at = func.now() + text("make_interval(secs => :seconds)").bindparams(seconds=seconds)
    statement = insert(AbandonedFile).values(key=key, user_id=user_id, due_at=due_at)
    await session.execute(
        statement.on_conflict_do_update(index_elements=["key"], set_={"due_at": statement.excluded.due_at})
    )


async def expire(session: AsyncSession, key: str) -> None:
    """Let a file be deleted now, unless something keeps it already."""
    await session.execute(update(AbandonedFile).where(AbandonedFile.key == key).values(due_at=func.now()))


async def keep(session: AsyncSession, key: str) -> None:
    """Let a file stay: in the transaction that writes what refers to it. Also when the file itself is gone."""
    await session.execute(delete(AbandonedFile).where(AbandonedFile.key == key))


async def due(session: AsyncSession, user_id: UUID | None, limit: int, after: str = "") -> list[str]:
    """Return keys of files that may be deleted, in their order: a user's, or (as the system role) everybody's."""
    statement = select(AbandonedFile.key).where(AbandonedFile.due_at <= func.now(), AbandonedFile.key > after)
    if user_id is not None:
        statement = statement.where(AbandonedFile.user_id == user_id)
    found = await session.scalars(statement.order_by(AbandonedFile.key).limit(limit))
    return list(found)

"""SQL of call records and agents. Every statement names the owner; what is another's does not exist."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.models.calls import Agent, CallRecord


def _usable_by(user_id: UUID) -> ColumnElement[bool]:
    return or_(Agent.user_id == user_id, Agent.user_id.is_(None))


async def may_use_agent(session: AsyncSession, user_id: UUID, agent_id: UUID) -> bool:
    """Tell whether there is such an agent for the user: one's own, or a shared one (G23)."""
    return await session.scalar(select(Agent.id).where(Agent.id == agent_id, _usable_by(user_id))) is not None


async def find_call(session: AsyncSession, user_id: UUID, call_id: UUID, *, lock: bool = False) -> CallRecord | None:
    """Read one call, locked against other writers if asked."""
    statement = select(CallRecord).where(CallRecord.id == call_id, CallRecord.user_id == user_id)
    return await session.scalar(statement.with_for_update() if lock else statement)


async def delete_call(session: AsyncSession, user_id: UUID, call_id: UUID) -> tuple[bool, UUID | None]:
    """Delete a call; returns whether there was one, and the engine's thread of its summaries."""
    deleted = await session.execute(
        delete(CallRecord)
        .where(CallRecord.id == call_id, CallRecord.user_id == user_id)
        .returning(CallRecord.summary_thread_id)
    )
    row = deleted.first()
    return row is not None, row[0] if row else None


async def keep_thread(session: AsyncSession, user_id: UUID, call_id: UUID, thread_id: UUID) -> UUID:
    """Give the call a thread for its summaries, or return the one that it has."""
    kept = await session.scalar(
        update(CallRecord)
        .where(CallRecord.id == call_id, CallRecord.user_id == user_id)
        .values(summary_thread_id=func.coalesce(CallRecord.summary_thread_id, thread_id))
        .returning(CallRecord.summary_thread_id)
    )
    return kept or thread_id


async def save_summary(session: AsyncSession, user_id: UUID, call_id: UUID, summary: str, total_tokens: int) -> bool:
    """Store a summary and its token use (C020, G28); False when the call is gone."""
    updated = await session.execute(
        update(CallRecord)
        .where(CallRecord.id == call_id, CallRecord.user_id == user_id)
        .values(summary=summary, details=CallRecord.details.concat({"total_tokens": total_tokens}))
        .returning(CallRecord.id)
    )
    return updated.first() is not None


async def insert_agent(session: AsyncSession, user_id: UUID, values: dict[str, Any]) -> Agent:
    """Write an agent of the user's own."""
    agent = Agent(user_id=user_id, **values)
    session.add(agent)
    await session.flush()
    await session.refresh(agent)
    return agent


async def list_agents(session: AsyncSession, user_id: UUID, *, limit: int, offset: int) -> tuple[Sequence[Agent], int]:
    """Read a page of one's own and the shared agents, oldest first, and count them."""
    usable = _usable_by(user_id)
    page = select(Agent).where(usable).order_by(Agent.created_at, Agent.id).limit(limit).offset(offset)
    agents = (await session.scalars(page)).all()
    total = await session.scalar(select(func.count()).select_from(Agent).where(usable))
    return agents, total or 0

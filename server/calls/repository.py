"""SQL of call records and agents. Every statement names the owner; what is another's does not exist."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Integer,
    String,
    bindparam,
    cast,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from db.models.calls import Agent, CallRecord
from server.calls.schemas import MAX_MESSAGES

# A transcript's JSON as text: what one request can bring by default.
MAX_BYTES: Final = 2 * 1024 * 1024


def _usable_by(user_id: UUID) -> ColumnElement[bool]:
    return or_(Agent.user_id == user_id, Agent.user_id.is_(None))


async def may_use_agent(session: AsyncSession, user_id: UUID, agent_id: UUID) -> bool:
    """Tell whether there is such an agent for the user: one's own, or a shared one (G23)."""
    return await session.scalar(select(Agent.id).where(Agent.id == agent_id, _usable_by(user_id))) is not None


async def find_call(session: AsyncSession, user_id: UUID, call_id: UUID, *, lock: bool = False) -> CallRecord | None:
    """Read one call, locked against other writers if asked."""
    statement = select(CallRecord).where(CallRecord.id == call_id, CallRecord.user_id == user_id)
    return await session.scalar(statement.with_for_update() if lock else statement)


async def append_message(
    session: AsyncSession, user_id: UUID, call_id: UUID, message: dict[str, Any], position: int | None
) -> int | None:
    """Add a message at the end, where that is its position and there is room; returns how many there are then.

    One statement: two at once wait for each other at the row, and the second sees what the first has added.
    """
    added = bindparam("message", message, JSONB)
    length = func.jsonb_array_length(CallRecord.messages)
    fits = func.octet_length(cast(CallRecord.messages, String)) + func.octet_length(cast(added, String)) <= MAX_BYTES
    conditions = [CallRecord.id == call_id, CallRecord.user_id == user_id, length < MAX_MESSAGES, fits]
    if position is not None:
        conditions.append(length == position)
    statement = (
        update(CallRecord)
        .where(*conditions)
        .values(messages=CallRecord.messages.concat(func.jsonb_build_array(added)))
        .returning(func.jsonb_array_length(CallRecord.messages, type_=Integer))
    )
    total: int | None = await session.scalar(statement)
    return total


async def message_at(
    session: AsyncSession, user_id: UUID, call_id: UUID, position: int
) -> tuple[int, dict[str, Any] | None] | None:
    """Read how many messages a call has, and the one at a position; None when there is no such call."""
    row = await session.execute(
        select(func.jsonb_array_length(CallRecord.messages), CallRecord.messages[position]).where(
            CallRecord.id == call_id, CallRecord.user_id == user_id
        )
    )
    found = row.first()
    return None if found is None else (found[0], found[1])


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

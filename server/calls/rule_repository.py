"""SQL of answer rules. Every statement names the owner; what is another's does not exist."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.models.calls import CallAnswerRule

# All of a user's rules are listed, and tried, at once.
MOST_RULES: Final = 200


async def insert_rule(session: AsyncSession, user_id: UUID, values: dict[str, Any]) -> CallAnswerRule | None:
    """Write a rule; None when the user has as many as one may have."""
    # One at a time for each user, or two at once could both see one place left.
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"call_answer_rules:{user_id}", 0))))
    count = await session.scalar(select(func.count()).where(CallAnswerRule.user_id == user_id))
    if (count or 0) >= MOST_RULES:
        return None
    rule = CallAnswerRule(user_id=user_id, **values)
    session.add(rule)
    await session.flush()
    return rule


async def list_rules(session: AsyncSession, user_id: UUID) -> Sequence[CallAnswerRule]:
    """Read all of a user's rules in the order in which they are tried (G32)."""
    statement = (
        select(CallAnswerRule)
        .where(CallAnswerRule.user_id == user_id)
        .order_by(CallAnswerRule.priority, CallAnswerRule.created_at, CallAnswerRule.id)
    )
    return (await session.scalars(statement)).all()


async def find_rule(session: AsyncSession, user_id: UUID, rule_id: UUID) -> CallAnswerRule | None:
    """Read one rule."""
    statement = select(CallAnswerRule).where(CallAnswerRule.id == rule_id, CallAnswerRule.user_id == user_id)
    return await session.scalar(statement)


async def replace_rule(
    session: AsyncSession, user_id: UUID, rule_id: UUID, values: dict[str, Any]
) -> CallAnswerRule | None:
    """Give a rule other values; None when there is no such rule."""
    return await session.scalar(
        update(CallAnswerRule)
        .where(CallAnswerRule.id == rule_id, CallAnswerRule.user_id == user_id)
        .values(**values, updated_at=func.now())
        .returning(CallAnswerRule)
    )


async def delete_rule(session: AsyncSession, user_id: UUID, rule_id: UUID) -> bool:
    """Delete a rule; False when there is none."""
    deleted = await session.execute(
        delete(CallAnswerRule)
        .where(CallAnswerRule.id == rule_id, CallAnswerRule.user_id == user_id)
        .returning(CallAnswerRule.id)
    )
    return deleted.first() is not None

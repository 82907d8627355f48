"""SQL of skills and of how they did (A049, A050)."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.models.recordings import SkillExecution
from db.models.skills import SkillRow

_COLUMNS: Final = (
    *("name", "description", "category", "skill_path", "priority", "enabled", "version", "prompt_template"),
    *("metadata", "problem"),
)


async def lock(session: AsyncSession) -> None:
    """Let nobody else change skills until the transaction's end: a file is read and written down by one at a time."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("audio.skills", 0))))


async def all_of_them(session: AsyncSession) -> Sequence[SkillRow]:
    """Read all skills, those with a problem too, by priority."""
    order = (SkillRow.category, SkillRow.priority.desc(), SkillRow.skill_id)
    return (await session.scalars(select(SkillRow).order_by(*order))).all()


async def find(session: AsyncSession, skill_id: str) -> SkillRow | None:
    """Read one skill, as it is after what the transaction has written."""
    # PostgreSQL's text cannot hold it, and fails at the question.
    if "\0" in skill_id:
        return None
    return await session.get(SkillRow, skill_id, populate_existing=True)


async def write(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """Add skills, or change those that are there; what is the same stays untouched."""
    if not rows:
        return
    statement = insert(SkillRow.__table__).values(list(rows))  # type: ignore[arg-type]
    old, new = SkillRow.__table__.c, statement.excluded
    changed = func.row(*(old[name] for name in _COLUMNS)).is_distinct_from(func.row(*(new[name] for name in _COLUMNS)))
    values = {name: new[name] for name in _COLUMNS} | {"updated_at": func.now()}
    await session.execute(statement.on_conflict_do_update(index_elements=["skill_id"], set_=values, where=changed))


async def retire(session: AsyncSession, known: Sequence[str], problem: str) -> None:
    """Note a problem of all skills but those that are known."""
    await session.execute(
        update(SkillRow)
        .where(SkillRow.skill_id.not_in(known), SkillRow.problem.is_distinct_from(problem))
        .values(problem=problem, updated_at=func.now())
    )


_STATISTICS: Final = text(
    "SELECT count(*) AS executions, count(*) FILTER (WHERE success) AS successes,"
    " avg(confidence_score) AS mean_confidence, max(created_at) AS last_at,"
    " percentile_cont(0.5) WITHIN GROUP (ORDER BY execution_time_ms) AS p50,"
    " percentile_cont(0.95) WITHIN GROUP (ORDER BY execution_time_ms) AS p95"
    " FROM audio.skill_executions WHERE skill_id = :skill_id AND created_at >= now() - make_interval(days => :days)"
    " AND (CAST(:user_id AS uuid) IS NULL OR user_id = :user_id)"
)


async def statistics(session: AsyncSession, skill_id: str, user_id: UUID | None, days: int) -> dict[str, Any]:
    """Count how a skill did in the last days: for one user, or (as the system role) for all."""
    given = {"skill_id": skill_id, "user_id": user_id, "days": days}
    return dict((await session.execute(_STATISTICS, given)).mappings().one())


async def failures(
    session: AsyncSession, skill_id: str, user_id: UUID | None, days: int, limit: int
) -> Sequence[SkillExecution]:
    """Read the newest executions that failed."""
    statement = select(SkillExecution).where(
        SkillExecution.skill_id == skill_id,
        SkillExecution.success.is_(False),
        SkillExecution.created_at >= func.now() - func.make_interval(0, 0, 0, days),
    )
    if user_id is not None:
        statement = statement.where(SkillExecution.user_id == user_id)
    return (await session.scalars(statement.order_by(SkillExecution.created_at.desc()).limit(limit))).all()

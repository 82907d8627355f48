"""SQL of strategies, the runs that make them, and which skills ran (A048, A050, A054, G08)."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import case, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.models.platform import IdempotencyKey, Run
from db.models.recordings import AudioTask, SkillExecution, StrategyAnalysis
from nodes.audio_strategy.records import SkillExecution as Execution
from nodes.audio_strategy.records import Strategy, Visual

_KEY_HOURS: Final = 24


async def of_session(
    session: AsyncSession, user_id: UUID, session_id: UUID, *, lock: bool = False
) -> StrategyAnalysis | None:
    """Read a session's strategy, locked against other writers if asked."""
    statement = select(StrategyAnalysis).where(
        StrategyAnalysis.session_id == session_id, StrategyAnalysis.user_id == user_id
    )
    return await session.scalar(statement.with_for_update() if lock else statement)


async def save(session: AsyncSession, user_id: UUID, session_id: UUID, strategy_id: UUID, strategy: Strategy) -> None:
    """Store a strategy in place of an earlier one; the same one again keeps the pictures that it has."""
    values: dict[str, Any] = {**strategy, "strategy_id": strategy_id}
    statement = insert(StrategyAnalysis).values(session_id=session_id, user_id=user_id, **values)
    new: dict[str, Any] = {name: statement.excluded[name] for name in values}
    is_same = StrategyAnalysis.strategy_id == statement.excluded.strategy_id
    new["visual_data"] = case((is_same, StrategyAnalysis.visual_data), else_=statement.excluded.visual_data)
    new["created_at"] = case((is_same, StrategyAnalysis.created_at), else_=func.now())
    await session.execute(
        statement.on_conflict_do_update(index_elements=["session_id", "user_id"], set_=new | {"updated_at": func.now()})
    )


async def save_visual(
    session: AsyncSession, user_id: UUID, session_id: UUID, strategy_id: UUID, visual: Visual
) -> bool:
    """Store what became of a picture; False where the session has another strategy, or none."""
    kept = await of_session(session, user_id, session_id, lock=True)
    if kept is None or kept.strategy_id != strategy_id:
        return False
    others = [one for one in kept.visual_data if one["image_index"] != visual["image_index"]]
    kept.visual_data = sorted([*others, dict(visual)], key=lambda one: int(one["image_index"]))
    kept.updated_at = func.now()
    return True


async def add_execution(
    session: AsyncSession, user_id: UUID, session_id: UUID, strategy_id: UUID, execution: Execution
) -> None:
    """Store that a skill ran, once for each strategy and skill: a later time takes the place of an earlier one."""
    ids = {"session_id": session_id, "user_id": user_id, "strategy_id": strategy_id}
    statement = insert(SkillExecution).values(**ids, **execution)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["session_id", "user_id", "strategy_id", "skill_id"],
            set_={name: statement.excluded[name] for name in execution},
        )
    )


async def plan(session: AsyncSession, user_id: UUID, session_id: UUID, *, strategy_id: UUID, thread_id: UUID) -> None:
    """Note which strategy is made next, and on which thread."""
    await session.execute(
        update(AudioTask)
        .where(AudioTask.id == session_id, AudioTask.user_id == user_id)
        .values(
            strategy_id=strategy_id,
            strategy_thread_id=thread_id,
            strategy_asked_at=func.now(),
            strategy_steps={},
            strategy_step_count=0,
        )
    )


async def ask_again(session: AsyncSession, user_id: UUID, session_id: UUID) -> None:
    """Note that the strategy is asked for once more, on the same thread."""
    await session.execute(
        update(AudioTask)
        .where(AudioTask.id == session_id, AudioTask.user_id == user_id)
        .values(strategy_asked_at=func.now())
    )


async def newest_run(session: AsyncSession, user_id: UUID, thread_id: UUID) -> Run | None:
    """Read the newest run of a thread."""
    statement = select(Run).where(Run.thread_id == thread_id, Run.owner_id == user_id)
    return await session.scalar(statement.order_by(Run.created_at.desc()).limit(1))


async def key_of(session: AsyncSession, user_id: UUID, key: str) -> tuple[bytes, UUID] | None:
    """Read what an idempotency key stands for: the request's digest, and the thread of the run that it began."""
    fresh = IdempotencyKey.created_at >= func.now() - text(f"interval '{_KEY_HOURS} hours'")
    statement = (
        select(IdempotencyKey.request_sha256, Run.thread_id)
        .join(Run, Run.id == IdempotencyKey.run_id)
        .where(IdempotencyKey.owner_id == user_id, IdempotencyKey.key == key, fresh)
    )
    row = (await session.execute(statement)).first()
    return None if row is None else (row[0], row[1])

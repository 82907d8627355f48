"""SQL of what was found in recordings, and of finished steps (A047, G06)."""

from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import Double, Text, case, cast, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from db.models.recordings import AnalysisResult, AudioTask
from nodes.audio_analysis.records import Analysis

Work = Literal["analysis", "strategy"]
_STEPS: Final = {
    "analysis": (AudioTask.analysis_steps, AudioTask.analysis_step_count),
    "strategy": (AudioTask.strategy_steps, AudioTask.strategy_step_count),
}


async def recording(session: AsyncSession, user_id: UUID, session_id: UUID) -> Any | None:
    """Read what the analysis reads of a recording."""
    statement = select(
        AudioTask.audio_path.label("key"),
        AudioTask.media_type,
        AudioTask.size_bytes.label("size"),
        AudioTask.duration,
        AudioTask.brought_transcript.label("transcript"),
    ).where(AudioTask.id == session_id, AudioTask.user_id == user_id)
    return (await session.execute(statement)).first()


async def step(session: AsyncSession, user_id: UUID, session_id: UUID, work: Work, *, name: str, count: int) -> None:
    """Note when a step was finished, the first time that it was, and how many there are in all."""
    steps, total = _STEPS[work]
    ended = func.jsonb_build_object(cast(literal(name), Text), cast(func.extract("epoch", func.now()), Double))
    # What was there before wins.
    values: dict[Any, Any] = {steps: ended.concat(steps), total: count, AudioTask.updated_at: func.now()}
    if work == "analysis":
        values[AudioTask.status] = case((AudioTask.status == "pending", "analyzing"), else_=AudioTask.status)
    await session.execute(
        update(AudioTask).where(AudioTask.id == session_id, AudioTask.user_id == user_id).values(values)
    )


async def save(session: AsyncSession, user_id: UUID, session_id: UUID, analysis: Analysis) -> bool:
    """Store what was found and complete the session; False where it is gone."""
    # A second attempt's time says nothing about how long the whole takes.
    took = case(
        (
            AudioTask.analysis_asked_at == AudioTask.created_at,
            cast(func.extract("epoch", func.now() - AudioTask.created_at), Double),
        ),
    )
    updated = await session.execute(
        update(AudioTask)
        .where(AudioTask.id == session_id, AudioTask.user_id == user_id)
        .values(
            status="completed",
            error_message=None,
            emotion_score=analysis["mood_score"],
            speaker_count=len({one["speaker"] for one in analysis["dialogues"]}),
            tags=analysis["tags"],
            analysis_seconds=func.coalesce(AudioTask.analysis_seconds, took),
            updated_at=func.now(),
        )
        .returning(AudioTask.id)
    )
    if updated.first() is None:
        return False
    found = {name: value for name, value in analysis.items() if name != "tags"}
    statement = insert(AnalysisResult).values(session_id=session_id, user_id=user_id, **found)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["session_id", "user_id"],
            set_={name: statement.excluded[name] for name in found} | {"updated_at": func.now()},
        )
    )
    return True


async def of_session(session: AsyncSession, user_id: UUID, session_id: UUID) -> AnalysisResult | None:
    """Read what was found in a recording."""
    return await session.scalar(
        select(AnalysisResult).where(AnalysisResult.session_id == session_id, AnalysisResult.user_id == user_id)
    )

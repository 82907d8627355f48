"""SQL of what is written about sessions: thought records, questions, answers, feedback, and how much of each."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from db.models.counseling import AssistantFeedback, CounselingSession, Question, ThoughtRecord

Note = ThoughtRecord | Question | AssistantFeedback


async def add(session: AsyncSession, note: Note) -> UUID:
    """Write a note and return its id."""
    session.add(note)
    await session.flush()
    return note.id


async def thought_records(session: AsyncSession, session_id: UUID) -> Sequence[ThoughtRecord]:
    """Read a session's thought records, the oldest first."""
    statement = select(ThoughtRecord).where(ThoughtRecord.session_id == session_id)
    return (await session.scalars(statement.order_by(ThoughtRecord.created_at, ThoughtRecord.id))).all()


async def questions(session: AsyncSession, session_id: UUID) -> Sequence[Question]:
    """Read a session's questions, the oldest first."""
    statement = select(Question).where(Question.session_id == session_id)
    return (await session.scalars(statement.order_by(Question.created_at, Question.id))).all()


async def feedback(session: AsyncSession, session_id: UUID) -> Sequence[AssistantFeedback]:
    """Read a session's feedback, the oldest first."""
    statement = select(AssistantFeedback).where(AssistantFeedback.session_id == session_id)
    return (await session.scalars(statement.order_by(AssistantFeedback.created_at, AssistantFeedback.id))).all()


async def answer(session: AsyncSession, question_id: UUID, answered_by: UUID, text: str, at: datetime) -> bool:
    """Answer a question, also one that was answered before; False when it is not to be seen."""
    answered = await session.execute(
        update(Question)
        .where(Question.id == question_id)
        .values(status="answered", answer=text, answered_by=answered_by, answered_at=at)
        .returning(Question.id)
    )
    return answered.first() is not None


async def assignments(session: AsyncSession, instance_id: UUID) -> Sequence[Row[*tuple[Any, ...]]]:
    """Read an instance's sessions, the newest first, with their homework and the number of each kind of note."""

    def count(kind: type[ThoughtRecord] | type[Question] | type[AssistantFeedback]) -> Any:
        return (
            select(func.count())
            .select_from(kind)
            .where(kind.session_id == CounselingSession.id)
            .correlate(CounselingSession)
            .scalar_subquery()
        )

    rows = await session.execute(
        select(
            CounselingSession.id,
            CounselingSession.session_number,
            CounselingSession.created_at,
            CounselingSession.homework,
            count(ThoughtRecord).label("thought_record_count"),
            count(Question).label("question_count"),
            count(AssistantFeedback).label("feedback_count"),
        )
        .where(CounselingSession.visitor_instance_id == instance_id)
        .order_by(CounselingSession.session_number.desc())
    )
    return rows.all()

"""SQL of what assistants and administrators see and do; policies and entry points decide whose (E045–E047)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from db.models.counseling import AssistantStudent, CounselingSession, CounselingUser, MemoryVersion, VisitorInstance
from server.counseling.weeks import Week


async def students(
    session: AsyncSession, *, class_id: int | None = None, student_id: UUID | None = None
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Read the students whom the caller knows by name, by their addresses."""
    statement = select(
        CounselingUser.auth_user_id, CounselingUser.name, CounselingUser.email, CounselingUser.user_id
    ).where(CounselingUser.role == "student")
    if class_id is not None:
        statement = statement.where(CounselingUser.class_id == class_id)
    if student_id is not None:
        statement = statement.where(CounselingUser.auth_user_id == student_id)
    return (await session.execute(statement.order_by(CounselingUser.email))).all()


async def first_enrolled(session: AsyncSession) -> datetime | None:
    """Return since when there is a student whom the caller knows."""
    statement = select(CounselingUser.created_at).where(CounselingUser.role == "student")
    return await session.scalar(statement.order_by(CounselingUser.created_at).limit(1))


async def completion(session: AsyncSession, class_id: int | None, weeks: Sequence[Week]) -> dict[UUID, tuple[int, int]]:
    """Count, for each student of the class that the caller sees, the weeks that he should have and has done."""
    rows = await session.execute(
        text("SELECT * FROM counseling.class_completion(:wanted, :starts, :deadlines, :ends)"),
        {
            "wanted": class_id,
            "starts": [week.start for week in weeks],
            "deadlines": [week.deadline for week in weeks],
            "ends": [week.end for week in weeks],
        },
    )
    return {row.student_id: (row.weeks, row.completed) for row in rows}


async def class_sessions(session: AsyncSession, student_id: UUID) -> Sequence[Row[*tuple[Any, ...]]]:
    """Read when a student of one's class had sessions, the newest first (E054)."""
    rows = await session.execute(text("SELECT * FROM counseling.class_sessions(:student)"), {"student": student_id})
    return rows.all()


async def sessions_of(session: AsyncSession, student_id: UUID) -> Sequence[CounselingSession]:
    """Read a student's sessions, the newest first."""
    statement = select(CounselingSession).where(CounselingSession.student_id == student_id)
    ordered = statement.order_by(CounselingSession.created_at.desc(), CounselingSession.session_number.desc())
    return (await session.scalars(ordered)).all()


async def memory_versions(session: AsyncSession, student_id: UUID) -> Sequence[MemoryVersion]:
    """Read what a student's visitors remembered after each session, the newest first."""
    statement = select(MemoryVersion).where(MemoryVersion.student_id == student_id)
    return (await session.scalars(statement.order_by(MemoryVersion.id.desc()))).all()


async def visitors(session: AsyncSession, assistant_id: UUID | None) -> Sequence[Row[*tuple[Any, ...]]]:
    """Read the instances that an assistant is responsible for, or all; with their students' names (G58)."""
    statement = (
        select(VisitorInstance.id, VisitorInstance.template_key, VisitorInstance.owner_id, CounselingUser.name)
        .join(CounselingUser, CounselingUser.auth_user_id == VisitorInstance.owner_id)
        .order_by(CounselingUser.email, VisitorInstance.created_at, VisitorInstance.id)
    )
    if assistant_id is not None:
        statement = statement.join(AssistantStudent, AssistantStudent.visitor_instance_id == VisitorInstance.id).where(
            AssistantStudent.assistant_id == assistant_id
        )
    return (await session.execute(statement)).all()


async def assign(session: AsyncSession, assistant: str, student: str, instance_id: UUID, at: datetime) -> str:
    """Bind a student to his one assistant; returns `ok` or the name of what was wrong (G63)."""
    outcome = await session.scalar(
        text("SELECT counseling.assign_assistant(:assistant, :student, :instance, :at)"),
        {"assistant": assistant, "student": student, "instance": instance_id, "at": at},
    )
    return str(outcome)


async def compliance(
    session: AsyncSession, week: Week, at: datetime, class_id: int | None
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Compute a week of the class that the caller sees, store it, and read it (E066, W36)."""
    rows = await session.execute(
        text("SELECT * FROM counseling.class_compliance(:week, :starts, :deadline, :ends, :at, :wanted)"),
        {**_bounds(week), "at": at, "wanted": class_id},
    )
    return rows.all()


async def write_compliance(session: AsyncSession, week: Week, at: datetime) -> int:
    """Compute a week of all classes and store it; returns of how many students. For the system role."""
    written = await session.scalar(
        text("SELECT counseling.write_compliance(:week, :starts, :deadline, :ends, :at, NULL, false)"),
        {**_bounds(week), "at": at},
    )
    return int(written or 0)


def _bounds(week: Week) -> dict[str, Any]:
    return {"week": week.key, "starts": week.start, "deadline": week.deadline, "ends": week.end}

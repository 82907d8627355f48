"""`/assistant-class`: a class's students and how they keep up; nothing that was said (E053–E055, E066, G57, G59)."""

from typing import Annotated, Literal

from fastapi import Path, Query, Response

from server.counseling import staff
from server.counseling.endpoints.router import counseling_router
from server.counseling.members import CurrentMember
from server.counseling.note_schemas import Items
from server.counseling.schemas import Id
from server.counseling.staff_schemas import CompletionItem, ComplianceItem, StudentItem, StudentSession
from server.runtime import CurrentRuntime

router = counseling_router("/assistant-class")

ClassId = Annotated[int | None, Query(alias="classId", ge=0, le=2**31 - 1)]


@router.get("/students")
async def students(
    member: CurrentMember,
    runtime: CurrentRuntime,
    class_id: ClassId = None,
    view: Literal["completion"] | None = None,
) -> Items[CompletionItem | StudentItem]:
    """List the class's students; with `view=completion` also how many of the weeks behind them they have done."""
    return await staff.class_students(runtime, member, class_id, view)


@router.get("/students/{studentId}/sessions")
async def student_sessions(
    student_id: Annotated[Id, Path(alias="studentId")], member: CurrentMember, runtime: CurrentRuntime
) -> Items[StudentSession]:
    """List when a student of the class had sessions, the newest first."""
    return await staff.class_student_sessions(runtime, member, student_id)


@router.get("/compliance")
async def compliance(
    response: Response,
    member: CurrentMember,
    runtime: CurrentRuntime,
    week: Annotated[str | None, Query(max_length=16)] = None,
    class_id: ClassId = None,
) -> Items[ComplianceItem]:
    """Report a week (`YYYY-WW`, ISO, Beijing time) of the class in flags; the present week where none is named."""
    response.headers["Cache-Control"] = "no-store"
    return await staff.compliance(runtime, member, week, class_id)

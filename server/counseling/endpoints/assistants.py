"""`/assistant` and `/admin`: technical assistants and their students (E056–E060, G58, G63)."""

from typing import Annotated

from fastapi import Path, Query

from server.counseling import staff
from server.counseling.endpoints.router import counseling_router
from server.counseling.members import CurrentMember
from server.counseling.note_schemas import Items
from server.counseling.schemas import Id, Ok
from server.counseling.staff_schemas import AssignBody, History, StudentItem, StudentSession, VisitorItem
from server.runtime import CurrentRuntime

router = counseling_router("")

NamedStudent = Annotated[Id, Path(alias="studentId")]


@router.get("/assistant/visitors")
async def visitors(member: CurrentMember, runtime: CurrentRuntime) -> Items[VisitorItem]:
    """List the visitor instances that one is responsible for."""
    return await staff.visitors(runtime, member)


@router.get("/assistant/students")
async def students(
    member: CurrentMember,
    runtime: CurrentRuntime,
    visitor_instance_id: Annotated[Id | None, Query(alias="visitorInstanceId")] = None,
) -> Items[StudentItem]:
    """List the student of an instance, or without one all of one's students."""
    return await staff.students(runtime, member, visitor_instance_id)


@router.get("/assistant/students/{studentId}/sessions")
async def student_sessions(
    student_id: NamedStudent, member: CurrentMember, runtime: CurrentRuntime
) -> Items[StudentSession]:
    """List a student's sessions, the newest first."""
    return await staff.student_sessions(runtime, member, student_id)


@router.get("/assistant/students/{studentId}/history")
async def history(student_id: NamedStudent, member: CurrentMember, runtime: CurrentRuntime) -> History:
    """Read all that a student's sessions left, the newest first."""
    return await staff.history(runtime, member, student_id)


@router.post("/admin/assign-assistant")
async def assign(body: AssignBody, member: CurrentMember, runtime: CurrentRuntime) -> Ok:
    """Bind a student to an assistant, in place of the one he has."""
    await staff.assign(runtime, member, body)
    return Ok()

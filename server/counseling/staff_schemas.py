"""Bodies of assistants and administrators, in the seed's order (E053–E060, E066, G58)."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from server.counseling.schemas import Body, Email, Homework, Id, Rendered, View


class StudentItem(View):
    """A student; `userId` is the business number (E053)."""

    auth_user_id: UUID = Field(serialization_alias="studentId")
    name: str
    email: str
    user_id: str | None = Field(serialization_alias="userId")


class Completion(BaseModel):
    """How many of the weeks whose deadline is over a student has done (E055); `rate` is null before the first."""

    weeks: int
    completed: int
    rate: float | None


class CompletionItem(StudentItem):
    """A student with his completion."""

    completion: Completion


class StudentSession(View):
    """A session without anything that was said (E054)."""

    id: UUID = Field(serialization_alias="sessionId")
    session_number: int = Field(serialization_alias="sessionNumber")
    created_at: Rendered = Field(serialization_alias="createdAt")


class VisitorItem(View):
    """A visitor instance that an assistant is responsible for (G58)."""

    id: UUID = Field(serialization_alias="visitorInstanceId")
    template_key: str = Field(serialization_alias="templateKey")
    owner_id: UUID = Field(serialization_alias="studentId")
    name: str


class _OfSession(View):
    session_number: int = Field(serialization_alias="sessionNumber")
    id: UUID = Field(serialization_alias="sessionId")
    created_at: Rendered = Field(serialization_alias="createdAt")


class DiaryEntry(_OfSession):
    """A session's diary."""

    session_diary: str = Field(serialization_alias="sessionDiary")


class ActivityEntry(_OfSession):
    """A session's activity report, as an object (K07)."""

    pre_session_activity: dict[str, Any] = Field(serialization_alias="preSessionActivity")


class HomeworkEntry(_OfSession):
    """A session's homework."""

    homework: list[Homework]


class MemoryEntry(View):
    """A version of the visitor's memory."""

    created_at: Rendered = Field(serialization_alias="createdAt")
    content: dict[str, str]


class History(BaseModel):
    """All that a student's sessions left (E057), the newest first."""

    diary: list[DiaryEntry]
    activity: list[ActivityEntry]
    homework: list[HomeworkEntry]
    ltm: list[MemoryEntry]


class ComplianceItem(View):
    """A student's week in flags, 0 or 1 (E066)."""

    week_key: str = Field(serialization_alias="weekKey")
    class_id: int | None = Field(serialization_alias="classId")
    student_id: UUID = Field(serialization_alias="studentId")
    assistant_id: UUID | None = Field(serialization_alias="assistantId")
    has_session: int = Field(serialization_alias="hasSession")
    has_thought_record_by_fri: int = Field(serialization_alias="hasThoughtRecordByFri")
    has_any_feedback_by_sun: int = Field(serialization_alias="hasAnyFeedbackBySun")
    locked: int
    computed_at: Rendered = Field(serialization_alias="computedAt")


class AssignBody(Body):
    """A student's new assistant (E056)."""

    assistant_email: Email = Field(alias="assistantEmail")
    student_email: Email = Field(alias="studentEmail")
    visitor_instance_id: Id = Field(alias="visitorInstanceId")

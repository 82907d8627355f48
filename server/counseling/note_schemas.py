"""Bodies of thought records, questions, feedback and assignments, in the seed's order (E033–E040)."""

from typing import Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field

from server.counseling.schemas import Body, Homework, Id, Rendered, View, Written

T = TypeVar("T")


class Items(BaseModel, Generic[T]):
    """A list that is not paged."""

    items: list[T]


class Made(BaseModel):
    """The id of what was written."""

    id: UUID


class ThoughtRecordBody(Body):
    """What a student hands in after a session (E033)."""

    session_id: Id = Field(alias="sessionId")
    triggering_event: Written = Field(alias="triggeringEvent")
    thoughts_and_beliefs: Written = Field(alias="thoughtsAndBeliefs")
    consequences: Written


class ThoughtRecordItem(View):
    """A thought record (E034)."""

    id: UUID
    session_id: UUID = Field(serialization_alias="sessionId")
    triggering_event: str = Field(serialization_alias="triggeringEvent")
    thoughts_and_beliefs: str = Field(serialization_alias="thoughtsAndBeliefs")
    consequences: str


class NoteBody(Body):
    """A question (E036) or feedback (E038) on a session."""

    session_id: Id = Field(alias="sessionId")
    content: Written


class QuestionItem(View):
    """A question (E037)."""

    id: UUID
    session_id: UUID = Field(serialization_alias="sessionId")
    student_id: UUID = Field(serialization_alias="studentId")
    content: str
    status: Literal["open", "answered"]


class AnsweredItem(QuestionItem):
    """A question that has its answer."""

    answer: str


class AnswerBody(Body):
    """What an assistant answers."""

    answer: Written


class FeedbackItem(View):
    """What an assistant said (E039); null once he has left."""

    id: UUID
    session_id: UUID = Field(serialization_alias="sessionId")
    assistant_id: UUID | None = Field(serialization_alias="assistantId")
    content: str


class AssignmentItem(View):
    """A session with what was given, handed in, asked and answered on it (E040)."""

    id: UUID = Field(serialization_alias="sessionId")
    session_number: int = Field(serialization_alias="sessionNumber")
    created_at: Rendered = Field(serialization_alias="createdAt")
    homework: list[Homework]
    thought_record_count: int = Field(serialization_alias="thoughtRecordCount")
    question_count: int = Field(serialization_alias="questionCount")
    feedback_count: int = Field(serialization_alias="feedbackCount")

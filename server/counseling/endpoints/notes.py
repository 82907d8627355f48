"""`/thought-records`, `/questions`, `/assistant/feedback`, `/assignments`: notes on sessions (E033–E041)."""

from typing import Annotated

from fastapi import Path, Query

from server.counseling import notes
from server.counseling.endpoints.router import counseling_router
from server.counseling.members import CurrentMember
from server.counseling.note_schemas import (
    AnswerBody,
    AnsweredItem,
    AssignmentItem,
    FeedbackItem,
    Items,
    Made,
    NoteBody,
    QuestionItem,
    ThoughtRecordBody,
    ThoughtRecordItem,
)
from server.counseling.schemas import Id, Ok
from server.runtime import CurrentRuntime

router = counseling_router("")

OfSession = Annotated[Id, Query(alias="sessionId")]


@router.post("/thought-records")
async def add_thought_record(body: ThoughtRecordBody, member: CurrentMember, runtime: CurrentRuntime) -> Made:
    """Hand in a thought record."""
    return await notes.add_thought_record(runtime, member, body)


@router.get("/thought-records")
async def thought_records(
    session_id: OfSession, member: CurrentMember, runtime: CurrentRuntime
) -> Items[ThoughtRecordItem]:
    """List a session's thought records, the oldest first."""
    return await notes.thought_records(runtime, member, session_id)


@router.post("/questions")
async def ask(body: NoteBody, member: CurrentMember, runtime: CurrentRuntime) -> Made:
    """Ask a question about a session."""
    return await notes.ask(runtime, member, body)


@router.get("/questions")
async def questions(
    session_id: OfSession, member: CurrentMember, runtime: CurrentRuntime
) -> Items[AnsweredItem | QuestionItem]:
    """List a session's questions, the oldest first; those that are answered hold `answer` too."""
    return await notes.questions(runtime, member, session_id)


@router.post("/questions/{questionId}/answer")
async def answer(
    question_id: Annotated[Id, Path(alias="questionId")],
    body: AnswerBody,
    member: CurrentMember,
    runtime: CurrentRuntime,
) -> Ok:
    """Answer a question, or answer it better."""
    await notes.answer(runtime, member, question_id, body)
    return Ok()


@router.post("/assistant/feedback")
async def give_feedback(body: NoteBody, member: CurrentMember, runtime: CurrentRuntime) -> Made:
    """Give feedback on a session."""
    return await notes.give_feedback(runtime, member, body)


@router.get("/assistant/feedback")
async def feedback(session_id: OfSession, member: CurrentMember, runtime: CurrentRuntime) -> Items[FeedbackItem]:
    """List a session's feedback, the oldest first."""
    return await notes.feedback(runtime, member, session_id)


@router.get("/assignments/list")
async def assignments(
    visitor_instance_id: Annotated[Id, Query(alias="visitorInstanceId")],
    member: CurrentMember,
    runtime: CurrentRuntime,
) -> Items[AssignmentItem]:
    """List an instance's sessions with what was given, handed in, asked and answered, the newest first."""
    return await notes.assignments(runtime, member, visitor_instance_id)

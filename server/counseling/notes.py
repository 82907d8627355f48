"""What is written about sessions: thought records, questions, feedback; and the summary of an instance (E033–E041)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from db.models.counseling import AssistantFeedback, Question, ThoughtRecord
from server.counseling import note_repository, repository
from server.counseling.members import Member, check, id_of, no_such
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
from server.counseling.scopes import Kind
from server.runtime import Runtime


@asynccontextmanager
async def _on(
    runtime: Runtime, member: Member, kind: Kind, thing: str
) -> AsyncIterator[tuple[AsyncSession, UUID, UUID]]:
    """Open a transaction on a thing in the caller's range: the session, the thing's id, and whose it is.

    Raises:
        NotFound: there is no such thing.
        Forbidden: it is out of the caller's range.
    """
    id_ = id_of(member, thing)
    async with runtime.database.transaction(member.user_id) as session:
        yield session, id_, check(member, await repository.locate(session, kind, id_))


async def add_thought_record(runtime: Runtime, member: Member, body: ThoughtRecordBody) -> Made:
    """Hand in a thought record, late ones too: the week's rules look at its time."""
    async with _on(runtime, member, "session", body.session_id) as (session, session_id, student_id):
        note = ThoughtRecord(
            session_id=session_id,
            student_id=student_id,
            triggering_event=body.triggering_event,
            thoughts_and_beliefs=body.thoughts_and_beliefs,
            consequences=body.consequences,
            created_at=runtime.clock.now(),
        )
        return Made(id=await note_repository.add(session, note))


async def thought_records(runtime: Runtime, member: Member, session_id: str) -> Items[ThoughtRecordItem]:
    """Return a session's thought records, the oldest first."""
    async with _on(runtime, member, "session", session_id) as (session, id_, _):
        rows = await note_repository.thought_records(session, id_)
    return Items(items=[ThoughtRecordItem.model_validate(row) for row in rows])


async def ask(runtime: Runtime, member: Member, body: NoteBody) -> Made:
    """Ask a question about a session."""
    async with _on(runtime, member, "session", body.session_id) as (session, session_id, student_id):
        note = Question(
            session_id=session_id, student_id=student_id, content=body.content, created_at=runtime.clock.now()
        )
        return Made(id=await note_repository.add(session, note))


async def questions(runtime: Runtime, member: Member, session_id: str) -> Items[QuestionItem | AnsweredItem]:
    """Return a session's questions, the oldest first, with the answers that they have."""
    async with _on(runtime, member, "session", session_id) as (session, id_, _):
        rows = await note_repository.questions(session, id_)
    return Items(items=[(AnsweredItem if row.answer else QuestionItem).model_validate(row) for row in rows])


async def answer(runtime: Runtime, member: Member, question_id: str, body: AnswerBody) -> None:
    """Answer a question; a new answer takes the place of an earlier one."""
    async with _on(runtime, member, "question", question_id) as (session, id_, _):
        if not await note_repository.answer(session, id_, member.user_id, body.answer, runtime.clock.now()):
            raise no_such(member)


async def give_feedback(runtime: Runtime, member: Member, body: NoteBody) -> Made:
    """Say something about a session, as its student's assistant."""
    async with _on(runtime, member, "session", body.session_id) as (session, session_id, student_id):
        note = AssistantFeedback(
            session_id=session_id,
            student_id=student_id,
            assistant_id=member.user_id,
            content=body.content,
            created_at=runtime.clock.now(),
        )
        return Made(id=await note_repository.add(session, note))


async def feedback(runtime: Runtime, member: Member, session_id: str) -> Items[FeedbackItem]:
    """Return a session's feedback, the oldest first."""
    async with _on(runtime, member, "session", session_id) as (session, id_, _):
        rows = await note_repository.feedback(session, id_)
    return Items(items=[FeedbackItem.model_validate(row) for row in rows])


async def assignments(runtime: Runtime, member: Member, instance: str) -> Items[AssignmentItem]:
    """Return an instance's sessions, the newest first, with what was given, handed in, asked and answered."""
    async with _on(runtime, member, "instance", instance) as (session, id_, _):
        rows = await note_repository.assignments(session, id_)
    return Items(items=[AssignmentItem.model_validate(row) for row in rows])

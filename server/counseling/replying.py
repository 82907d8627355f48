"""The visitor answers (G47, additive): at once or as a stream; its words become a message of the session."""

from collections.abc import AsyncIterator

from sse_starlette import ServerSentEvent

from core.errors import ColloquyError
from server.counseling import record_repository, repository, turns
from server.counseling.members import Member, check, id_of, no_such
from server.counseling.schemas import Reply
from server.counseling.sessions import session_finalized
from server.counseling.turns import Turn
from server.families import COUNSELING
from server.runs.model import Idempotency
from server.runtime import Runtime
from server.sse import frame


async def start(runtime: Runtime, member: Member, session_id: str, idempotency: Idempotency | None) -> Turn:
    """Begin the visitor's answer to what stands in the session.

    Raises:
        NotFound: there is no such session.
        Forbidden: it is out of the caller's range.
        Conflict: it is finalised (session_finalized), or the visitor is answering (session_busy).
    """
    id_ = id_of(member, session_id)
    async with runtime.database.transaction(member.user_id) as session:
        student_id = check(member, await repository.locate(session, "session", id_))
        found = await repository.read(session, id_)
        if found is None:
            raise no_such(member)
        if found.finalized_at is not None or found.finalize_thread_id is not None:
            raise session_finalized()
        thread_id = found.reply_thread_id or await record_repository.keep_thread(
            session, id_, "reply_thread_id", runtime.ids.uuid()
        )
    return await turns.begin(runtime, student_id, id_, thread_id, turns.REPLY, {}, idempotency)


async def answer(runtime: Runtime, turn: Turn) -> Reply:
    """Wait for the answer within its budget.

    Raises:
        ModelFailed: the model gave none; nothing was appended.
        TimedOut: the budget ran out; the answer may still come into the session.
    """
    result = await turns.finished(runtime, turn, runtime.settings.reply_timeout_seconds)
    return Reply(reply=str((result.output or {}).get("reply", "")))


async def stream(runtime: Runtime, turn: Turn) -> AsyncIterator[ServerSentEvent]:
    """Yield the words as they come; the last event is the one-shot answer, or the family's error."""
    try:
        async for event in runtime.engine.stream(
            turn.student_id, turn.run_id, timeout=runtime.settings.reply_timeout_seconds
        ):
            if event.event == "custom":
                data = event.data
                yield frame(data.pop("type"), data, str(event.id))
            elif event.event == "metadata" and event.data["attempt"] > 1:
                # The run goes on in another process: what the step in flight told is told again.
                yield frame("reset", {}, str(event.id))
        reply = await answer(runtime, turn)
    except ColloquyError as error:
        yield frame("error", COUNSELING.body.of(error).model_dump())
    else:
        yield frame("result", reply.model_dump())

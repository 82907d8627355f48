"""The end of a session: its diary, activity report and memory are made, stored, and given (E017–E025, G49–G53)."""

import asyncio
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import ColloquyError, Conflict, InvalidInput, NotFound, TimedOut
from db.models.counseling import CounselingSession
from server.counseling import record_repository, repository, turns
from server.counseling.members import Member, check, id_of, no_such
from server.counseling.schemas import Finalized, Memory
from server.counseling.sessions import as_text
from server.runs.model import Idempotency
from server.runtime import Runtime

log = structlog.get_logger(__name__)

_LOOK_SECONDS: Final = 0.2


async def finalize(
    runtime: Runtime, member: Member, session_id: str, assignment: str, idempotency: Idempotency | None
) -> Finalized:
    """Finalise a session and return what it left; one that is finalised gives what is stored (G49).

    From the moment that this is accepted the session takes no more messages: what is said afterwards would be in its
    transcript and in nothing that was made of it.

    Raises:
        NotFound: there is no such session.
        Forbidden: it is out of the caller's range.
        InvalidInput: nothing was said (empty_chat_history).
        TimedOut: the budget ran out; the run goes on, and asking again waits for it.
    """
    id_ = id_of(member, session_id)
    async with runtime.database.transaction(member.user_id) as session:
        student_id = check(member, await repository.locate(session, "session", id_))
        found = await repository.read(session, id_, lock=True)
        if found is None:
            raise no_such(member)
        if found.finalized_at is not None:
            return await _stored(session, found)
        if not any(line["content"].strip() for line in found.chat_history):
            raise InvalidInput("会话没有任何消息", code="empty_chat_history")
        thread_id = await record_repository.keep_thread(session, id_, "finalize_thread_id", runtime.ids.uuid())
    given = {"assignment": assignment}
    try:
        turn = await turns.begin(runtime, student_id, id_, thread_id, turns.FINALIZE, given, idempotency)
    except turns.Running:
        return await _of_the_other(runtime, student_id, id_)
    except ColloquyError:
        async with runtime.database.transaction(student_id) as session:
            await record_repository.let_go(session, id_, thread_id)
        raise
    await turns.finished(runtime, turn, runtime.settings.finalize_timeout_seconds)
    return await stored(runtime, student_id, id_)


async def stored(runtime: Runtime, student_id: UUID, session_id: UUID) -> Finalized:
    """Return what a finalised session left.

    Raises:
        NotFound: it was deleted meanwhile.
        Conflict: it is not finalised.
    """
    found = await _look(runtime, student_id, session_id)
    if found is None:
        raise Conflict("会话尚未结束", code="not_finalized")
    return found


async def _look(runtime: Runtime, student_id: UUID, session_id: UUID) -> Finalized | None:
    async with runtime.database.transaction(student_id) as session:
        found = await repository.read(session, session_id)
        if found is None:
            raise NotFound("会话不存在")
        return await _stored(session, found) if found.finalized_at is not None else None


async def _of_the_other(runtime: Runtime, student_id: UUID, session_id: UUID) -> Finalized:
    """Wait for what another request is making (two clicks): it is the answer to this one too."""
    deadline = asyncio.get_running_loop().time() + runtime.settings.finalize_timeout_seconds
    while asyncio.get_running_loop().time() < deadline:
        if (found := await _look(runtime, student_id, session_id)) is not None:
            return found
        await asyncio.sleep(_LOOK_SECONDS)
    raise TimedOut("处理超时，请稍后重试")


async def _stored(session: AsyncSession, found: CounselingSession) -> Finalized:
    memory = await record_repository.version(session, found.id)
    if memory is None or found.session_diary is None:
        log.error("finalized_session_incomplete", session_id=str(found.id))
        raise ColloquyError("服务器内部错误，请稍后重试")
    return Finalized(
        diary=found.session_diary,
        activity_json=as_text(found.pre_session_activity) or "{}",
        ltm=Memory.model_validate(memory),
    )


async def again(runtime: Runtime, session_id: UUID) -> list[str]:
    """Finalise a session once more, for an operator: where fallbacks were stored, a model may be there now (G68).

    With the homework that it has. It stays finalised, since when it was: that counts for the week (G54). What is
    stored stays until each stage is made anew.

    Returns:
        The fallbacks that had to be stored again.

    Raises:
        NotFound: there is no such session.
        Conflict: it was never finalised, or a run of it is not finished.
        ColloquyError: the run failed.
    """
    async with runtime.system.transaction() as session:
        found = await repository.read(session, session_id)
        if found is None:
            raise NotFound(f"There is no session {session_id}.")
        if found.finalized_at is None:
            raise Conflict("The session was never finalised.")
        student_id = found.student_id
        given = {"assignment": found.homework[0]["title"] if found.homework else ""}
        await record_repository.remake(session, session_id)
        thread_id = await record_repository.keep_thread(session, session_id, "finalize_thread_id", runtime.ids.uuid())
    turn = await turns.begin(runtime, student_id, session_id, thread_id, turns.FINALIZE, given, idempotency=None)
    result = await turns.finished(runtime, turn, runtime.settings.finalize_timeout_seconds)
    return [str(name) for name in (result.output or {}).get("fallbacks", [])]

"""Runs of the analysis: begin one, go on with one that failed, and tell how it stands (A022, A025, G06, G14)."""

from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import ColloquyError, Conflict, InvalidInput, NotFound
from server.audio.progress import Steps, reason, remaining, seconds
from server.audio.records import no_such_session
from server.audio.repository import sessions
from server.audio.repository.sessions import Found
from server.audio.schemas import SessionStatus
from server.idempotency import key_reused
from server.runs.model import Idempotency, RunRequest
from server.runtime import Runtime

WORKFLOW: Final = "audio_analysis"


async def begin(runtime: Runtime, user_id: UUID, session_id: UUID, thread_id: UUID) -> None:
    """Begin the analysis of a recording, unless a run of it is under way.

    Raises:
        NotFound: there is no such workflow here.
    """
    await _start(runtime, _request(user_id, session_id, thread_id, goes_on=False))


async def retry(runtime: Runtime, user_id: UUID, session_id: UUID, idempotency: Idempotency | None) -> SessionStatus:
    """Go on with an analysis that failed, from the step that did (G14); one that is under way goes on as it is.

    Raises:
        NotFound: there is no such recording of this user.
        Conflict: it is analysed.
        InvalidInput: the idempotency key belongs to another request.
    """
    async with runtime.database.transaction(user_id) as session:
        found = await read(session, user_id, session_id, lock=True)
        if found.status == "completed":
            raise Conflict("录音已分析完成", code="ANALYSIS_COMPLETED")
        is_broken = found.status == "failed"
        if is_broken:
            # So that what failed before is not told of what begins now.
            await sessions.ask_again(session, user_id, session_id)
    if is_broken:
        goes_on = await _is_unfinished(runtime, user_id, found.analysis_thread_id)
        request = _request(user_id, session_id, found.analysis_thread_id, idempotency, goes_on=goes_on)
        try:
            await _start(runtime, request)
        except ColloquyError:
            await _restore(runtime, user_id, session_id, failure(found))
            raise
    return await status(runtime, user_id, session_id)


async def read(session: AsyncSession, user_id: UUID, session_id: UUID, *, lock: bool = False) -> Found:
    """Read how a recording stands, and keep why its analysis failed, once it has (T03).

    Raises:
        NotFound: there is no such recording of this user.
    """
    found = await sessions.find(session, user_id, session_id, lock=lock)
    if found is None:
        raise no_such_session()
    if found.status == "failed" != found.kept_status:
        await sessions.fail(session, user_id, session_id, found.analysis_asked_at, failure(found))
    return found


async def status(runtime: Runtime, user_id: UUID, session_id: UUID) -> SessionStatus:
    """Tell how an analysis stands.

    Raises:
        NotFound: there is no such recording of this user.
    """
    async with runtime.database.transaction(user_id) as session:
        found = await read(session, user_id, session_id)
        is_working = found.status in ("pending", "analyzing")
        speed = await sessions.speed(session, user_id) if is_working else None
    steps = Steps(done=seconds(found.analysis_steps), count=found.analysis_step_count)
    begun = found.run_started_at.timestamp() if found.run_started_at else None
    usual = speed * found.duration if speed is not None else None
    left = remaining(steps, begun, found.now.timestamp(), usual) if is_working else None
    return SessionStatus(
        session_id=session_id,
        status=found.status,
        progress=steps.percent(completed=found.status == "completed"),
        estimatedTimeRemaining=0 if found.status == "completed" else left,
        failureReason=failure(found) if found.status == "failed" else None,
        updated_at=found.updated_at,
    )


def failure(found: Found) -> str:
    """Return why an analysis failed."""
    if found.kept_status == "failed":
        return str(found.error_message or reason(500, None, None))
    return reason(found.run_error_status, found.run_error_code, found.run_error_message, began=found.run_id is not None)


def _request(
    user_id: UUID, session_id: UUID, thread_id: UUID, idempotency: Idempotency | None = None, *, goes_on: bool
) -> RunRequest:
    given = {"session_id": str(session_id)}
    return RunRequest(
        thread_id=thread_id,
        owner_id=user_id,
        workflow=WORKFLOW,
        input=None if goes_on else given,
        metadata=given,
        idempotency=idempotency,
    )


async def _start(runtime: Runtime, request: RunRequest) -> None:
    try:
        await runtime.engine.start(request)
    except Conflict:
        # Another request was quicker: it is being analysed.
        return
    except InvalidInput:
        raise key_reused() from None


async def _is_unfinished(runtime: Runtime, user_id: UUID, thread_id: UUID) -> bool:
    try:
        return bool((await runtime.engine.state(user_id, thread_id)).next)
    except NotFound:
        return False


async def _restore(runtime: Runtime, user_id: UUID, session_id: UUID, why: str) -> None:
    async with runtime.database.transaction(user_id) as session:
        found = await sessions.find(session, user_id, session_id, lock=True)
        if found is not None and found.run_id is None:
            await sessions.fail(session, user_id, session_id, found.analysis_asked_at, why)

"""Runs on a session's thread: begin one, answer what it waits for, wait for it, and say why it failed."""

from typing import Any, Final
from uuid import UUID

import structlog

from core.errors import ColloquyError, Conflict, InvalidInput, ModelFailed, NotFound, TimedOut
from server.interpret import repository
from server.runs.model import Idempotency, RunRequest, RunResult, RunStatus
from server.runtime import Runtime
from tools.mcp.model import EXEC_FAIL, ToolUnreachable

log = structlog.get_logger(__name__)

WORKFLOW: Final = "interpret_execute"
NOTHING_PENDING: Final = "没有待确认的操作"
# No interrupt has this name.
_NONE: Final = "none"


class Busy(Conflict):
    """A run of the session is not finished."""

    default_code = "SESSION_BUSY"


class NothingPending(Conflict):
    """The session does not wait for this answer, or not any more (G17)."""


async def begin(
    runtime: Runtime, user_id: UUID, thread_id: UUID, given: dict[str, Any], idempotency: Idempotency | None
) -> UUID:
    """Begin a turn; what was pending is given up.

    Raises:
        Busy: a run of the session is not finished.
        InvalidInput: the idempotency key belongs to another request.
    """
    request = RunRequest(thread_id=thread_id, owner_id=user_id, workflow=WORKFLOW, input=given, idempotency=idempotency)
    try:
        return await runtime.engine.start(request)
    except Conflict:
        raise Busy("上一条指令正在处理，请稍候") from None
    except InvalidInput:
        raise _key_reused() from None


async def answer(
    runtime: Runtime,
    user_id: UUID,
    thread_id: UUID,
    interrupt_id: str,
    decision: dict[str, Any],
    idempotency: Idempotency | None,
) -> UUID:
    """Answer an interrupt; under the thread's lock, so of several answers one is taken (X018).

    Raises:
        NothingPending: the thread does not wait at this interrupt any more.
        InvalidInput: the idempotency key belongs to another request.
    """
    request = RunRequest(thread_id=thread_id, owner_id=user_id, workflow=WORKFLOW, idempotency=idempotency)
    try:
        return await runtime.engine.resume(request, {"decisions": [decision]}, interrupt_id)
    except (Conflict, NotFound):
        raise NothingPending(NOTHING_PENDING) from None
    except InvalidInput:
        raise _key_reused() from None


async def replayed(
    runtime: Runtime, user_id: UUID, thread_id: UUID | None, idempotency: Idempotency | None
) -> UUID | None:
    """Return the run that this very request has begun before, if it has: what it answered is not pending any more.

    Raises:
        InvalidInput: the idempotency key belongs to another request.
    """
    if idempotency is None or thread_id is None:
        return None
    try:
        return await answer(runtime, user_id, thread_id, _NONE, {}, idempotency)
    except NothingPending:
        return None


def _key_reused() -> InvalidInput:
    return InvalidInput("这个 Idempotency-Key 已用于另一个请求", code="IDEMPOTENCY_KEY_REUSED")


async def finished(runtime: Runtime, user_id: UUID, run_id: UUID, seconds: float, late: TimedOut) -> RunResult:
    """Wait for a run within a budget; its output is there, also where it stopped at an interrupt.

    Raises:
        TimedOut: `late`, when the budget ran out; the run goes on.
        ColloquyError: the run failed; the session says so.
    """
    result = await runtime.engine.wait(user_id, run_id, seconds)
    if not result.status.finished:
        raise late
    return await settled(runtime, user_id, result)


async def settled(runtime: Runtime, user_id: UUID, result: RunResult) -> RunResult:
    """Return a finished run's result.

    Raises:
        ColloquyError: the run failed; the session says so.
    """
    if result.status == RunStatus.success:
        return result
    error = _failure(result)
    await note_failure(runtime, user_id, result, error.code)
    raise error


async def note_failure(runtime: Runtime, user_id: UUID, result: RunResult, code: str) -> None:
    """Mark the session as failed, unless the workflow has done so itself: this is for what befell it."""
    log.warning("session_failed", error_code=code)
    async with runtime.database.transaction(user_id) as session:
        await repository.fail_session(
            session, user_id, result.thread_id, key=f"run:{result.run_id}", step="run", message=code
        )


def _failure(result: RunResult) -> ColloquyError:
    """Return the error for a run that gave no result; what is not the caller's to know has a sentence of its own."""
    status, message = result.error_status, result.error_message or ""
    if status is None:
        return Conflict("处理已被取消", code="CANCELLED")
    if status in (InvalidInput.status, Conflict.status):
        kind = InvalidInput if status == InvalidInput.status else Conflict
        return kind(message, code=result.error_code)
    if status == ModelFailed.status:
        return ToolUnreachable() if result.error_code == EXEC_FAIL else ModelFailed("模型暂时不可用，请稍后重试")
    if status == TimedOut.status:
        return TimedOut("处理超时，请稍后重试")
    return ColloquyError("服务器内部错误，请稍后重试")

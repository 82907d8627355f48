"""Runs for a session: begin one for its student, wait for it, and say why it gave nothing."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import structlog

from core.errors import ColloquyError, Conflict, InvalidInput, ModelFailed, NotFound, TimedOut
from server.runs.model import Idempotency, RunRequest, RunResult, RunStatus
from server.runtime import Runtime

log = structlog.get_logger(__name__)

FINALIZE: Final = "counseling_finalize"
REPLY: Final = "counseling_reply"


@dataclass(frozen=True)
class Turn:
    """A run that was accepted; it acts for the student, whoever asked for it."""

    student_id: UUID
    session_id: UUID
    run_id: UUID


class Running(Conflict):
    """A run of the session is not finished."""

    default_code = "SESSION_BUSY"


async def begin(
    runtime: Runtime,
    student_id: UUID,
    session_id: UUID,
    thread_id: UUID,
    workflow: str,
    given: dict[str, Any],
    idempotency: Idempotency | None,
) -> Turn:
    """Begin a run.

    Raises:
        Running: another one of this kind is not finished.
        InvalidInput: the idempotency key belongs to another request.
    """
    request = RunRequest(
        thread_id=thread_id,
        owner_id=student_id,
        workflow=workflow,
        input={"session_id": str(session_id), **given},
        metadata={"session_id": str(session_id)},
        idempotency=idempotency,
    )
    try:
        return Turn(student_id, session_id, await runtime.engine.start(request))
    except Conflict:
        raise Running("该会话正在处理，请稍候") from None
    except InvalidInput:
        raise InvalidInput("这个 Idempotency-Key 已用于另一个请求", code="IDEMPOTENCY_KEY_REUSED") from None


async def finished(runtime: Runtime, turn: Turn, seconds: float) -> RunResult:
    """Wait for a run within a budget; it goes on when that runs out.

    Raises:
        TimedOut: the budget ran out.
        ColloquyError: the run failed.
    """
    result = await runtime.engine.wait(turn.student_id, turn.run_id, seconds)
    if not result.status.finished:
        raise TimedOut("处理超时，请稍后重试")
    if result.status != RunStatus.success:
        raise _failure(result)
    return result


def _failure(result: RunResult) -> ColloquyError:
    """Return the error for a run that gave no result; what is not the caller's to know has a sentence of its own."""
    log.warning("counseling_run_failed", error_code=result.error_code)
    match result.error_status:
        case None:
            return Conflict("处理已被取消", code="CANCELLED")
        case NotFound.status:
            return NotFound("会话不存在")
        case InvalidInput.status | Conflict.status as status:
            kind = InvalidInput if status == InvalidInput.status else Conflict
            return kind(result.error_message or "", code=result.error_code)
        case ModelFailed.status:
            return ModelFailed("来访者暂时没有回应，请稍后再试")
        case TimedOut.status:
            return TimedOut("处理超时，请稍后重试")
    return ColloquyError("服务器内部错误，请稍后重试")

"""A call's summary on demand: start (or take up) its run, wait within the budget, or stream it (G28)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog
from sse_starlette import ServerSentEvent

from core.errors import ColloquyError, Conflict, InvalidInput, ModelFailed, NotFound, TimedOut
from nodes.call_summary.transcript import has_substance, transcript_digest
from server.calls import repository
from server.calls.service import no_such_call
from server.families import CALLS
from server.runs.model import Idempotency, RunRequest, RunResult, RunStatus
from server.runtime import Runtime
from server.sse import frame

log = structlog.get_logger(__name__)

WORKFLOW: Final = "call_summary"
FAILED: Final = "SUMMARY_FAILED"
# How long a cancelled run may take to write its end before the answer goes out without it.
_CANCEL_SECONDS: Final = 0.7


@dataclass(frozen=True)
class Started:
    """A summary run that was accepted."""

    user_id: UUID
    run_id: UUID


async def start(runtime: Runtime, user_id: UUID, call_id: UUID, idempotency: Idempotency | None = None) -> Started:
    """Start a new summary, or go on with one that ran out of time on the same transcript.

    Raises:
        NotFound: the call does not exist, or is another user's.
        InvalidInput: it has nothing to summarise (NO_MESSAGES).
        InvalidInput: the idempotency key belongs to another request.
        Conflict: a summary of it is being made (SUMMARY_RUNNING).
    """
    async with runtime.database.transaction(user_id) as session:
        call = await repository.find_call(session, user_id, call_id)
        if call is None:
            raise no_such_call()
        if not has_substance(call.messages):
            raise InvalidInput("通话没有可以总结的内容", code="NO_MESSAGES")
        digest = transcript_digest(call.messages)
        known = call.summary_thread_id
        thread_id = known or await repository.keep_thread(session, user_id, call_id, runtime.ids.uuid())
    unfinished = known is not None and await _unfinished(runtime, user_id, thread_id, digest)
    request = RunRequest(
        thread_id=thread_id,
        owner_id=user_id,
        workflow=WORKFLOW,
        input=None if unfinished else {"record_id": str(call_id)},
        metadata={"record_id": str(call_id)},
        idempotency=idempotency,
    )
    try:
        return Started(user_id, await runtime.engine.start(request))
    except Conflict:
        raise Conflict("该通话的摘要正在生成，请稍候", code="SUMMARY_RUNNING") from None
    except InvalidInput:
        raise InvalidInput("这个 Idempotency-Key 已用于另一个请求", code="IDEMPOTENCY_KEY_REUSED") from None


async def _unfinished(runtime: Runtime, user_id: UUID, thread_id: UUID, digest: str) -> bool:
    try:
        state = await runtime.engine.state(user_id, thread_id)
    except NotFound:
        return False
    return bool(state.next) and state.values.get("digest") == digest


async def answer(runtime: Runtime, started: Started) -> str:
    """Wait for the summary within its budget.

    Raises:
        ModelFailed: the model gave no summary; the stored one stays.
        TimedOut: the budget ran out; the next request goes on where this one stopped.
    """
    result = await runtime.engine.wait(started.user_id, started.run_id, runtime.settings.summary_timeout_seconds)
    return await _settle(runtime, started, result)


async def stream(runtime: Runtime, started: Started) -> AsyncIterator[ServerSentEvent]:
    """Yield progress and text as they come; the last event is the one-shot answer, or the family's error."""
    seconds = runtime.settings.summary_timeout_seconds
    try:
        async for event in runtime.engine.stream(started.user_id, started.run_id, timeout=seconds):
            if event.event == "custom":
                kind = event.data.pop("type")
                yield frame(kind, event.data, str(event.id))
            elif event.event == "metadata" and event.data["attempt"] > 1:
                # The run goes on in another process: what the step in flight told is told again.
                yield frame("reset", {}, str(event.id))
        result = await runtime.engine.result(started.user_id, started.run_id)
        summary = await _settle(runtime, started, result)
    except ColloquyError as error:
        yield frame("error", CALLS.body.of(error).model_dump())
    else:
        yield frame("result", {"success": True, "data": {"summary": summary}})


async def _settle(runtime: Runtime, started: Started, result: RunResult) -> str:
    if not result.status.finished:
        await runtime.engine.cancel(started.user_id, started.run_id)
        result = await runtime.engine.wait(started.user_id, started.run_id, _CANCEL_SECONDS)
    # It may have come to its end between the deadline and the cancellation.
    if result.status == RunStatus.success and result.output:
        return str(result.output["summary"])
    raise _failure(result)


def _failure(result: RunResult) -> ColloquyError:
    if result.status == RunStatus.error:
        log.warning("summary_failed", error_code=result.error_code)
        match result.error_code:
            case "NO_MESSAGES":
                return InvalidInput("通话没有可以总结的内容", code="NO_MESSAGES")
            case "NOT_FOUND":
                return no_such_call()
            case _ if result.error_status == ModelFailed.status:
                return ModelFailed("摘要生成失败，请稍后重试", code=FAILED)
            case _:
                return ColloquyError("服务器内部错误，请稍后重试")
    return TimedOut("摘要生成超时，请稍后重试", code=FAILED)

"""A call's summary on demand: start (or take up) its run, wait within the budget, or stream it (G28)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal
from uuid import UUID

import structlog
from sse_starlette import ServerSentEvent

from core.errors import ColloquyError, Conflict, InvalidInput, ModelFailed, NotFound, TimedOut
from nodes.call_summary.transcript import has_substance, transcript_digest
from server.calls import repository
from server.calls.schemas import ErrorNote, SummaryState
from server.calls.service import find, no_such_call, nothing_said
from server.families import CALLS
from server.runs.model import Idempotency, RunRequest, RunResult, RunStatus
from server.runtime import Runtime
from server.sse import frame

log = structlog.get_logger(__name__)

WORKFLOW: Final = "call_summary"
FAILED: Final = "SUMMARY_FAILED"
# How long a cancelled run may take to write its end before the answer goes out without it.
_CANCEL_SECONDS: Final = 0.7
_STATES: Final[dict[RunStatus, Literal["pending", "running", "done", "failed", "stopped"]]] = {
    RunStatus.scheduled: "pending",
    RunStatus.pending: "pending",
    RunStatus.running: "running",
    RunStatus.success: "done",
    RunStatus.error: "failed",
    RunStatus.interrupted: "stopped",
}


@dataclass(frozen=True)
class Started:
    """A summary run that was accepted."""

    user_id: UUID
    run_id: UUID


@dataclass(frozen=True)
class _Subject:
    """A call to summarise: the engine's thread of its summaries, and what its transcript is now."""

    user_id: UUID
    call_id: UUID
    thread_id: UUID
    digest: str


async def start(runtime: Runtime, user_id: UUID, call_id: UUID, idempotency: Idempotency | None = None) -> Started:
    """Start a new summary, or go on with one that ran out of time on the same transcript.

    Raises:
        NotFound: the call does not exist, or is another user's.
        InvalidInput: it has nothing to summarise (NO_MESSAGES).
        InvalidInput: the idempotency key belongs to another request.
        Conflict: a summary of it is being made (SUMMARY_RUNNING).
    """
    subject = await _subject(runtime, user_id, call_id)
    request = _request(subject, idempotency, goes_on=await _unfinished(runtime, subject))
    return Started(user_id, await _start(runtime, request))


async def begin(runtime: Runtime, user_id: UUID, call_id: UUID, idempotency: Idempotency | None = None) -> None:
    """Start a summary that nobody waits for; after the one under way, if that may not have read the whole call.

    Raises:
        NotFound: the call does not exist, or is another user's.
        InvalidInput: it has nothing to summarise (NO_MESSAGES); or the idempotency key belongs to another request.
    """
    subject = await _subject(runtime, user_id, call_id)
    newest = await runtime.engine.newest(user_id, subject.thread_id)
    if newest is not None and _covers(*newest, subject.digest):
        return
    request = _request(subject, idempotency, goes_on=await _unfinished(runtime, subject))
    await _start(runtime, replace(request, strategy="enqueue"))


def _covers(run: RunResult, metadata: dict[str, Any], digest: str) -> bool:
    """Tell whether a run will summarise what is said by now: it has read nothing yet, or began with this transcript."""
    if run.status == RunStatus.running:
        return metadata.get("digest") == digest
    return run.status in (RunStatus.scheduled, RunStatus.pending)


async def state(runtime: Runtime, user_id: UUID, call_id: UUID) -> SummaryState:
    """Return the stored summary, and how the newest run that makes one stands.

    Raises:
        NotFound: the call does not exist, or is another user's.
    """
    call = await find(runtime.database, user_id, call_id)
    newest = await runtime.engine.newest(user_id, call.summary_thread_id) if call.summary_thread_id else None
    if newest is None:
        return SummaryState(state="none" if call.summary is None else "done", summary=call.summary)
    run, error = newest[0], None
    # After the run: what one that is done has stored is then seen.
    call = await find(runtime.database, user_id, call_id)
    if run.status == RunStatus.error:
        failure = _failure(run)
        error = ErrorNote(code=failure.code, message=failure.message)
    return SummaryState(state=_STATES[run.status], summary=call.summary, error=error)


async def _subject(runtime: Runtime, user_id: UUID, call_id: UUID) -> _Subject:
    """Read a call that has something to summarise; at the first time it is given a thread for that."""
    async with runtime.database.transaction(user_id) as session:
        call = await repository.find_call(session, user_id, call_id)
        if call is None:
            raise no_such_call()
        if not has_substance(call.messages):
            raise nothing_said()
        digest, known = transcript_digest(call.messages), call.summary_thread_id
        thread_id = known or await repository.keep_thread(session, user_id, call_id, runtime.ids.uuid())
    return _Subject(user_id, call_id, thread_id, digest)


def _request(subject: _Subject, idempotency: Idempotency | None, *, goes_on: bool) -> RunRequest:
    record = {"record_id": str(subject.call_id)}
    return RunRequest(
        thread_id=subject.thread_id,
        owner_id=subject.user_id,
        workflow=WORKFLOW,
        input=None if goes_on else record,
        metadata=record | {"digest": subject.digest},
        idempotency=idempotency,
    )


async def _start(runtime: Runtime, request: RunRequest) -> UUID:
    try:
        return await runtime.engine.start(request)
    except Conflict:
        raise Conflict("该通话的摘要正在生成，请稍候", code="SUMMARY_RUNNING") from None
    except InvalidInput:
        raise InvalidInput("这个 Idempotency-Key 已用于另一个请求", code="IDEMPOTENCY_KEY_REUSED") from None


async def _unfinished(runtime: Runtime, subject: _Subject) -> bool:
    """Tell whether a run has read what is the call's transcript now, and has not come to its end."""
    try:
        found = await runtime.engine.state(subject.user_id, subject.thread_id)
    except NotFound:
        return False
    return bool(found.next) and found.values.get("digest") == subject.digest


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
                return nothing_said()
            case "NOT_FOUND":
                return no_such_call()
            case _ if result.error_status == ModelFailed.status:
                return ModelFailed("摘要生成失败，请稍后重试", code=FAILED)
            case _:
                return ColloquyError("服务器内部错误，请稍后重试")
    return TimedOut("摘要生成超时，请稍后重试", code=FAILED)

"""`/threads/{thread_id}/runs/…`: runs that were started; their events, their end, and how to bring it about."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Header, Path, Query, Response

from server.families import Unprocessable
from server.runs.model import FIRST, CancelAction, EventId
from server.runs.protocol.bodies import RunShown
from server.runs.protocol.fields import Limit, Offset
from server.runs.protocol.routing import Caller, CurrentRuns, ThreadId, answer, protocol_router
from server.runs.protocol.run_starts import left
from server.runs.protocol.streaming import SSE, Lasting, frame, mode_of
from server.runs.runs import Runs, Started

router = protocol_router("/threads/{thread_id}/runs")

RunId = Annotated[UUID, Path(description="A UUID")]
Status = Literal["pending", "running", "error", "success", "timeout", "interrupted"]
RunField = Literal[
    "run_id",
    "thread_id",
    "assistant_id",
    "created_at",
    "updated_at",
    "status",
    "metadata",
    "kwargs",
    "multitask_strategy",
]
Mode = Literal[
    "values", "messages", "messages-tuple", "updates", "custom", "events", "debug", "tasks", "checkpoints", ""
]


@router.get("", response_model=list[RunShown])
async def page(
    thread_id: ThreadId,
    owner: Caller,
    runs: CurrentRuns,
    limit: Limit = 10,
    offset: Offset = 0,
    status: Status | None = None,
    select: Annotated[list[RunField] | None, Query()] = None,
) -> Response:
    """List a thread's runs, the newest first."""
    found = await runs.page(owner, thread_id, status, limit, offset)
    return answer(found if select is None else [{name: run[name] for name in select} for run in found])


@router.get("/{run_id}", response_model=RunShown)
async def get(thread_id: ThreadId, run_id: RunId, owner: Caller, runs: CurrentRuns) -> Response:
    """Return a run."""
    return answer(await runs.read(owner, thread_id, run_id))


@router.delete("/{run_id}", status_code=204)
async def delete(thread_id: ThreadId, run_id: RunId, owner: Caller, runs: CurrentRuns) -> None:
    """Delete a finished run; what it left on the thread stays."""
    await runs.delete(owner, thread_id, run_id)


@router.get("/{run_id}/join", response_model=dict[str, Any])
async def join(
    thread_id: ThreadId, run_id: RunId, owner: Caller, runs: CurrentRuns, *, cancel_on_disconnect: bool = False
) -> Response:
    """Wait for the state that a run leaves."""
    started = await _known(runs, owner, thread_id, run_id)
    gone = (lambda: runs.abandon(started)) if cancel_on_disconnect else None
    return left(runs, started, {"Location": f"/threads/{thread_id}/runs/{run_id}/join"}, gone)


@router.get("/{run_id}/stream", response_model=str, responses={200: {"content": {SSE: {}}}})
async def join_stream(
    thread_id: ThreadId,
    run_id: RunId,
    owner: Caller,
    runs: CurrentRuns,
    *,
    last_event_id: Annotated[str | None, Header()] = None,
    cancel_on_disconnect: bool = False,
    stream_mode: Annotated[list[Mode] | None, Query(description="Those of the run's modes to show")] = None,
) -> Response:
    """Stream a run's events: all, or those after `Last-Event-ID`."""
    try:
        after = EventId.parse(last_event_id) if last_event_id else FIRST
    except ValueError as error:
        raise Unprocessable(f"Last-Event-ID: {error}.") from None
    started = await _known(runs, owner, thread_id, run_id)
    modes = {"metadata", "error", *filter(None, stream_mode or ())}
    frames = _frames(runs, started, after, modes if any(stream_mode or ()) else None)
    gone = (lambda: runs.abandon(started)) if cancel_on_disconnect else None
    return Lasting(frames, SSE, {"Location": f"/threads/{thread_id}/runs/{run_id}/stream"}, gone)


@router.post("/{run_id}/cancel", status_code=204, responses={202: {"description": "Asked for"}})
async def cancel(
    thread_id: ThreadId,
    run_id: RunId,
    owner: Caller,
    runs: CurrentRuns,
    *,
    wait: bool = False,
    action: CancelAction = "interrupt",
) -> Response:
    """End a run; `rollback` also takes back what it did, and deletes it."""
    await runs.cancel(owner, thread_id, run_id, action)
    if not wait:
        return Response(status_code=202)
    await runs.until_finished(Started(owner, thread_id, run_id))
    return Response(status_code=204)


async def _known(runs: Runs, owner: UUID, thread_id: UUID, run_id: UUID) -> Started:
    await runs.read(owner, thread_id, run_id)
    return Started(owner, thread_id, run_id)


async def _frames(runs: Runs, started: Started, after: EventId, modes: set[str] | None) -> AsyncIterator[bytes]:
    async for events in runs.events(started, after):
        if shown := [event for event in events if modes is None or mode_of(event.event) in modes]:
            yield b"".join(map(frame, shown))

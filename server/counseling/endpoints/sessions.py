"""`/sessions`: begin, talk, end and read counseling sessions (E012–E029, G47–G49, K10)."""

from typing import Annotated, Any, Literal

from fastapi import Path, Query, Request, Response

from server import sse
from server.counseling import finalizing, replying, sessions
from server.counseling.endpoints.router import counseling_router
from server.counseling.members import CurrentMember
from server.counseling.schemas import (
    FinalizeBody,
    Finalized,
    Id,
    LastChat,
    LastCompleted,
    MessageBody,
    Ok,
    Reply,
    SessionDetail,
    SessionPage,
    SessionStart,
    StartedSession,
)
from server.idempotency import RequestIdempotency
from server.paging import PageNumber, PageSize
from server.runtime import CurrentRuntime

router = counseling_router("/sessions")

NamedSession = Annotated[Id, Path(alias="sessionId")]
OfInstance = Annotated[Id, Query(alias="visitorInstanceId")]

_STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {sse.MEDIA_TYPE: {"schema": {"type": "string"}}},
        "description": "What the visitor said; with `Accept: text/event-stream` also `delta` and `reset` events, and "
        "at last `result` (the same answer) or `error`.",
    }
}


@router.post("/start")
async def start(body: SessionStart, member: CurrentMember, runtime: CurrentRuntime) -> StartedSession:
    """Begin a session under the instance's next number; refused to a student who missed this week's deadline."""
    return await sessions.start(runtime, member, body)


# Before the routes that take a session's id.
@router.get("/last", response_model=LastCompleted | LastChat)
async def last(
    visitor_instance_id: OfInstance,
    member: CurrentMember,
    runtime: CurrentRuntime,
    view: Literal["completed"] | None = None,
) -> LastChat | LastCompleted:
    """Read the newest session's messages, or with `view=completed` the newest finalised session's summary."""
    return await sessions.last(runtime, member, visitor_instance_id, view)


@router.get("/list")
async def list_page(
    visitor_instance_id: OfInstance,
    member: CurrentMember,
    runtime: CurrentRuntime,
    page: PageNumber = 1,
    page_size: Annotated[PageSize, Query(alias="pageSize")] = 20,
) -> SessionPage:
    """List an instance's sessions, the newest first."""
    return await sessions.list_page(runtime, member, visitor_instance_id, page=page, page_size=page_size)


@router.post("/{sessionId}/messages")
async def append(session_id: NamedSession, body: MessageBody, member: CurrentMember, runtime: CurrentRuntime) -> Ok:
    """Add a message of either side."""
    await sessions.append(runtime, member, session_id, body)
    return Ok()


@router.post("/{sessionId}/reply", response_model=Reply, responses=_STREAMED)
async def reply(
    session_id: NamedSession,
    request: Request,
    response: Response,
    member: CurrentMember,
    runtime: CurrentRuntime,
    idempotency: RequestIdempotency,
) -> Any:
    """Let the visitor answer what was said; the answer becomes a message of the session."""
    turn = await replying.start(runtime, member, session_id, idempotency)
    headers = {"X-Colloquy-Model": runtime.models.name("reply")}
    if sse.wanted(request):
        return sse.response(replying.stream(runtime, turn), headers)
    response.headers.update(headers)
    return await replying.answer(runtime, turn)


@router.post("/{sessionId}/finalize")
async def finalize(
    session_id: NamedSession,
    response: Response,
    member: CurrentMember,
    runtime: CurrentRuntime,
    idempotency: RequestIdempotency,
    body: FinalizeBody | None = None,
) -> Finalized:
    """End a session: its diary, the report of the coming week, and what the visitor remembers."""
    assignment = (body.assignment if body else None) or ""
    response.headers["X-Colloquy-Model"] = runtime.models.name("diary")
    return await finalizing.finalize(runtime, member, session_id, assignment, idempotency)


@router.get("/{sessionId}")
async def read(session_id: NamedSession, member: CurrentMember, runtime: CurrentRuntime) -> SessionDetail:
    """Read a session in full."""
    return await sessions.read(runtime, member, session_id)

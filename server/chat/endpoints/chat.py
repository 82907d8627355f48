"""`frontend/chat` in both modes, `analyze-deep/raw`, `chat/resume`, and streams of them (D012–D029, D040, G34, G72)."""

from typing import Annotated, Any, Final

from fastapi import Depends, Header, Query, Request, Response

from server import sse
from server.chat import streaming
from server.chat.access import Caller, CurrentCaller
from server.chat.endpoints.router import chat_router
from server.chat.endpoints.sessions import AskedUser
from server.chat.live import Live
from server.chat.schemas import Answer, ChatRequest, DeepAnswer, RawRequest, ResumeRequest
from server.chat.service import CurrentChat
from server.chat.turns import Asked
from server.idempotency import RequestIdempotency
from server.limits import limited
from server.runs.model import Idempotency
from server.runtime import runtime_of

router = chat_router("")

_STREAMED: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {sse.MEDIA_TYPE: {"schema": {"type": "string"}}},
        "description": "The answer; with `?stream=true` or `Accept: text/event-stream` also `phase`, `delta` and "
        "`reset` events, and at last `result` (the same answer) or `error`.",
    }
}
_LIMITED: Final = [Depends(limited("chat"))]

LastEventId = Annotated[str | None, Header(description="Takes up a stream that broke, after this event")]


async def wants_stream(
    request: Request,
    stream: Annotated[bool, Query(description="Answer with server-sent events")] = False,  # noqa: FBT002 - a query
) -> bool:
    """Tell whether the client asks for a stream, in either way."""
    return stream or sse.wanted(request)


Streams = Annotated[bool, Depends(wants_stream)]


@router.post("/frontend/chat", response_model=Answer, responses=_STREAMED, dependencies=_LIMITED)
async def chat(
    body: ChatRequest,
    request: Request,
    response: Response,
    caller: CurrentCaller,
    chat: CurrentChat,
    idempotency: RequestIdempotency,
    streams: Streams,
    last_event_id: LastEventId = None,
) -> Any:
    """Answer a message: `chat` quickly in a sentence or two, `deep` by the whole workflow."""
    asked = _asked(body, caller, idempotency, last_event_id, streams=streams)
    return await _answered(request, response, await chat.answers.begin(asked), last_event_id, streams=streams)


@router.post("/analyze-deep/raw", response_model=DeepAnswer, responses=_STREAMED, dependencies=_LIMITED)
async def analyze(
    body: RawRequest,
    request: Request,
    response: Response,
    caller: CurrentCaller,
    chat: CurrentChat,
    idempotency: RequestIdempotency,
    streams: Streams,
    last_event_id: LastEventId = None,
) -> Any:
    """Answer a message deeply."""
    asked = _asked(body.as_chat(), caller, idempotency, last_event_id, streams=streams)
    return await _answered(request, response, await chat.answers.begin(asked), last_event_id, streams=streams)


@router.post("/chat/resume", response_model=DeepAnswer, responses=_STREAMED, dependencies=_LIMITED)
async def resume(
    body: ResumeRequest,
    request: Request,
    response: Response,
    caller: CurrentCaller,
    chat: CurrentChat,
    idempotency: RequestIdempotency,
    streams: Streams,
) -> Any:
    """Decide whether a draft is revised, as a button does."""
    asked = Asked(
        caller=caller,
        user_id=body.user_id,
        session_id=body.session_id or "-",
        mode="deep",
        decision=body.human_decision,
        idempotency=idempotency,
        streams=streams,
    )
    return await _answered(request, response, await chat.answers.begin(asked), None, streams=streams)


@router.get("/frontend/sessions/{session_id}/stream", response_model=Answer, responses=_STREAMED)
async def take_up(
    session_id: str,
    request: Request,
    response: Response,
    caller: CurrentCaller,
    chat: CurrentChat,
    user_id: AskedUser = None,
    last_event_id: LastEventId = None,
) -> Any:
    """Take up the stream of the newest message of a session."""
    live = chat.answers.follow(await chat.turns.latest(caller, session_id, user_id))
    return await _answered(request, response, live, last_event_id, streams=True)


def _asked(
    body: ChatRequest, caller: Caller, idempotency: Idempotency | None, after: str | None, *, streams: bool
) -> Asked:
    return Asked(
        caller=caller,
        user_id=caller.named(body.user_id),
        session_id=body.session_id,
        message=body.message,
        mode=body.mode,
        tags=tuple(body.tags or ()) if body.mode == "deep" else (),
        idempotency=idempotency,
        takes_up=streams and after is not None,
        streams=streams,
    )


async def _answered(
    request: Request, response: Response, live: Live, after: str | None, *, streams: bool
) -> Response | Answer:
    runtime = runtime_of(request)
    headers = {"X-Colloquy-Model": runtime.models.name("deep" if live.turn.is_deep else "fast")}
    if streams:
        return sse.response(streaming.stream(runtime, live, after, debug=runtime.settings.debug), headers)
    response.headers.update(headers)
    return await live.answer()

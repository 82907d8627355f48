"""`/api/v1/tasks/sessions/{id}/strategies` and `classify-scene` (A026, A027, G08)."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Query, Request, Response

from server import sse
from server.audio import coached, coaching, scenes
from server.audio.endpoints.router import audio_router
from server.audio.schemas import Scene, StrategyRequest, StrategyState, StrategyView
from server.auth.schemas import Envelope
from server.idempotency import RequestIdempotency
from server.runtime import CurrentRuntime
from server.security import PhonePrincipal

router = audio_router("/tasks/sessions/{session_id}")

_STREAMED: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {sse.MEDIA_TYPE: {"schema": {"type": "string"}}},
        "description": "The strategy; with `?stream=true` or `Accept: text/event-stream` also what the steps tell, "
        "`reset`, and at last `result` (the same answer) or `error`.",
    }
}


@router.post("/classify-scene")
async def classify(
    session_id: UUID,
    response: Response,
    principal: PhonePrincipal,
    runtime: CurrentRuntime,
    idempotency: RequestIdempotency,
) -> Envelope[Scene]:
    """Tell what kind of conversation it is; nothing is stored."""
    response.headers["X-Colloquy-Model"] = runtime.models.name("scene")
    return Envelope(data=await scenes.classify(runtime, principal.user_id, session_id, idempotency))


@router.post("/strategies", response_model=Envelope[StrategyView], responses=_STREAMED)
async def ask(
    session_id: UUID,
    request: Request,
    response: Response,
    principal: PhonePrincipal,
    runtime: CurrentRuntime,
    idempotency: RequestIdempotency,
    body: StrategyRequest | None = None,
    stream: Annotated[bool, Query(description="Answer with server-sent events")] = False,  # noqa: FBT002 - a query
) -> Any:
    """Return the strategy for a recording; it is made where there is none, or a new one is wanted."""
    force = body is not None and body.force
    asked = await coaching.ask(runtime, principal.user_id, session_id, force=force, idempotency=idempotency)
    headers = {"X-Colloquy-Model": runtime.models.name("strategy")}
    if stream or sse.wanted(request):
        return sse.response(coached.stream(runtime, asked), headers)
    response.headers.update(headers)
    return Envelope(data=await coached.answer(runtime, asked))


@router.get("/strategies")
async def state(session_id: UUID, principal: PhonePrincipal, runtime: CurrentRuntime) -> Envelope[StrategyState]:
    """Tell how the strategy stands that was last asked for; nothing is begun by that."""
    return Envelope(data=await coached.state(runtime, principal.user_id, session_id))

"""`/api/v1/call-records/{id}/…`: make a call's summary, and see how it stands (C016–C020, G28)."""

from typing import Any
from uuid import UUID

from fastapi import Request, Response

from server import sse
from server.calls import summary
from server.calls.endpoints.router import calls_router
from server.calls.schemas import Answer, Summary, SummaryState
from server.idempotency import RequestIdempotency
from server.runtime import CurrentRuntime
from server.security import CurrentPrincipal

router = calls_router("/call-records/{record_id}")

_STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {sse.MEDIA_TYPE: {"schema": {"type": "string"}}},
        "description": "The summary; with `Accept: text/event-stream` also `progress`, `delta` and `reset` events, "
        "and at last `result` (the same answer) or `error`.",
    }
}


@router.post("/generate-summary", response_model=Answer[Summary], responses=_STREAMED)
async def generate_summary(
    record_id: UUID,
    request: Request,
    response: Response,
    principal: CurrentPrincipal,
    runtime: CurrentRuntime,
    idempotency: RequestIdempotency,
) -> Any:
    """Summarise a call: the customer's request, the key information, the outcome."""
    started = await summary.start(runtime, principal.user_id, record_id, idempotency)
    headers = {"X-Colloquy-Model": runtime.models.name("summary")}
    if sse.wanted(request):
        return sse.response(summary.stream(runtime, started), headers)
    response.headers.update(headers)
    return Answer(data=Summary(summary=await summary.answer(runtime, started)))


@router.get("/summary")
async def read(record_id: UUID, principal: CurrentPrincipal, runtime: CurrentRuntime) -> Answer[SummaryState]:
    """Tell how a call's summary stands: the stored one, and what became of the newest that was asked for."""
    return Answer(data=await summary.state(runtime, principal.user_id, record_id))

"""`/api/v1/call-records`: record, change, read and delete calls, and summarise them (C008–C016)."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request, Response

from db.models.calls import CallRecord
from server import sse
from server.calls import service, summary
from server.calls.endpoints.router import calls_router
from server.calls.schemas import (
    Answer,
    CallCreate,
    CallDetail,
    CallList,
    CallPatch,
    CreatedCall,
    Day,
    DeletedCall,
    Summary,
)
from server.idempotency import RequestIdempotency
from server.paging import PageNumber, PageSize
from server.runtime import CurrentRuntime
from server.security import CurrentPrincipal

router = calls_router("/call-records")

_STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {sse.MEDIA_TYPE: {"schema": {"type": "string"}}},
        "description": "The summary; with `Accept: text/event-stream` also `progress`, `delta` and `reset` events, "
        "and at last `result` (the same answer) or `error`.",
    }
}


@router.post("")
async def create(body: CallCreate, principal: CurrentPrincipal, runtime: CurrentRuntime) -> Answer[CreatedCall]:
    """Record a call that begins."""
    call = await service.create(runtime.database, principal.user_id, body)
    return Answer(data=CreatedCall.model_validate(call))


@router.get("")
async def list_page(
    principal: CurrentPrincipal,
    runtime: CurrentRuntime,
    agent_id: UUID | None = None,
    start_date: Annotated[Day | None, Query(description="Beijing date, inclusive")] = None,
    end_date: Annotated[Day | None, Query(description="Beijing date, inclusive")] = None,
    page: PageNumber = 1,
    page_size: PageSize = 20,
) -> Answer[CallList]:
    """List one's calls, newest first."""
    calls = await service.list_page(
        runtime.database,
        principal.user_id,
        agent_id=agent_id,
        start_date=start_date,
        end_date=end_date,
        page=page,
        page_size=page_size,
    )
    return Answer(data=calls)


@router.get("/{record_id}")
async def read(record_id: UUID, principal: CurrentPrincipal, runtime: CurrentRuntime) -> Answer[CallDetail]:
    """Read one call."""
    return _detail(await service.read(runtime.database, principal.user_id, record_id))


@router.patch("/{record_id}")
async def change(
    record_id: UUID, body: CallPatch, principal: CurrentPrincipal, runtime: CurrentRuntime
) -> Answer[CallDetail]:
    """Change a call: any subset of its fields."""
    return _detail(await service.change(runtime.database, principal.user_id, record_id, body))


@router.delete("/{record_id}")
async def delete(record_id: UUID, principal: CurrentPrincipal, runtime: CurrentRuntime) -> Answer[DeletedCall]:
    """Delete a call and its summary's traces."""
    await service.delete(runtime.database, runtime.engine, principal.user_id, record_id)
    return Answer(data=DeletedCall(id=record_id))


@router.post("/{record_id}/generate-summary", response_model=Answer[Summary], responses=_STREAMED)
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


def _detail(call: CallRecord) -> Answer[CallDetail]:
    return Answer(data=CallDetail.model_validate(call))

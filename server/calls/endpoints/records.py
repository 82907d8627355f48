"""`/api/v1/call-records`: record, change, read and delete calls (C008–C015)."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from db.models.calls import CallRecord
from server.calls import service, summary
from server.calls.endpoints.router import calls_router
from server.calls.schemas import (
    Answer,
    AppendedMessage,
    CallCreate,
    CallDetail,
    CallList,
    CallPatch,
    CreatedCall,
    Day,
    DeletedCall,
    MessageAppend,
)
from server.idempotency import RequestIdempotency
from server.paging import PageNumber, PageSize
from server.runtime import CurrentRuntime
from server.security import CurrentPrincipal

router = calls_router("/call-records")


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
    record_id: UUID,
    body: CallPatch,
    principal: CurrentPrincipal,
    runtime: CurrentRuntime,
    idempotency: RequestIdempotency,
    summarize: Annotated[bool, Query(description="Also begin its summary, in the background")] = False,  # noqa: FBT002
) -> Answer[CallDetail]:
    """Change a call: any subset of its fields. The summary that it may begin is read at `…/summary`."""
    call = await service.change(runtime.database, principal.user_id, record_id, body, must_speak=summarize)
    if summarize:
        await summary.begin(runtime, principal.user_id, record_id, idempotency)
    return _detail(call)


@router.delete("/{record_id}")
async def delete(record_id: UUID, principal: CurrentPrincipal, runtime: CurrentRuntime) -> Answer[DeletedCall]:
    """Delete a call and its summary's traces."""
    await service.delete(runtime.database, runtime.engine, principal.user_id, record_id)
    return Answer(data=DeletedCall(id=record_id))


@router.post("/{record_id}/messages")
async def append(
    record_id: UUID, body: MessageAppend, principal: CurrentPrincipal, runtime: CurrentRuntime
) -> Answer[AppendedMessage]:
    """Add one message to a call that is under way; with its position it is safe to ask twice."""
    return Answer(data=await service.append(runtime.database, principal.user_id, record_id, body))


def _detail(call: CallRecord) -> Answer[CallDetail]:
    return Answer(data=CallDetail.model_validate(call))

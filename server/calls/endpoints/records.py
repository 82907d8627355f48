"""`/api/v1/call-records`: record, change, read and delete calls (C008–C015)."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request, Response

from server.by_hand import id_of, json_of, query_of, shown
from server.calls import service, summary
from server.calls.endpoints.router import calls_router
from server.calls.schemas import (
    Answer,
    AppendedMessage,
    CallCreate,
    CallDetail,
    CallList,
    CallPatch,
    CallQuery,
    CreatedCall,
    DeletedCall,
    MessageAppend,
)
from server.errors import resolved
from server.idempotency import RequestIdempotency
from server.runtime import CurrentRuntime, runtime_of
from server.security import CurrentActing, CurrentPrincipal, acting_caller

router = calls_router("/call-records")


async def _creation(request: Request) -> dict[str, Any]:
    caller = await acting_caller(request)
    return {"body": await json_of(request, CallCreate), "caller": caller, "runtime": runtime_of(request)}


async def _listing(request: Request) -> dict[str, Any]:
    caller = await acting_caller(request)
    return {"asked": query_of(request, CallQuery), "caller": caller, "runtime": runtime_of(request)}


async def _reading(request: Request) -> dict[str, Any]:
    caller = await acting_caller(request)
    return {"record_id": id_of(request, "record_id"), "caller": caller, "runtime": runtime_of(request)}


async def _appending(request: Request) -> dict[str, Any]:
    known = await _reading(request)
    return known | {"body": await json_of(request, MessageAppend)}


@router.post("", response_model=Answer[CreatedCall])
@resolved(_creation)
async def create(body: CallCreate, caller: CurrentActing, runtime: CurrentRuntime) -> Response:
    """Record a call that begins."""
    return shown(Answer(data=await service.create(runtime.database.pool, caller, body)))


@router.get("", response_model=Answer[CallList])
@resolved(_listing)
async def list_page(asked: Annotated[CallQuery, Query()], caller: CurrentActing, runtime: CurrentRuntime) -> Response:
    """List one's calls, newest first."""
    return shown(Answer(data=await service.list_page(runtime.database.pool, caller, asked)))


@router.get("/{record_id}", response_model=Answer[CallDetail])
@resolved(_reading)
async def read(record_id: UUID, caller: CurrentActing, runtime: CurrentRuntime) -> Response:
    """Read one call."""
    return shown(Answer(data=await service.read(runtime.database.pool, caller, record_id)))


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
    return Answer(data=CallDetail.model_validate(call))


@router.delete("/{record_id}")
async def delete(record_id: UUID, principal: CurrentPrincipal, runtime: CurrentRuntime) -> Answer[DeletedCall]:
    """Delete a call and its summary's traces."""
    await service.delete(runtime.database, runtime.engine, principal.user_id, record_id)
    return Answer(data=DeletedCall(id=record_id))


@router.post("/{record_id}/messages", response_model=Answer[AppendedMessage])
@resolved(_appending)
async def append(record_id: UUID, body: MessageAppend, caller: CurrentActing, runtime: CurrentRuntime) -> Response:
    """Add one message to a call that is under way; with its position it is safe to ask twice."""
    return shown(Answer(data=await service.append(runtime.database.pool, caller, record_id, body)))

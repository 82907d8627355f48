"""`/api/v1/tasks/sessions`: one's recordings, how they stand, and their end (A023–A025, G06, G07, G14)."""

from typing import Annotated
from uuid import UUID

from fastapi import Query

from server.audio import analysing, sessions
from server.audio.endpoints.router import audio_router
from server.audio.schemas import DeletedSession, SessionDetail, SessionList, SessionStatus, Status
from server.auth.schemas import Envelope
from server.idempotency import RequestIdempotency
from server.paging import PageNumber, PageSize
from server.runtime import CurrentRuntime
from server.security import PhonePrincipal

router = audio_router("/tasks/sessions")


@router.get("")
async def list_page(
    principal: PhonePrincipal,
    runtime: CurrentRuntime,
    status: Annotated[Status | None, Query(description="Only recordings that stand like this")] = None,
    page: PageNumber = 1,
    page_size: PageSize = 20,
) -> Envelope[SessionList]:
    """List one's recordings, newest first."""
    found = await sessions.list_page(runtime, principal.user_id, status=status, page=page, page_size=page_size)
    return Envelope(data=found)


@router.get("/{session_id}")
async def read(session_id: UUID, principal: PhonePrincipal, runtime: CurrentRuntime) -> Envelope[SessionDetail]:
    """Read one recording, what was found in it, and its strategy."""
    return Envelope(data=await sessions.read(runtime, principal.user_id, session_id))


@router.get("/{session_id}/status")
async def status(session_id: UUID, principal: PhonePrincipal, runtime: CurrentRuntime) -> Envelope[SessionStatus]:
    """Tell how far the analysis is."""
    return Envelope(data=await analysing.status(runtime, principal.user_id, session_id))


@router.post("/{session_id}/retry")
async def retry(
    session_id: UUID, principal: PhonePrincipal, runtime: CurrentRuntime, idempotency: RequestIdempotency
) -> Envelope[SessionStatus]:
    """Go on with an analysis that failed, from the step that did."""
    return Envelope(data=await analysing.retry(runtime, principal.user_id, session_id, idempotency))


@router.delete("/{session_id}")
async def delete(session_id: UUID, principal: PhonePrincipal, runtime: CurrentRuntime) -> Envelope[DeletedSession]:
    """Delete a recording with its files and all that was made of it."""
    await sessions.delete(runtime, principal.user_id, session_id)
    return Envelope(data=DeletedSession(session_id=session_id))

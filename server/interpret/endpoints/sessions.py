"""`/v1/api/sessions`: how one's sessions stand, and their logs (B018, B019, G22)."""

from typing import Annotated

from fastapi import Path

from server.interpret import service
from server.interpret.endpoints.router import execute_router
from server.interpret.schemas import Answer, LogPage, SessionId, SessionView
from server.paging import PageNumber, PageSize
from server.runtime import CurrentRuntime
from server.security import CurrentPrincipal

router = execute_router()

NamedSession = Annotated[SessionId, Path(alias="sessionId")]


@router.get("/sessions/{sessionId}")
async def read(session_id: NamedSession, principal: CurrentPrincipal, runtime: CurrentRuntime) -> Answer[SessionView]:
    """Tell a session's status, what it waits for, and what became of the last offer that was confirmed."""
    return Answer(data=await service.read_session(runtime, principal.user_id, session_id))


@router.get("/sessions/{sessionId}/logs")
async def logs(
    session_id: NamedSession,
    principal: CurrentPrincipal,
    runtime: CurrentRuntime,
    page: PageNumber = 1,
    page_size: PageSize = 20,
) -> Answer[LogPage]:
    """List a session's steps, oldest first."""
    found = await service.read_logs(runtime, principal.user_id, session_id, page=page, page_size=page_size)
    return Answer(data=found)

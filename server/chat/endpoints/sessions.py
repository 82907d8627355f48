"""Sessions: `frontend/session/init`, `chat/new`, and what was said in them (D002, D009, W25)."""

from typing import Annotated

from fastapi import Depends, Query, Response

from server.chat.access import CurrentCaller
from server.chat.endpoints.router import chat_router
from server.chat.schemas import Created, History, Initialised, NewChat, SessionList, UserId
from server.chat.service import CurrentChat
from server.limits import limited
from server.paging import PageNumber, PageSize

router = chat_router("")

AskedUser = Annotated[UserId | None, Query(description="The user's id; not read where the login says who it is")]


@router.get("/frontend/session/init", dependencies=[Depends(limited("sessions"))])
async def init(response: Response, caller: CurrentCaller, chat: CurrentChat) -> Initialised:
    """Make a user and a first session."""
    response.headers["Cache-Control"] = "no-store"
    return await chat.sessions.init(caller)


@router.post("/chat/new", dependencies=[Depends(limited("sessions"))])
async def new(body: NewChat, response: Response, caller: CurrentCaller, chat: CurrentChat) -> Created:
    """Begin another conversation of the same user; also the right answer to status 440."""
    response.headers["Cache-Control"] = "no-store"
    return await chat.sessions.new(caller, body.user_id)


@router.get("/frontend/sessions")
async def list_page(
    caller: CurrentCaller, chat: CurrentChat, page: PageNumber = 1, page_size: PageSize = 20
) -> SessionList:
    """List one's sessions, newest first. Only with FRONTEND_AUTH=token: without a login their ids are secrets."""
    return await chat.sessions.listed(caller, page=page, page_size=page_size)


@router.get("/frontend/sessions/{session_id}/messages", response_model_exclude_none=True)
async def messages(
    session_id: str,
    caller: CurrentCaller,
    chat: CurrentChat,
    user_id: AskedUser = None,
    page: PageNumber = 1,
    page_size: PageSize = 100,
) -> History:
    """Read what was said, oldest first, and whether an answer is being written or a decision waited for."""
    return await chat.sessions.history(caller, session_id, user_id, page=page, page_size=page_size)

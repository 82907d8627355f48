"""Words become an offer; and what can be read: the tools, a session, its log."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

from core.errors import ColloquyError, Forbidden, NotFound, TimedOut
from db.models.interpret import InterpretSession
from server.auth.principal import Principal
from server.interpret import pending, repository, turns
from server.interpret.pending import Pending
from server.interpret.repository import Opened
from server.interpret.schemas import (
    InterpretRequest,
    LogPage,
    LogView,
    OfferBody,
    Request,
    Result,
    SessionView,
    ToolBody,
    UserView,
)
from server.paging import Pagination
from server.runs.model import Idempotency, RunResult, RunStatus
from server.runtime import Runtime

# How long a cancelled run may take to write its end before the answer goes out without it.
_CANCEL_SECONDS: Final = 0.7
_ENDED: Final = {"done": "executed", "failed": "failed"}


def check_user(principal: Principal, body: Request) -> UUID:
    """Return the caller's id.

    Raises:
        Forbidden: the body names somebody else (K21).
    """
    if body.user_id != str(principal.user_id):
        raise Forbidden("userId 与登录用户不一致")
    return principal.user_id


async def interpret(
    runtime: Runtime, user_id: UUID, body: InterpretRequest, idempotency: Idempotency | None
) -> OfferBody:
    """Make an offer of words, or a question; an offer that was pending is given up (B025).

    Raises:
        Busy: the session's last request is not finished (SESSION_BUSY).
        ModelFailed: the model gave no usable answer (MODEL_FAIL).
        TimedOut: the budget ran out; the run was cancelled.
    """
    async with interpreting(runtime, user_id, body.session_id) as opened:
        run_id = await turns.begin(runtime, user_id, opened.thread_id, {"text": body.text}, idempotency)
    result = await within_budget(runtime, user_id, run_id)
    if idempotency is not None:
        # It may be the answer that an earlier request has had: then nothing was interpreted.
        await _put_back(runtime, user_id, opened)
    return offer_of(result)


@asynccontextmanager
async def interpreting(runtime: Runtime, user_id: UUID, session_id: str) -> AsyncIterator[Opened]:
    """Give the user's session (a new one at the first request) and mark it as interpreting, unless the block fails."""
    async with runtime.database.transaction(user_id) as session:
        opened = await repository.open_session(session, user_id, session_id, runtime.ids.uuid(), "interpreting")
    try:
        yield opened
    except ColloquyError:
        await _put_back(runtime, user_id, opened)
        raise


async def _put_back(runtime: Runtime, user_id: UUID, opened: Opened) -> None:
    async with runtime.database.transaction(user_id) as session:
        await repository.put_back(session, user_id, opened, "interpreting")


async def within_budget(runtime: Runtime, user_id: UUID, run_id: UUID) -> RunResult:
    """Wait until words are interpreted.

    Raises:
        TimedOut: the budget ran out; the run was cancelled.
        ColloquyError: the run failed.
    """
    result = await runtime.engine.wait(user_id, run_id, runtime.settings.interpret_timeout_seconds)
    if not result.status.finished:
        await runtime.engine.cancel(user_id, run_id)
        result = await runtime.engine.wait(user_id, run_id, _CANCEL_SECONDS)
        # It may have come to its end between the deadline and the cancellation.
        if result.status == RunStatus.interrupted or not result.status.finished:
            await turns.note_failure(runtime, user_id, result, TimedOut.default_code)
            raise TimedOut("理解超时，请稍后重试")
    return await turns.settled(runtime, user_id, result)


def offer_of(result: RunResult) -> OfferBody:
    """Return what a turn came to: an offer, a question, or what ran at once."""
    output = result.output or {}
    offer: dict[str, Any] = output.get("offer", {})
    if output.get("status") in _ENDED:
        offer = {**offer, "type": _ENDED[output["status"]], "confirmText": output["report"]}
    elif output.get("status") == "executing":
        # What runs unconfirmed has stopped all the same: a tool has changed, or asks for something.
        offer = next((one.offer for one in pending.all_of(result.interrupts.values())), offer)
    return OfferBody.model_validate(offer)


async def read_user(runtime: Runtime, user_id: UUID) -> UserView:
    """Return the caller's user of this family, made at his first request (B035)."""
    async with runtime.database.transaction(user_id) as session:
        return UserView.model_validate(await repository.read_user(session, user_id))


async def list_tools(runtime: Runtime) -> list[ToolBody]:
    """Return the tools of all servers that can be reached, without those that are switched off (B031, G19)."""
    return [
        ToolBody(
            name=tool.name,
            description=tool.description,
            inputSchema=dict(tool.input_schema),
            server=tool.server,
        )
        for tool in await runtime.tools.tools()
    ]


async def read_session(runtime: Runtime, user_id: UUID, session_id: str) -> SessionView:
    """Return how a session stands.

    Raises:
        NotFound: there is none of that name, or it is another user's.
    """
    found = await _found(runtime, user_id, session_id)
    waits, values = await _standing(runtime, user_id, found.thread_id)
    return SessionView(
        session_id=found.session_id,
        # The workflow notes its end a moment before that is committed; until then there is no result to show.
        status="executing" if (found.status, values.get("status")) == ("done", "executing") else found.status,
        pending=waits[0].shown() if waits else None,
        result=Result(report=values["report"], data=values["data"]) if values.get("status") in _ENDED else None,
        created_at=found.created_at,
        updated_at=found.updated_at,
    )


async def _standing(runtime: Runtime, user_id: UUID, thread_id: UUID) -> tuple[tuple[Pending, ...], dict[str, Any]]:
    try:
        state = await runtime.engine.state(user_id, thread_id)
    except NotFound:
        # Its first run was not accepted.
        return (), {}
    return pending.all_of(state.interrupts), state.values


async def read_logs(runtime: Runtime, user_id: UUID, session_id: str, *, page: int, page_size: int) -> LogPage:
    """Return a page of a session's log, oldest first (B019).

    Raises:
        NotFound: there is none of that name, or it is another user's.
    """
    found = await _found(runtime, user_id, session_id)
    async with runtime.database.transaction(user_id) as session:
        rows, total = await repository.list_logs(
            session, user_id, found.id, limit=page_size, offset=(page - 1) * page_size
        )
    return LogPage(logs=[LogView.model_validate(row) for row in rows], pagination=Pagination.of(page, page_size, total))


async def _found(runtime: Runtime, user_id: UUID, session_id: str) -> InterpretSession:
    async with runtime.database.transaction(user_id) as session:
        found = await repository.find_session(session, user_id, session_id)
    if found is None:
        raise NotFound("会话不存在")
    return found

"""What all of the LangGraph Server protocol's endpoints share: their errors, their caller's parts, their answers."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Final, NoReturn
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, Response

from core.errors import ColloquyError, Forbidden
from server.auth.principal import Principal
from server.errors import family_router
from server.families import PLATFORM, Unprocessable
from server.runs.assistants import Assistants
from server.runs.encode import encode
from server.runs.long_states import LongStates
from server.runs.runs import Runs
from server.runs.thread_states import ThreadStates
from server.runs.threads import Threads
from server.runtime import CurrentRuntime, Runtime
from server.security import CurrentPrincipal

PROTOCOL: Final = replace(PLATFORM, name="langgraph", malformed=Unprocessable)
_REFUSALS: Final = (401, 403, 404, 409, 413, 422, 500, 501)


class NotOffered(ColloquyError):
    """The protocol has it, this server has not."""

    status = 501
    default_code = "NOT_OFFERED"


def protocol_router(prefix: str, *, secured: bool = True) -> APIRouter:
    """Return a router for one resource of the protocol: errors are `{"detail": sentence}`, a broken rule is 422."""
    return family_router(PROTOCOL, prefix, _REFUSALS if secured else (500, 503), secured=secured)


def refuse(sentence: str) -> NoReturn:
    """Answer for what the protocol has and this server has not.

    Raises:
        NotOffered: always.
    """
    raise NotOffered(sentence)


def answer(data: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Return `data`, which may hold whatever a graph's state holds, as JSON."""
    return Response(encode(data), media_type="application/json", headers=dict(headers or {}))


def pagination(total: int, next_offset: int | None) -> dict[str, str]:
    """Return the headers of a page: how many there are, and where the next page begins if there is one."""
    headers = {"X-Pagination-Total": str(total)}
    return headers if next_offset is None else headers | {"X-Pagination-Next": str(next_offset)}


async def caller(principal: CurrentPrincipal) -> UUID:
    """Return whose threads the request is about.

    Raises:
        Forbidden: the caller's threads are not for him to look into.
    """
    return owner_of(principal)


def owner_of(principal: Principal) -> UUID:
    """Return whose threads a caller may work on.

    A student's threads hold what his visitor hides from him: who logs in by e-mail uses his family's endpoints (G59).

    Raises:
        Forbidden: it is such a login, and no administrator's.
    """
    if principal.realm == "email" and not principal.is_admin:
        raise Forbidden("This login cannot use the LangGraph protocol.")
    return principal.user_id


async def _assistants(request: Request) -> Assistants:
    assistants: Assistants = request.app.state.assistants
    return assistants


def threads_of(runtime: Runtime, caller_key: bytes | None = None) -> Threads:
    """Return what an owner can do with threads; a key that is given is checked when one is made."""
    pool = runtime.database.pool
    return Threads(pool, runtime.lanes, runtime.ids, LongStates(pool, runtime.workflows, runtime.serde), caller_key)


async def _threads(runtime: CurrentRuntime) -> Threads:
    return threads_of(runtime)


async def _states(runtime: CurrentRuntime) -> ThreadStates:
    return ThreadStates(runtime.database.pool, runtime.workflows, runtime.serde)


async def _runs(runtime: CurrentRuntime) -> Runs:
    return Runs(runtime)


Caller = Annotated[UUID, Depends(caller)]
CurrentAssistants = Annotated[Assistants, Depends(_assistants)]
CurrentThreads = Annotated[Threads, Depends(_threads)]
CurrentRuns = Annotated[Runs, Depends(_runs)]
CurrentStates = Annotated[ThreadStates, Depends(_states)]
ThreadId = Annotated[UUID, Path(description="A UUID")]

"""`POST …/runs`, `…/runs/stream`, `…/runs/wait`: start a run, on a thread or without one (X016, X018, X019)."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Request, Response

from core.errors import Conflict, NotFound
from server.auth.principal import Principal
from server.by_hand import id_of, parsed
from server.errors import resolved
from server.idempotency import idempotency_of
from server.runs.assistants import Assistants
from server.runs.model import Idempotency
from server.runs.protocol.bodies import RunShown
from server.runs.protocol.routing import ThreadId, answer, owner_of, protocol_router
from server.runs.protocol.run_schemas import RunBody
from server.runs.protocol.streaming import JSON, SSE, Lasting, Result, frame
from server.runs.runs import Runs, Started
from server.runs.thread_states import HEAD
from server.runtime import runtime_of
from server.security import CurrentPrincipal, acting_principal, confirm

router = protocol_router("")


def _in_one(schema: Any, parts: dict[str, Any]) -> Any:
    """Return a JSON schema without references, which would point to nowhere inside of the documentation."""
    match schema:
        case {"$ref": str(name), **others}:
            return _in_one(parts[name.rpartition("/")[2]], parts) | others
        case dict():
            return {key: _in_one(value, parts) for key, value in schema.items() if key != "$defs"}
        case list():
            return [_in_one(item, parts) for item in schema]
    return schema


_SCHEMA: Final = RunBody.model_json_schema()
_BODY: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {JSON: {"schema": _in_one(_SCHEMA, _SCHEMA["$defs"])}}}
}
_STREAM: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {SSE: {}}}}


@dataclass(frozen=True)
class Starter:
    """Reads a request to run and starts it. The body is read by hand: these are the busiest routes there are."""

    request: Request
    owner_id: UUID
    assistants: Assistants
    runs: Runs
    idempotency: Idempotency | None
    new_id: UUID
    caller_key: bytes | None = None

    async def start(self, thread_id: UUID | None, *, kind: str) -> tuple[Started, RunBody]:
        """Start a run. `kind` is `create`, `stream` or `wait`."""
        asks = {"thread": thread_id, "stateless": thread_id is None, "background": kind == "create"}
        body = parsed(RunBody, await self.request.body(), asks)
        place_thread = thread_id or self.new_id
        asked = body.request(
            self.owner_id,
            place_thread,
            self.assistants.find(body.assistant_id).graph_id,
            idempotency=self.idempotency,
            stateless=thread_id is None,
            streams=kind != "wait",
            caller_key=self.caller_key,
        )
        place = body.place(place_thread)
        if place != HEAD:
            # The thread's history is read before anything is started.
            await confirm(self.request)
        return await self.runs.start(asked, place), body

    async def create(self, thread_id: UUID | None) -> Response:
        """Answer with the run, which goes on by itself."""
        started, _ = await self.start(thread_id, kind="create")
        try:
            run = await self.runs.read(started.owner_id, started.thread_id, started.run_id)
        except NotFound:
            raise Conflict("A later request has rolled this run back.", code="ROLLED_BACK") from None
        return answer(run, _headers(started, ""))

    async def stream(self, thread_id: UUID | None) -> Response:
        """Answer with the run's events, as they come."""
        started, body = await self.start(thread_id, kind="stream")
        return Lasting(
            _told(self.runs, started, is_last_word=thread_id is None),
            SSE,
            _headers(started, "/stream"),
            self._gone(started, body),
        )

    async def wait(self, thread_id: UUID | None) -> Response:
        """Answer with the state that the run leaves."""
        started, body = await self.start(thread_id, kind="wait")
        forget = partial(self.runs.forget, started) if thread_id is None else None
        return left(self.runs, started, _headers(started, "/join"), self._gone(started, body), forget)

    def _gone(self, started: Started, body: RunBody) -> Any:
        return (lambda: self.runs.abandon(started)) if body.on_disconnect == "cancel" else None


async def _starter(request: Request, principal: CurrentPrincipal) -> Starter:
    return await _starter_for(request, principal, None)


async def _starter_for(request: Request, principal: Principal, caller_key: bytes | None) -> Starter:
    runtime = runtime_of(request)
    return Starter(
        request=request,
        owner_id=owner_of(principal),
        assistants=request.app.state.assistants,
        runs=Runs(runtime),
        idempotency=await idempotency_of(request),
        new_id=runtime.ids.uuid(),
        caller_key=caller_key,
    )


Starting = Annotated[Starter, Depends(_starter)]


async def _without_thread(request: Request) -> dict[str, Any]:
    return {"starter": await _starter_for(request, *await acting_principal(request))}


async def _on_thread(request: Request) -> dict[str, Any]:
    return {"thread_id": id_of(request, "thread_id"), **await _without_thread(request)}


def _headers(started: Started, tail: str) -> dict[str, str]:
    # What clients take an interrupted answer up again with, and where they read the run's id.
    run = f"/threads/{started.thread_id}/runs/{started.run_id}"
    return {"Location": run + tail, "Content-Location": run}


async def _told(runs: Runs, started: Started, *, is_last_word: bool) -> AsyncIterator[bytes]:
    async for events in runs.events(started):
        yield b"".join(map(frame, events))
    if is_last_word:
        await runs.forget(started)


def left(
    runs: Runs,
    started: Started,
    headers: Mapping[str, str],
    on_gone: Callable[[], Awaitable[Any]] | None,
    then: Callable[[], Awaitable[Any]] | None = None,
) -> Result:
    """Answer with the state that a run leaves, when it is finished."""
    return Result(partial(runs.final, started), partial(runs.final_within, started), headers, on_gone, then)


@router.post("/threads/{thread_id}/runs", response_model=RunShown, openapi_extra=_BODY)
@resolved(_on_thread)
async def create(thread_id: ThreadId, starter: Starting) -> Response:
    """Start a run in the background."""
    return await starter.create(thread_id)


@router.post("/threads/{thread_id}/runs/stream", response_model=str, responses=_STREAM, openapi_extra=_BODY)
@resolved(_on_thread)
async def stream(thread_id: ThreadId, starter: Starting) -> Response:
    """Start a run and stream its events."""
    return await starter.stream(thread_id)


@router.post("/threads/{thread_id}/runs/wait", response_model=dict[str, Any], openapi_extra=_BODY)
@resolved(_on_thread)
async def wait(thread_id: ThreadId, starter: Starting) -> Response:
    """Start a run and wait for the state it leaves."""
    return await starter.wait(thread_id)


@router.post("/runs", response_model=RunShown, openapi_extra=_BODY)
@resolved(_without_thread)
async def create_stateless(starter: Starting) -> Response:
    """Start a run on a thread of its own, in the background."""
    return await starter.create(None)


@router.post("/runs/stream", response_model=str, responses=_STREAM, openapi_extra=_BODY)
@resolved(_without_thread)
async def stream_stateless(starter: Starting) -> Response:
    """Start a run on a thread of its own and stream its events."""
    return await starter.stream(None)


@router.post("/runs/wait", response_model=dict[str, Any], openapi_extra=_BODY)
@resolved(_without_thread)
async def wait_stateless(starter: Starting) -> Response:
    """Start a run on a thread of its own and wait for the state it leaves."""
    return await starter.wait(None)

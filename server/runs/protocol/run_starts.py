"""`POST …/runs`, `…/runs/stream`, `…/runs/wait`: start a run, on a thread or without one (X016, X018, X019)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from core.errors import Conflict, NotFound
from server.idempotency import RequestIdempotency
from server.runs.protocol.bodies import RunShown
from server.runs.protocol.routing import (
    Caller,
    CurrentAssistants,
    CurrentRuns,
    ThreadId,
    answer,
    protocol_router,
)
from server.runs.protocol.run_schemas import RunBody
from server.runs.protocol.streaming import JSON, SSE, Lasting, frame
from server.runs.runs import Runs, Started
from server.runtime import CurrentRuntime

router = protocol_router("")
_BODY: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": RunBody.model_json_schema()}}}
}
_STREAM: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {SSE: {}}}}


@dataclass(frozen=True)
class Starter:
    """Reads a request to run and starts it. The body is read by hand: these are the busiest routes there are."""

    request: Request
    owner_id: UUID
    assistants: CurrentAssistants
    runs: Runs
    idempotency: RequestIdempotency
    new_id: UUID

    async def start(self, thread_id: UUID | None, *, kind: str) -> tuple[Started, RunBody]:
        """Start a run. `kind` is `create`, `stream` or `wait`."""
        asks = {"thread": thread_id, "stateless": thread_id is None, "background": kind == "create"}
        try:
            body = RunBody.model_validate_json(await self.request.body(), context=asks)
        except ValidationError as error:
            # Fields that do not go together have no place of their own.
            problems = [{**problem, "loc": ("body", *(problem["loc"] or [""]))} for problem in error.errors()]
            raise RequestValidationError(problems) from None
        place_thread = thread_id or self.new_id
        asked = body.request(
            self.owner_id,
            place_thread,
            self.assistants.find(body.assistant_id).graph_id,
            idempotency=self.idempotency,
            stateless=thread_id is None,
            streams=kind != "wait",
        )
        return await self.runs.start(asked, body.place(place_thread)), body

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
        return Lasting(
            left(self.runs, started, is_last_word=thread_id is None),
            JSON,
            _headers(started, "/join"),
            self._gone(started, body),
        )

    def _gone(self, started: Started, body: RunBody) -> Any:
        return (lambda: self.runs.abandon(started)) if body.on_disconnect == "cancel" else None


async def _starter(
    request: Request,
    owner: Caller,
    assistants: CurrentAssistants,
    runs: CurrentRuns,
    idempotency: RequestIdempotency,
    runtime: CurrentRuntime,
) -> Starter:
    return Starter(request, owner, assistants, runs, idempotency, runtime.ids.uuid())


Starting = Annotated[Starter, Depends(_starter)]


def _headers(started: Started, tail: str) -> dict[str, str]:
    # What clients take an interrupted answer up again with, and where they read the run's id.
    run = f"/threads/{started.thread_id}/runs/{started.run_id}"
    return {"Location": run + tail, "Content-Location": run}


async def _told(runs: Runs, started: Started, *, is_last_word: bool) -> AsyncIterator[bytes]:
    async for event in runs.events(started):
        yield frame(event)
    if is_last_word:
        await runs.forget(started)


async def left(runs: Runs, started: Started, *, is_last_word: bool) -> AsyncIterator[bytes]:
    """Yield the state that a run leaves, when it is finished; after the last word a stateless run is forgotten."""
    yield (await runs.final(started)).encode()
    if is_last_word:
        await runs.forget(started)


@router.post("/threads/{thread_id}/runs", response_model=RunShown, openapi_extra=_BODY)
async def create(thread_id: ThreadId, starter: Starting) -> Response:
    """Start a run in the background."""
    return await starter.create(thread_id)


@router.post("/threads/{thread_id}/runs/stream", response_model=str, responses=_STREAM, openapi_extra=_BODY)
async def stream(thread_id: ThreadId, starter: Starting) -> Response:
    """Start a run and stream its events."""
    return await starter.stream(thread_id)


@router.post("/threads/{thread_id}/runs/wait", response_model=dict[str, Any], openapi_extra=_BODY)
async def wait(thread_id: ThreadId, starter: Starting) -> Response:
    """Start a run and wait for the state it leaves."""
    return await starter.wait(thread_id)


@router.post("/runs", response_model=RunShown, openapi_extra=_BODY)
async def create_stateless(starter: Starting) -> Response:
    """Start a run on a thread of its own, in the background."""
    return await starter.create(None)


@router.post("/runs/stream", response_model=str, responses=_STREAM, openapi_extra=_BODY)
async def stream_stateless(starter: Starting) -> Response:
    """Start a run on a thread of its own and stream its events."""
    return await starter.stream(None)


@router.post("/runs/wait", response_model=dict[str, Any], openapi_extra=_BODY)
async def wait_stateless(starter: Starting) -> Response:
    """Start a run on a thread of its own and wait for the state it leaves."""
    return await starter.wait(None)

"""`/threads`: conversations. Each belongs to the user who made it (X016)."""

from typing import Annotated, Any, NoReturn

from fastapi import Body, Header, Query, Request, Response

from core.errors import ColloquyError, Conflict
from server.by_hand import parsed
from server.errors import resolved
from server.families import Unprocessable
from server.runs.protocol.bodies import ThreadBody
from server.runs.protocol.routing import (
    Caller,
    CurrentStates,
    CurrentThreads,
    ThreadId,
    answer,
    owner_of,
    pagination,
    protocol_router,
    refuse,
    threads_of,
)
from server.runs.protocol.schemas import ThreadCount, ThreadCreate, ThreadPatch, ThreadPrune, ThreadSearch
from server.runs.thread_states import ThreadStates
from server.runtime import runtime_of
from server.security import acting_principal

router = protocol_router("/threads")


async def _creation(request: Request) -> dict[str, Any]:
    (principal, caller_key), runtime = await acting_principal(request), runtime_of(request)
    body = await request.body()
    return {
        "owner": owner_of(principal),
        "threads": threads_of(runtime, caller_key),
        "states": ThreadStates(runtime.database.pool, runtime.workflows, runtime.serde),
        "body": parsed(ThreadCreate, body) if body else None,
    }


@router.post("", response_model=ThreadBody)
@resolved(_creation)
async def create(
    owner: Caller,
    threads: CurrentThreads,
    states: CurrentStates,
    body: Annotated[ThreadCreate | None, Body()] = None,
) -> Response:
    """Make a thread; with `supersteps`, one that has that history."""
    asked = body or ThreadCreate()
    thread, made = await threads.create(
        owner, asked.thread_id, asked.metadata, or_existing=asked.if_exists == "do_nothing"
    )
    if not asked.supersteps:
        return answer(thread)
    if not made:
        raise Conflict("The thread exists already: supersteps are for a new one.", code="THREAD_EXISTS")
    thread_id = thread["thread_id"]
    try:
        for step in asked.supersteps:
            await states.update(owner, thread_id, step.as_updates())
    except ColloquyError:
        await threads.delete(owner, thread_id)
        raise
    return answer(await threads.read(owner, thread_id))


@router.post("/search", response_model=list[ThreadBody])
async def search(
    owner: Caller, threads: CurrentThreads, body: Annotated[ThreadSearch | None, Body()] = None
) -> Response:
    """List one's threads, those with news first."""
    asked = body or ThreadSearch()
    found = await threads.search(owner, asked.filter(), asked.page())
    return answer(found.threads, pagination(found.total, found.next_offset))


@router.post("/count")
async def count(owner: Caller, threads: CurrentThreads, body: Annotated[ThreadCount | None, Body()] = None) -> int:
    """Count one's threads."""
    return await threads.count(owner, (body or ThreadCount()).filter())


@router.post("/prune", response_model=dict[str, int])
async def prune(_owner: Caller, body: ThreadPrune) -> NoReturn:  # noqa: ARG001 - its form is checked
    """Not offered."""
    refuse("Threads cannot be pruned: delete them one by one.")


@router.get("/{thread_id}", response_model=ThreadBody)
async def get(
    thread_id: ThreadId,
    owner: Caller,
    threads: CurrentThreads,
    include: Annotated[str | None, Query(description="`ttl` is known; no thread has one")] = None,
) -> Response:
    """Return a thread."""
    if include and set(include.split(",")) != {"ttl"}:
        raise Unprocessable("include can name ttl only.")
    return answer(await threads.read(owner, thread_id))


@router.patch("/{thread_id}", response_model=ThreadBody, responses={204: {"description": "Prefer: return=minimal"}})
async def change(
    thread_id: ThreadId,
    owner: Caller,
    threads: CurrentThreads,
    body: ThreadPatch,
    prefer: Annotated[str | None, Header()] = None,
) -> Response:
    """Change the named keys of the metadata."""
    changed = await threads.merge_metadata(owner, thread_id, body.metadata)
    return Response(status_code=204) if prefer == "return=minimal" else answer(changed)


@router.delete("/{thread_id}", status_code=204)
async def delete(thread_id: ThreadId, owner: Caller, threads: CurrentThreads) -> None:
    """Delete a thread with all that belongs to it."""
    await threads.delete(owner, thread_id)


@router.post("/{thread_id}/copy", response_model=ThreadBody)
async def copy(thread_id: ThreadId, owner: Caller, threads: CurrentThreads) -> Response:
    """Copy a thread with its history, without its runs."""
    return answer(await threads.copy(owner, thread_id))

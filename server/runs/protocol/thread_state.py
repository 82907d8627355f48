"""`/threads/{thread_id}/state` and `/history`: what a thread holds, held, and should hold."""

from typing import Annotated

from fastapi import Body, Response
from langgraph.types import StateUpdate

from server.runs.protocol.bodies import StateBody, UpdatedBody
from server.runs.protocol.fields import Limit, Text
from server.runs.protocol.routing import Caller, CurrentStates, ThreadId, answer, protocol_router
from server.runs.protocol.state_schemas import HistorySearch, Select, StateAt, StateUpdateBody, select_from
from server.runs.thread_states import HEAD, Place

router = protocol_router("/threads/{thread_id}")


@router.get("/state", response_model=StateBody)
async def get_state(
    thread_id: ThreadId, owner: Caller, states: CurrentStates, *, subgraphs: bool = False, select: Select = None
) -> Response:
    """Return the newest state."""
    return answer(select_from(await states.read(owner, thread_id, HEAD, subgraphs=subgraphs), select))


@router.get("/state/{checkpoint_id}", response_model=StateBody)
async def get_state_at(
    thread_id: ThreadId,
    checkpoint_id: Text,
    owner: Caller,
    states: CurrentStates,
    *,
    subgraphs: bool = False,
    select: Select = None,
) -> Response:
    """Return the state at a checkpoint."""
    return answer(select_from(await states.read(owner, thread_id, Place(checkpoint_id), subgraphs=subgraphs), select))


@router.post("/state/checkpoint", response_model=StateBody)
async def post_state_at(thread_id: ThreadId, owner: Caller, states: CurrentStates, body: StateAt) -> Response:
    """Return the state at a checkpoint, a subgraph's too."""
    state = await states.read(owner, thread_id, body.checkpoint.place(thread_id), subgraphs=body.subgraphs)
    return answer(select_from(state, body.select))


@router.post("/state", response_model=UpdatedBody)
async def update_state(thread_id: ThreadId, owner: Caller, states: CurrentStates, body: StateUpdateBody) -> Response:
    """Change the state, as if `as_node` had returned `values`; from a checkpoint on, where one is given."""
    update = StateUpdate(body.values, body.as_node)  # type: ignore[arg-type]
    made = await states.update(owner, thread_id, [update], body.place(thread_id))
    return answer({"checkpoint": made, "configurable": made, "checkpoint_id": made["checkpoint_id"]})


@router.post("/history", response_model=list[StateBody])
async def post_history(
    thread_id: ThreadId, owner: Caller, states: CurrentStates, body: Annotated[HistorySearch | None, Body()] = None
) -> Response:
    """Return states, newest first."""
    asked = body or HistorySearch()
    found = await states.history(
        owner,
        thread_id,
        asked.checkpoint.place(thread_id) if asked.checkpoint else HEAD,
        limit=asked.limit,
        before=asked.before_id(thread_id),
        metadata=asked.metadata,
    )
    return answer([select_from(state, asked.select) for state in found])


@router.get("/history", response_model=list[StateBody])
async def get_history(
    thread_id: ThreadId, owner: Caller, states: CurrentStates, limit: Limit = 10, before: Text | None = None
) -> Response:
    """Return states, newest first."""
    return answer(await states.history(owner, thread_id, limit=limit, before=before))

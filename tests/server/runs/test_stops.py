"""Where a graph stops before its end, its thread waits; where a graph that a step calls by itself does, it does not."""

import json
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict

from core.settings import Settings
from server.runs.model import RunOptions, RunRequest, RunStatus, StreamMode
from server.runtime import Runtime


class State(TypedDict, total=False):
    n: int


def _one(node: Any, **compiled: Any) -> Any:
    return StateGraph(State).add_node("node", node).add_edge(START, "node").compile(**compiled)


async def ask(state: State) -> State:
    return {"n": interrupt("how many?")}


async def plain(state: State) -> State:
    return {"n": 1}


_OWN: Final[RunnableConfig] = {"configurable": {"thread_id": "its own"}}


def _calls(graph: Any, config: RunnableConfig | None) -> Any:
    async def call(state: State) -> State:
        await graph.ainvoke(state, config)
        return {"n": 2}

    return _one(call)


@entrypoint()
async def function(n: dict[str, int]) -> Any:
    return interrupt("how many?")


goes_on = _one(plain)
asks = _one(ask)
stops_before = _one(plain, interrupt_before=["node"])
stops_after = _one(plain, interrupt_after=["node"])
holds_one_that_asks = _one(asks)
holds_one_that_stops = _one(stops_before)
calls_one_that_asks = _calls(asks, None)
calls_one_that_stops = _calls(stops_before, None)
calls_another_that_asks = _calls(_one(ask, checkpointer=InMemorySaver()), _OWN)
calls_another_that_stops = _calls(_one(plain, checkpointer=InMemorySaver(), interrupt_before=["node"]), _OWN)

STOPS: Final = (
    *("asks", "stops_before", "stops_after", "holds_one_that_asks", "holds_one_that_stops"),
    *("calls_one_that_asks", "calls_one_that_stops", "function"),
)
GOES_ON: Final = ("goes_on", "calls_another_that_asks", "calls_another_that_stops")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    config = tmp_path / "langgraph.json"
    config.write_text(json.dumps({"graphs": {name: f"{__name__}:{name}" for name in (*STOPS, *GOES_ON)}}))
    return Settings.load({"ENV": "test", "COLLOQUY_CONFIG": str(config)}, dotenv=None)


async def left(runtime: Runtime, owner: UUID, workflow: str, *modes: StreamMode, **options: Any) -> str:
    """Run a graph; return how its thread is then."""
    asked = RunRequest(
        thread_id=uuid4(),
        owner_id=owner,
        workflow=workflow,
        input={"n": 0},
        stream_modes=modes,
        options=RunOptions(**options),
    )
    result = await runtime.engine.wait(owner, await runtime.engine.start(asked), 10)
    assert result.status == RunStatus.success
    async with runtime.system.pool.connection() as connection:
        cursor = await connection.execute("SELECT status FROM platform.threads WHERE id = %s", (asked.thread_id,))
        found = await cursor.fetchone()
    assert found is not None
    return str(found["status"])


@pytest.mark.parametrize("mode", ["values", "updates", "events"])
async def test_a_thread_waits_where_its_graph_has_stopped(runtime: Runtime, owner: UUID, mode: StreamMode) -> None:
    found = {name: await left(runtime, owner, name, mode) for name in (*STOPS, *GOES_ON)}
    assert found == dict.fromkeys(STOPS, "interrupted") | dict.fromkeys(GOES_ON, "idle")


@pytest.mark.parametrize("option", ["interrupt_before", "interrupt_after"])
async def test_a_thread_waits_where_its_graph_was_told_to_stop(runtime: Runtime, owner: UUID, option: str) -> None:
    for where in ("*", ["node"]):
        assert await left(runtime, owner, "goes_on", **{option: where}) == "interrupted"

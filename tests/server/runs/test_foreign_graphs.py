"""Other people's graphs under the engine's promises: their classes, their threads, their functions."""

import asyncio
import base64
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from core.settings import Settings
from server.runs.model import RunRequest, RunResult, RunStatus
from server.runs.thread_states import ThreadStates
from server.runs.workflows import with_saver
from server.runtime import Runtime, open_runtime
from server.threads import widen
from server.worker import running_worker
from tests.kit.imports import ORDERS, undone
from tests.server.runs.conftest import new_owner

KEY = base64.b64encode(bytes(32)).decode()


@pytest.fixture(autouse=True)
def _undone() -> Iterator[None]:
    with undone():
        yield


@pytest.fixture(params=["", KEY], ids=["plain", "encrypted"])
def settings(request: pytest.FixtureRequest) -> Settings:
    environ = {"ENV": "test", "COLLOQUY_CONFIG": str(ORDERS), "CHECKPOINT_KEY": request.param}
    return Settings.load(environ, dotenv=None)


@pytest.fixture
async def runtime(database_url: str, settings: Settings) -> AsyncIterator[Runtime]:
    widen(settings.worker_concurrency)
    async with open_runtime(settings, database_url) as runtime, running_worker(runtime):
        yield runtime


@pytest.fixture
async def owner(runtime: Runtime) -> UUID:
    return await new_owner(runtime)


def asked(owner: UUID, workflow: str, thread_id: UUID | None = None, **values: Any) -> RunRequest:
    return RunRequest(thread_id=thread_id or uuid4(), owner_id=owner, workflow=workflow, input=values)


async def result(runtime: Runtime, request: RunRequest) -> RunResult:
    return await runtime.engine.wait(request.owner_id, await runtime.engine.start(request), 20)


class TestClasses:
    async def test_instances_survive_checkpoint_and_resume(
        self, runtime: Runtime, owner: UUID, caplog: pytest.LogCaptureFixture
    ) -> None:
        request = asked(owner, "order", wish="3 pears")
        assert (await result(runtime, request)).status == RunStatus.success
        states = ThreadStates(runtime.database.pool, runtime.workflows, runtime.serde)
        shown = await states.read(owner, request.thread_id)
        assert shown["interrupts"][0]["value"] == {"lines": 1}
        line = sys.modules["orders.state"].Line(sku="pears", count=3)
        assert shown["values"]["lines"] == [line]
        assert all(state["values"].get("lines") in (None, [], [line]) for state in await self.history(states, request))
        state = await runtime.engine.state(owner, request.thread_id)
        assert state.values["lines"] == [{"sku": "pears", "count": 3}]
        # The last node reads an attribute of what came back from the database.
        run_id = await runtime.engine.resume(request, answer=True)
        done = await runtime.engine.wait(owner, run_id, 20)
        assert (done.status, done.output and done.output["total"]) == (RunStatus.success, 4.5)
        assert "Blocked deserialization" not in caplog.text

    async def history(self, states: ThreadStates, request: RunRequest) -> list[dict[str, Any]]:
        found = await states.history(request.owner_id, request.thread_id)
        assert len(found) > 2
        return found

    async def test_context_is_an_instance_of_theirs(self, runtime: Runtime) -> None:
        graph = with_saver(runtime.workflows["order"], InMemorySaver())
        config: Any = {"configurable": {"thread_id": "1"}}
        await graph.ainvoke({"wish": "2 figs"}, config)
        done = await graph.ainvoke(Command(resume=True), config, context={"discount": 0.5})
        assert done["total"] == 1.5


class TestThreads:
    async def test_sync_nodes_hold_up_nobody(self, runtime: Runtime, owner: UUID) -> None:
        begun = time.monotonic()
        waiting = [await runtime.engine.start(asked(owner, "order", wish="1 fig", seconds=1)) for _ in range(60)]
        others = [await result(runtime, asked(owner, "approve", text="a")) for _ in range(3)]
        assert [other.output for other in others] == [{"text": "A"}] * 3
        longest = await longest_pause(0.5)
        done = await asyncio.gather(*(runtime.engine.wait(owner, run, 20) for run in waiting))
        assert {run.status for run in done} == {RunStatus.success}
        # With asyncio's own few threads it would be 10 s and more.
        assert time.monotonic() - begun < 6
        assert longest < 0.3

    async def test_a_cancelled_run_does_not_wait_for_its_thread(self, runtime: Runtime, owner: UUID) -> None:
        run_id = await runtime.engine.start(asked(owner, "order", wish="1 fig", seconds=2))
        await asyncio.sleep(0.3)
        begun = time.monotonic()
        await runtime.engine.cancel(owner, run_id)
        done = await runtime.engine.wait(owner, run_id, 10)
        assert done.status == RunStatus.interrupted
        assert time.monotonic() - begun < 1

    async def test_a_sync_node_sees_what_is_bound_for_its_run(self, database_url: str, tmp_path: Path) -> None:
        (tmp_path / "agent.py").write_text(SEES_RESOURCES)
        config = tmp_path / "langgraph.json"
        config.write_text('{"graphs": {"agent": "./agent.py:builder"}}')
        settings = Settings.load({"ENV": "test", "COLLOQUY_CONFIG": str(config)}, dotenv=None)
        async with open_runtime(settings, database_url) as runtime, running_worker(runtime):
            done = await result(runtime, asked(await new_owner(runtime), "agent", bound=False))
            assert done.output == {"bound": True}


SEES_RESOURCES = """\
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict
from nodes.common.resources import resources
from nodes.call_summary.records import CallRecords

class State(TypedDict):
    bound: bool

def look(state: State) -> State:
    return {"bound": CallRecords in resources().repositories}

builder = StateGraph(State).add_node(look).add_edge(START, "look")
"""


async def longest_pause(seconds: float) -> float:
    """Return for how long, at the most, the loop did nothing for us."""
    loop = asyncio.get_running_loop()
    end, last, longest = loop.time() + seconds, loop.time(), 0.0
    while last < end:
        await asyncio.sleep(0.01)
        longest, last = max(longest, loop.time() - last), loop.time()
    return longest


class TestFunctions:
    async def test_a_graph_is_made_for_each_run_and_closed_after(self, runtime: Runtime, owner: UUID) -> None:
        requests = [asked(owner, "quote", pieces=1) for _ in range(2)]
        done = [await result(runtime, request) for request in requests]
        threads = [str(request.thread_id) for request in requests]
        assert [run.output and run.output["thread"] for run in done] == threads
        module = sys.modules["quote.graph"]
        assert [thread for thread in module.OPENED if thread] == threads
        assert [thread for thread in module.CLOSED if thread] == threads
        state = await runtime.engine.state(owner, requests[0].thread_id)
        assert state.values == {"pieces": 1, "thread": threads[0]}

    async def test_a_workflow_function_gives_what_it_returns(self, runtime: Runtime, owner: UUID) -> None:
        request = asked(owner, "greet", name="Li")
        output: Any = (await result(runtime, request)).output
        values: Any = (await runtime.engine.state(owner, request.thread_id)).values
        assert (output, values) == ("Hello LI", "Hello LI")

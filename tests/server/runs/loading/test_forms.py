"""What a langgraph.json may name, and where (issue: anyone's graphs)."""

import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from server.runs import workflows
from server.runs.model import Claim
from server.runs.workflows import Graph, WorkflowError
from tests.kit.imports import ORDERS
from tests.server.runs.loading.conftest import Logged, Write, graph_file

FACTORIES = {
    "no_argument": "def make():\n    return builder\n",
    "compiled": "def make():\n    return graph\n",
    "async_": "async def make():\n    return graph\n",
    "with_config": "def make(config):\n    config['configurable']\n    return graph\n",
    "async_with_config": "async def make(config):\n    config['configurable']\n    return builder\n",
    "own_default": "def make(text='x'):\n    assert text == 'x'\n    return builder\n",
    "context_manager": "from contextlib import contextmanager\n@contextmanager\ndef make():\n    yield graph\n",
    "async_context_manager": (
        "from contextlib import asynccontextmanager\n@asynccontextmanager\nasync def make(config):\n    yield builder\n"
    ),
}


def test_a_function_sees_the_runs_config(write: Write) -> None:
    make = "SEEN = []\ndef make(config):\n    SEEN.append(config['configurable'])\n    return graph\n"
    loaded = workflows.load(write({"agent.py": graph_file(after=make)}, graphs={"agent": "./agent.py:make"}))
    claimed = claim("agent", model="small", thread_id="another's")

    async def opened() -> None:
        async with loaded.opened(claimed):
            pass

    run(opened())
    ids = {"thread_id": str(claimed.thread_id), "run_id": str(claimed.run_id)}
    seen = sys.modules["agent"].SEEN
    assert seen == [{}, {"model": "small", **ids}]


async def invoked(graph: Graph) -> Any:
    return await graph.ainvoke({"text": ""})


def run(made: Awaitable[Any]) -> Any:
    import asyncio  # noqa: PLC0415 - the tests here have no loop: loading is for a thread without one

    async def wait() -> Any:
        return await made

    return asyncio.run(wait())


def test_a_project_of_every_form() -> None:
    loaded = workflows.load(ORDERS)
    assert list(loaded) == ["order", "approve", "quote", "greet"]
    assert all(graph.checkpointer is None for graph in loaded.values())
    assert loaded.description("quote") == "A price for a number of pieces."
    assert loaded.description("order") is None
    assert loaded["order"].name == "order"
    assert run(loaded["approve"].ainvoke({"text": "a"})) == {"text": "A"}


@pytest.mark.parametrize("form", FACTORIES)
def test_functions_make_graphs(write: Write, form: str) -> None:
    file = write({"agent.py": graph_file("made", after=FACTORIES[form])}, graphs={"agent": "./agent.py:make"})
    loaded = workflows.load(file)

    async def opened() -> Any:
        async with loaded.opened(claim("agent")) as graph:
            return await graph.ainvoke({"text": ""})

    assert run(opened()) == run(invoked(loaded["agent"])) == {"text": "made"}


def test_a_context_manager_cannot_swallow_what_ends_a_run(write: Write) -> None:
    make = (
        "from contextlib import asynccontextmanager\n@asynccontextmanager\nasync def make():\n"
        "    try:\n        yield graph\n    except Exception:\n        pass\n"
    )
    loaded = workflows.load(write({"agent.py": graph_file(after=make)}, graphs={"agent": "./agent.py:make"}))

    async def lost() -> None:
        async with loaded.opened(claim("agent")):
            raise LookupError

    with pytest.raises(LookupError):
        run(lost())


def test_two_files_of_one_name_and_relative_imports(write: Write) -> None:
    files = {f"{name}/graph.py": graph_file(before=f"from .words import {name}\n") for name in ("a", "b")}
    files |= {f"{name}/words.py": f"{name} = 1\n" for name in ("a", "b")}
    files |= {"b/__init__.py": ""}
    loaded = workflows.load(write(files, graphs={name: f"./{name}/graph.py:graph" for name in ("a", "b")}))
    assert run(invoked(loaded["a"])) == run(invoked(loaded["b"])) == {"text": ""}


def test_files_of_one_name_in_two_projects(write: Write) -> None:
    one = write({"agent.py": graph_file("one")}, "one", graphs={"first": "./agent.py:graph"})
    two = write({"agent.py": graph_file("two")}, "two", graphs={"second": "./agent.py:graph"})
    loaded = workflows.load(one, two)
    assert [run(invoked(graph)) for graph in loaded.values()] == [{"text": "one"}, {"text": "two"}]


def test_a_file_is_executed_once(write: Write) -> None:
    names = {"agent.py": graph_file(), "other.py": "import agent\n" + graph_file(), "my-agent.py": graph_file()}
    sources = {"a": "./agent.py:graph", "b": "./agent.py:graph", "c": "./other.py:graph", "d": "./my-agent.py:graph"}
    file = write(names, graphs=sources)
    workflows.load(file)
    again = workflows.load(file)
    schemas = {name: again[name].builder.state_schema for name in sources}  # type: ignore[attr-defined]
    assert schemas["a"] is schemas["b"] is sys.modules["agent"].State
    assert schemas["d"] is sys.modules["project__my_agent"].State


def test_a_checkpointer_is_replaced_and_a_store_kept_with_a_warning(write: Write, log: Logged) -> None:
    after = (
        "from langgraph.checkpoint.memory import InMemorySaver\nfrom langgraph.store.memory import InMemoryStore\n"
        "stored = builder.compile(checkpointer=InMemorySaver(), store=InMemoryStore())\n"
        "off = builder.compile(checkpointer=False)\n"
    )
    file = write({"agent.py": graph_file(after=after)}, graphs={"a": "./agent.py:stored", "b": "./agent.py:off"})
    loaded = workflows.load(file)
    assert [graph.checkpointer for graph in loaded.values()] == [None, None]
    assert loaded["a"].store is not None
    assert log().count("graph_checkpointer_replaced") == 2
    assert log().count("graph_store_kept") == 1
    attached = workflows.with_saver(loaded["b"], saver := InMemorySaver())
    assert attached.checkpointer is saver


def test_what_is_beside_ours(write: Write) -> None:
    theirs = write({"agent.py": graph_file()}, graphs={"agent": "./agent.py:graph"})
    ours = Path(workflows.__file__).parent.parent.parent / "langgraph.json"
    assert {"call_summary", "agent"} <= set(workflows.load(ours, theirs))
    assert list(workflows.load(theirs, theirs)) == ["agent"]
    other = write({"helper.py": graph_file()}, "other", graphs={"agent": "./helper.py:graph"})
    with pytest.raises(WorkflowError) as refused:
        workflows.load(theirs, other)
    assert str(theirs) in str(refused.value)
    assert str(other) in str(refused.value)


def claim(workflow: str, **configurable: Any) -> Claim:
    return Claim(
        run_id=uuid4(),
        thread_id=uuid4(),
        owner_id=uuid4(),
        workflow=workflow,
        request={"options": {"configurable": configurable}},
        fence=1,
        attempt=1,
        restarts_input=True,
        waited=0.0,
    )

"""`RemoteGraph`, LangGraph's own client of the protocol: by itself, and as a node of another graph."""

from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.pregel.remote import RemoteGraph
from langgraph.types import Command

from tests.server.runs.protocol.conftest import Person
from tests.server.runs.protocol.graphs import State

STEPS = ["first", "slow", "last"]


def remote(me: Person, graph: str) -> RemoteGraph:
    return RemoteGraph(graph, client=me.sdk)


async def config_of(me: Person) -> RunnableConfig:
    return {"configurable": {"thread_id": (await me.sdk.threads.create())["thread_id"]}}


async def test_invoke(me: Person) -> None:
    config = await config_of(me)
    assert (await remote(me, "steps").ainvoke({"seconds": 0}, config))["steps"] == STEPS
    assert (await remote(me, "steps").ainvoke({"seconds": 0}))["steps"] == STEPS


async def test_stream(me: Person) -> None:
    config = await config_of(me)
    parts: list[Any] = [
        part async for part in remote(me, "steps").astream({"seconds": 0}, config, stream_mode=["updates", "custom"])
    ]
    assert [part[0] for part in parts] == ["custom", "updates", "updates", "updates"]
    deep = remote(me, "nested").astream({"steps": []}, await config_of(me), stream_mode="values", subgraphs=True)
    namespaces = {namespace async for namespace, _ in deep}
    assert {len(namespace) for namespace in namespaces} == {0, 1}


async def test_an_interrupt_is_answered(me: Person) -> None:
    graph, config = remote(me, "approval"), await config_of(me)
    await graph.ainvoke({"steps": []}, config)
    state = await graph.aget_state(config)
    assert state.next == ("ask",)
    assert state.interrupts[0].value == {"question": "go on?"}
    answered: Any = await graph.ainvoke(Command(resume="yes"), config)
    assert answered["answer"] == "yes"


async def test_state(me: Person) -> None:
    graph, config = remote(me, "steps"), await config_of(me)
    await graph.ainvoke({"seconds": 0}, config)
    place = await graph.aupdate_state(config, {"steps": ["told"]}, as_node="first")
    state = await graph.aget_state(config)
    assert (state.values["steps"], state.next) == ([*STEPS, "told"], ("slow",))
    assert place["configurable"]["checkpoint_id"] == state.config["configurable"]["checkpoint_id"]
    history = [snapshot async for snapshot in graph.aget_state_history(config)]
    assert len(history) > len(STEPS)
    drawn = await graph.aget_graph()
    assert {"first", "slow", "last"} <= drawn.nodes.keys()


async def test_a_failure_is_one_here(me: Person) -> None:
    with pytest.raises(Exception, match="INTERNAL") as failure:
        await remote(me, "steps").ainvoke({"fail": True}, await config_of(me))
    assert "secret" not in str(failure.value)


async def test_as_a_node(me: Person) -> None:
    parent = StateGraph(State)
    parent.add_node("steps", remote(me, "steps"))
    parent.add_edge(START, "steps")
    parent.add_edge("steps", END)
    graph = parent.compile(checkpointer=InMemorySaver())
    config = await config_of(me)
    values = await graph.ainvoke({"steps": []}, config)
    assert values["steps"] == STEPS

"""Small graphs for the run engine: they count what they do in files, which survive any process."""

import asyncio
import operator
from pathlib import Path
from typing import Annotated, Any

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    log: str  # a file to which each node appends its name
    seconds: float
    fail: bool
    steps: Annotated[list[str], operator.add]
    answer: Any


async def _did(state: State, name: str) -> dict[str, Any]:
    if "log" in state:
        await asyncio.to_thread(_append, state["log"], name)
    return {"steps": [name]}


def _append(path: str, line: str) -> None:
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(line + "\n")


async def first(state: State) -> dict[str, Any]:
    get_stream_writer()({"type": "note", "text": "first"})
    return await _did(state, "first")


async def slow(state: State) -> dict[str, Any]:
    await asyncio.sleep(state.get("seconds", 0))
    if state.get("fail"):
        raise RuntimeError("secret detail")
    return await _did(state, "slow")


async def last(state: State) -> dict[str, Any]:
    return await _did(state, "last")


def ask(state: State) -> dict[str, Any]:
    return {"answer": interrupt({"question": "go on?"})}


def _chain(*nodes: Any) -> Any:
    builder = StateGraph(State)
    builder.add_sequence(list(nodes))
    builder.add_edge(START, nodes[0].__name__)
    builder.add_edge(nodes[-1].__name__, END)
    return builder.compile()


steps = _chain(first, slow, last)
approval = _chain(first, ask, last)

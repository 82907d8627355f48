"""A function that makes a graph for each run; a file of the same name as another's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

OPENED: list[str] = []
CLOSED: list[str] = []


class State(TypedDict, total=False):
    pieces: int
    thread: str


@asynccontextmanager
async def make(config: RunnableConfig) -> AsyncIterator[Any]:
    thread = config["configurable"].get("thread_id", "")
    OPENED.append(thread)

    def tell(state: State) -> State:
        return {"thread": thread}

    yield StateGraph(State).add_node(tell).add_edge(START, "tell")
    CLOSED.append(thread)

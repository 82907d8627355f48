"""Graphs for the protocol: one with a subgraph that stops in it, one with a context and a choice."""

import operator
from typing import Annotated, Any

from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

from tests.kit.graphs import approval


class State(TypedDict, total=False):
    steps: Annotated[list[str], operator.add]
    answer: Any


class Context(TypedDict, total=False):
    style: str


async def left(state: State) -> dict[str, Any]:
    return {"steps": ["left"]}


async def right(state: State) -> dict[str, Any]:
    return {"steps": ["right"]}


def choose(state: State) -> str:
    if "broken" in state["steps"]:
        raise RuntimeError("secret detail")
    return "right" if "right" in state["steps"] else "left"


_nested = StateGraph(State)
_nested.add_node("inner", approval)
_nested.add_node("after", left)
_nested.add_edge(START, "inner")
_nested.add_edge("inner", "after")
_nested.add_edge("after", END)
nested = _nested.compile()

_choice = StateGraph(State, context_schema=Context)
_choice.add_node("begin", left)
_choice.add_node("left", left)
_choice.add_node("right", right)
_choice.add_edge(START, "begin")
_choice.add_conditional_edges("begin", choose, ["left", "right"])
choice = _choice.compile()

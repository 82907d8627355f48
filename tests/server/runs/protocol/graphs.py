"""Graphs for the protocol: with a subgraph, with a context, with two questions at once, with a model."""

import operator
from typing import Annotated, Any

from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.runtime import get_runtime
from langgraph.types import interrupt
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


class Talk(TypedDict, total=False):
    messages: Annotated[list[Any], add_messages]
    seen: dict[str, Any]


async def talk(state: Talk, config: RunnableConfig) -> dict[str, Any]:
    """Answer as a model does that streams: chunk by chunk."""
    model = GenericFakeChatModel(messages=iter([AIMessage("one two three")]))
    return {"messages": [await model.ainvoke(state["messages"], config)]}


async def look(state: Talk, config: RunnableConfig) -> dict[str, Any]:
    """Tell what of the request reached the graph."""
    own = {name: value for name, value in config["configurable"].items() if not name.startswith("__")}
    seen = {"tags": config.get("tags"), "configurable": own, "context": get_runtime(Context).context}
    return {"seen": seen | {"metadata": dict(config["metadata"]), "limit": config["recursion_limit"]}}


_talking = StateGraph(Talk, context_schema=Context)
_talking.add_node("talk", talk)
_talking.add_node("look", look)
_talking.add_edge(START, "talk")
_talking.add_edge("talk", "look")
_talking.add_edge("look", END)
talking = _talking.compile()


def ask_left(state: State) -> dict[str, Any]:
    return {"steps": [f"left {interrupt('left?')}"]}


def ask_right(state: State) -> dict[str, Any]:
    return {"steps": [f"right {interrupt('right?')}"]}


_both = StateGraph(State)
_both.add_node("ask_left", ask_left)
_both.add_node("ask_right", ask_right)
_both.add_node("after", left)
_both.add_edge(START, "ask_left")
_both.add_edge(START, "ask_right")
_both.add_edge(["ask_left", "ask_right"], "after")
_both.add_edge("after", END)
both = _both.compile()

_wrapped = StateGraph(Talk)
_wrapped.add_node("inner", talking)
_wrapped.add_edge(START, "inner")
_wrapped.add_edge("inner", END)
wrapped = _wrapped.compile()

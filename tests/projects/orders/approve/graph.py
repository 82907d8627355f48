"""A compiled graph, with a checkpointer of its own."""

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict


class State(TypedDict, total=False):
    text: str
    seconds: float


async def shout(state: State) -> State:
    return {"text": state["text"].upper()}


graph = StateGraph(State).add_node(shout).add_edge(START, "shout").compile(checkpointer=InMemorySaver())

"""Graphs that keep conversations: messages that come, change and go; a subgraph with a memory of its own."""

from typing import Annotated, Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, RemoveMessage
from langgraph.channels.delta import DeltaChannel
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from typing_extensions import TypedDict


class Chat(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    asked: str
    turn: int


async def answer(state: Chat) -> dict[str, Any]:
    """Answer what was asked; some requests change what was said before."""
    messages, turn = state["messages"], state.get("turn", 0) + 1
    changed: dict[str, Any] = {"turn": turn, "asked": str(messages[-1].content)}
    match str(messages[-1].content).split():
        case ["forget", number]:
            return {**changed, "messages": [RemoveMessage(str(messages[int(number)].id))]}
        case ["rewrite", number]:
            return {**changed, "messages": [HumanMessage("rewritten", id=messages[int(number)].id)]}
        case ["spoil", number]:
            # Nothing says that the message changed.
            messages[int(number)].content = "spoilt"
            return {**changed, "messages": [AIMessage("done", id=f"ai-{turn}")]}
    return {**changed, "messages": [AIMessage(f"answer {turn}", id=f"ai-{turn}")]}


_chat = StateGraph(Chat)
_chat.add_node("answer", answer)
_chat.add_edge(START, "answer")
_chat.add_edge("answer", END)
chat = _chat.compile()


class Memory(TypedDict, total=False):
    asked: str
    heard: Annotated[list[str], lambda old, new: [*old, *new]]


async def hear(state: Memory) -> dict[str, Any]:
    return {"heard": [state["asked"]]}


_memory = StateGraph(Memory)
_memory.add_node("hear", hear)
_memory.add_edge(START, "hear")
_memory.add_edge("hear", END)
# It remembers over its calls, also over two in one run.
remembering = _memory.compile(checkpointer=True)


class Calls(TypedDict, total=False):
    asked: str
    round: int
    heard: list[str]


async def call(state: Calls) -> dict[str, Any]:
    number = state.get("round", 0) + 1
    found = await remembering.ainvoke({"asked": f"{state['asked']} {number}"})
    return {"heard": found["heard"], "round": number}


def twice(state: Calls) -> str:
    return END if state["round"] % 2 == 0 else "call"


_calls = StateGraph(Calls)
_calls.add_node("call", call)
_calls.add_edge(START, "call")
_calls.add_conditional_edges("call", twice, ["call", END])
calls = _calls.compile()


def _extend(said: list[str], more: list[list[str]]) -> list[str]:
    return [*said, *(line for lines in more for line in lines)]


class Deltas(TypedDict, total=False):
    said: Annotated[list[str], DeltaChannel(_extend)]


async def nod(state: Deltas) -> dict[str, Any]:
    return {"said": [f"heard {len(state['said'])}"]}


_deltas = StateGraph(Deltas)
_deltas.add_node("nod", nod)
_deltas.add_edge(START, "nod")
_deltas.add_edge("nod", END)
# Its values are spread over the checkpoints' pending writes.
deltas = _deltas.compile()

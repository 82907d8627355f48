"""What is measured: three steps, a stream of tokens, a wait, a conversation."""

import asyncio
import operator
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from typing_extensions import TypedDict

TOKENS = 25
TOKEN_SECONDS = 0.02
WAIT_SECONDS = 2.0


class State(TypedDict, total=False):
    steps: Annotated[list[str], operator.add]
    count: int


async def first(state: State) -> dict[str, Any]:
    return {"steps": ["first"], "count": 1}


async def second(state: State) -> dict[str, Any]:
    return {"steps": ["second"], "count": state["count"] + 1}


async def third(state: State) -> dict[str, Any]:
    return {"steps": ["third"], "count": state["count"] + 1}


three_steps = StateGraph(State)
three_steps.add_sequence([first, second, third])
three_steps.add_edge(START, "first")
three_steps.add_edge("third", END)
three = three_steps.compile()


async def wait(state: State) -> dict[str, Any]:
    await asyncio.sleep(WAIT_SECONDS)
    return {"count": 1}


_waiting = StateGraph(State)
_waiting.add_node("wait", wait)
_waiting.add_edge(START, "wait")
_waiting.add_edge("wait", END)
waiting = _waiting.compile()


class Chat(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]


class Clock(BaseChatModel):
    """Says what time it is, in a token each TOKEN_SECONDS: who reads it knows how long it took."""

    @property
    def _llm_type(self) -> str:
        return "clock"

    def _generate(self, *_args: Any, **_kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content="now"))])

    async def _astream(self, *_args: Any, **_kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        for number in range(TOKENS):
            if number:
                await asyncio.sleep(TOKEN_SECONDS)
            yield ChatGenerationChunk(message=AIMessageChunk(content=f"{time.time()} "))


async def tell(state: Chat) -> dict[str, Any]:
    return {"messages": [await Clock().ainvoke(state["messages"])]}


_telling = StateGraph(Chat)
_telling.add_node("tell", tell)
_telling.add_edge(START, "tell")
_telling.add_edge("tell", END)
telling = _telling.compile()

REPLY = "Thank you for the details; I have noted them and will come back to you with a proposal tomorrow morning. " * 2


async def reply(state: Chat) -> dict[str, Any]:
    return {"messages": [AIMessage(content=REPLY)]}


_chat = StateGraph(Chat)
_chat.add_node("reply", reply)
_chat.add_edge(START, "reply")
_chat.add_edge("reply", END)
chat = _chat.compile()

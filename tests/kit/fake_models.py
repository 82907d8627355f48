"""Chat models in the process, for the tests of nodes and graphs."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field

from core.roles import Role

TOKENS_A_CALL = 10
Reply = str | Exception
Script = Callable[[list[BaseMessage]], Reply]


class FakeChatModel(BaseChatModel):
    """Answers by a function; notes what it was asked; streams in pieces of three characters."""

    script: Script
    asked: list[list[BaseMessage]] = Field(default_factory=list)
    break_after: int | None = None
    seconds: float = 0

    @property
    def _llm_type(self) -> str:
        return "fake"

    def _reply(self, messages: list[BaseMessage]) -> str:
        self.asked.append(messages)
        reply = self.script(messages)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        message = AIMessage(self._reply(messages), usage_metadata=_usage())
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        await asyncio.sleep(self.seconds)
        return self._generate(messages)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        text = self._reply(messages)
        for number, start in enumerate(range(0, len(text), 3)):
            if number == self.break_after:
                self.break_after = None
                raise ConnectionResetError
            yield ChatGenerationChunk(message=AIMessageChunk(content=text[start : start + 3]))
        yield ChatGenerationChunk(message=AIMessageChunk(content="", usage_metadata=_usage(), chunk_position="last"))


class FakeModels:
    """Every role gets the same model."""

    def __init__(self, model: BaseChatModel, max_attempts: int = 3) -> None:
        self.model = model
        self.max_attempts = max_attempts

    async def chat(self, role: Role) -> BaseChatModel:
        return self.model


def _usage() -> Any:
    return {"input_tokens": TOKENS_A_CALL - 3, "output_tokens": 3, "total_tokens": TOKENS_A_CALL}

"""Whole answers only: what the clients let pass, or report like errors of our own code, becomes `BrokenAnswer` (X027).

Three things reach the clients with status 200 and are no answer: a page of a proxy, JSON of another shape, and a stream
that ends in good order before the model did. The clients answer the first two with a bare ValueError, TypeError or
IndexError, or with an empty text, and the third with the half.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from json import JSONDecodeError
from typing import Any, ClassVar, Final, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.exceptions import LangChainException, ModelError
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

STUMBLED: Final = (ValueError, TypeError, LookupError, AttributeError)
# Some errors that say what happened (bad JSON, a refused request) are ValueErrors as well.
TELLING: Final = (ModelError, LangChainException, JSONDecodeError)
FORMLESS: Final = "The model's answer has not the form of one."


class BrokenAnswer(Exception):
    """The vendor's status was 200, but what came is no answer, or not the whole of one."""


class Whole(BaseChatModel):
    """Mixed into a client's class: each answer is one that the vendor finished, or an error.

    A request that the client itself cannot put into the vendor's form ends as BrokenAnswer too; its cause tells.
    """

    own_error: ClassVar[type[Exception]]
    """What the client's errors have in common: they say what happened."""

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        try:
            result = await super()._agenerate(messages, stop, run_manager, **kwargs)
        except STUMBLED as error:
            if isinstance(error, (*TELLING, self.own_error)):
                raise
            raise BrokenAnswer(FORMLESS) from error
        given = result.generations
        if not any(each.message.content or _finished(each, result.llm_output) for each in given):
            raise BrokenAnswer("The model's answer is empty, and no reason is given.")
        return result

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncGenerator[ChatGenerationChunk]:
        stream = cast(
            AsyncGenerator[ChatGenerationChunk], super()._astream(messages, stop, run_manager=run_manager, **kwargs)
        )
        finished = False
        # Who stops listening closes the connection with it, not the garbage collector some time later.
        async with aclosing(stream):
            try:
                async for chunk in stream:
                    finished = finished or _finished(chunk)
                    yield chunk
            except STUMBLED as error:
                if isinstance(error, (*TELLING, self.own_error)):
                    raise
                raise BrokenAnswer(FORMLESS) from error
        if not finished:
            raise BrokenAnswer("The model's stream ended before its answer did.")


def _finished(generation: ChatGeneration, output: dict[str, Any] | None = None) -> bool:
    # A prompt that Gemini blocks is answered by its feedback alone.
    told = (generation.generation_info, generation.message.response_metadata, output)
    return any(
        info.get("finish_reason") or (info.get("prompt_feedback") or {}).get("block_reason") for info in told if info
    )

"""The one retry policy for model calls (X027): no client and no node retries by itself."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar, cast

import structlog
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from core.errors import ModelFailed
from core.roles import Role
from nodes.common.resources import resources
from providers.failures import is_model_error, is_retryable, retry_after
from providers.images.model import Painter

T = TypeVar("T")

log = structlog.get_logger(__name__)

_BACKOFF: Final = wait_exponential_jitter(initial=0.2, max=2, jitter=0.2)
# A vendor may ask for minutes; nobody who talks to us waits that long.
_LONGEST_WAIT: Final = 5.0


@dataclass(frozen=True)
class Answer:
    """What a model answered, and the tokens of the request and the answer together (0 where it did not say)."""

    text: str
    total_tokens: int


@dataclass
class _Call:
    """One call of a model and its attempts so far."""

    role: Role
    model: BaseChatModel
    messages: Sequence[BaseMessage]
    on_text: Callable[[str], None] | None
    on_restart: Callable[[], None] | None
    attempts: int = 0
    told: bool = False

    async def attempt(self) -> Answer:
        self.attempts += 1
        if self.told and self.on_restart is not None:
            self.on_restart()
        self.told = False
        try:
            message = await (self._whole() if self.on_text is None else self._streamed(self.on_text))
        except Exception as error:
            log.warning("model_attempt_failed", role=self.role, attempt=self.attempts, error=type(error).__name__)
            raise
        return Answer(str(message.text), message.usage_metadata["total_tokens"] if message.usage_metadata else 0)

    async def _whole(self) -> AIMessage:
        return await self.model.ainvoke(list(self.messages))

    async def _streamed(self, on_text: Callable[[str], None]) -> AIMessage:
        whole = AIMessageChunk(content="")
        stream = cast(AsyncGenerator[AIMessageChunk, Any], self.model.astream(list(self.messages)))
        # A listener that has heard enough raises: the vendor is to stop then, not when the garbage is collected.
        async with aclosing(stream):
            async for chunk in stream:
                whole += chunk
                if text := str(chunk.text):
                    self.told = True
                    on_text(text)
        return whole


async def ask(
    role: Role,
    messages: Sequence[BaseMessage],
    *,
    on_text: Callable[[str], None] | None = None,
    on_restart: Callable[[], None] | None = None,
    attempts: int | None = None,
) -> Answer:
    """Ask the role's model, again when it is worth it: 429, 5xx, time-outs and broken connections.

    Chat's roles are asked of the fallback model then, where one is configured (G43).

    Args:
        role: whose model is asked.
        messages: the conversation, oldest first.
        on_text: is given the answer piece by piece while it comes.
        on_restart: is called before the answer begins anew, when an attempt broke off after pieces were given.
        attempts: in place of the models' own number, for who counts attempts too and must not multiply them.

    Raises:
        ModelFailed: no attempt brought an answer; its cause is the last error.
    """
    models = resources().models
    most = attempts or models.max_attempts
    call = _Call(role, await models.chat(role), messages, on_text, on_restart)
    try:
        return await retried(call.attempt, most)
    except ModelFailed:
        if (fallback := models.fallback(role)) is None:
            raise
    log.warning("model_fallback", role=role)
    call.role, call.model = fallback, await models.chat(fallback)
    return await retried(call.attempt, most)


async def attempted(role: Role, attempt: Callable[[], Awaitable[T]]) -> T:
    """Do what is no chat with the role's model (an upload, a picture), again when it is worth it.

    Raises:
        ModelFailed: no attempt succeeded; its cause is the last error.
    """

    async def told() -> T:
        try:
            return await attempt()
        except Exception as error:
            log.warning("model_attempt_failed", role=role, error=type(error).__name__)
            raise

    return await retried(told, resources().models.max_attempts)


async def paint(painter: Painter, description: str) -> bytes:
    """Have a picture painted, again when it is worth it; return it as it came.

    Raises:
        ModelFailed: no attempt brought a picture; its cause is the last error.
    """
    return await attempted("image", partial(painter.paint, description))


async def retried(attempt: Callable[[], Awaitable[T]], most: int) -> T:
    """Do what asks a model, also outside of a run, again when it is worth it, `most` times in all.

    Raises:
        ModelFailed: no attempt succeeded; its cause is the last error.
    """

    async def once() -> T:
        return await attempt()

    retrying = AsyncRetrying(
        stop=stop_after_attempt(most), retry=retry_if_exception(is_retryable), wait=_wait, reraise=True
    )
    try:
        return await retrying(once)
    except Exception as error:
        if is_model_error(error):
            raise ModelFailed("模型暂时不可用，请稍后再试") from error
        raise


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = retry_after(error) if error else None
    return max(_BACKOFF(state), min(asked or 0.0, _LONGEST_WAIT))

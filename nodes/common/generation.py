"""Generate, validate, retry: one budget of attempts for answers in a bad form and for failing providers (G68, K26)."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Literal, TypeVar

import structlog
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from core.errors import ModelFailed
from core.roles import Role
from nodes.common.attempts import ask
from nodes.common.prompts import Prompt
from nodes.common.structured import Unusable
from providers.failures import is_retryable

__all__ = ["ATTEMPTS", "CALL_SECONDS", "Generated", "Unusable", "generate"]

T = TypeVar("T")

ATTEMPTS: Final = 3
"""In all, the first one counted (K26)."""
CALL_SECONDS: Final = 30.0
"""For one model call (K14)."""
# Between a provider's failure and the next attempt; after a bad answer there is nothing to wait for.
_PAUSE: Final = 0.2
_LONGEST_SHOWN: Final = 4000

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Generated(Generic[T]):
    """What came of the attempts.

    Attributes:
        value: what the first valid answer said; None when no attempt brought one.
        attempts: how many calls were made.
        invalid: the answers that could not be used, oldest first.
        failure: what the last attempt failed by; None when there is a value.
    """

    value: T | None
    attempts: int
    invalid: list[str]
    failure: Literal["format", "provider"] | None


async def generate(
    role: Role,
    question: Sequence[BaseMessage],
    read: Callable[[str], T],
    *,
    repair: Prompt,
    call_seconds: float = CALL_SECONDS,
) -> Generated[T]:
    """Ask the role's model until an answer can be read, at most `ATTEMPTS` times.

    After an answer that cannot be read, the model sees it and what is wrong with it. A failure of the provider takes an
    attempt too; one that another attempt cannot mend (a refused request, a bad key) takes the rest (X027).

    Args:
        role: whose model is asked.
        question: the conversation; the form of the answer is described in it.
        read: returns the value of an answer, or raises Unusable.
        repair: the message after an invalid answer, with the place `$wrong`.
        call_seconds: the limit of one call.
    """
    invalid: list[str] = []
    messages = list(question)
    failure: Literal["format", "provider"] = "provider"
    attempt = 0
    while attempt < ATTEMPTS:
        attempt += 1
        try:
            async with asyncio.timeout(call_seconds):
                answer = (await ask(role, messages, attempts=1)).text
        except (ModelFailed, TimeoutError) as error:
            failure = "provider"
            log.warning("generation_attempt_failed", role=role, attempt=attempt, error=type(error).__name__)
            # The cause of our own time-out is the cancelled call, which says nothing.
            if isinstance(error, ModelFailed) and not is_retryable(error.__cause__ or error):
                break
            if attempt < ATTEMPTS:
                await asyncio.sleep(_PAUSE * 2 ** (attempt - 1))
            continue
        try:
            return Generated(read(answer), attempt, invalid, None)
        except Unusable as unusable:
            failure = "format"
            invalid.append(answer)
            log.warning("generation_attempt_invalid", role=role, attempt=attempt)
            messages = _about(question, answer, str(unusable), repair)
    return Generated(None, attempt, invalid, failure)


def _about(question: Sequence[BaseMessage], answer: str, wrong: str, repair: Prompt) -> list[BaseMessage]:
    # Vendors refuse an empty turn of the model.
    given = [AIMessage(answer[:_LONGEST_SHOWN])] if answer.strip() else []
    return [*question, *given, HumanMessage(repair.render(wrong=wrong))]

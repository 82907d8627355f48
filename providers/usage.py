"""Who used which model for what, how many tokens it took, and how long."""

import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from providers.models import MODEL_KEY, ROLE_KEY

_NOT_OURS = "unknown"


@dataclass(frozen=True, kw_only=True)
class Usage:
    """One model call. One that failed has no tokens that we know of."""

    role: str
    model: str
    input_tokens: int
    output_tokens: int
    latency_ms: int
    failed: bool = False


@dataclass(frozen=True)
class _Started:
    role: str
    model: str
    at: float


class UsageCollector(AsyncCallbackHandler):
    """A LangChain callback that notes every call of one run, streamed or not.

    A call that is cut off by a cancellation is noted as failed, with what it took until then.
    """

    # A graph's steps are chains to LangChain; there is nothing to note about them.
    ignore_chain = True
    # It only notes: a task for each event of each step would take longer.
    run_inline = True

    def __init__(self) -> None:
        self._started: dict[UUID, _Started] = {}
        self._ended: list[Usage] = []

    def drain(self) -> list[Usage]:
        """Return what was noted since the last time."""
        ended, self._ended = self._ended, []
        return ended

    async def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Note the role and the time."""
        known = metadata or {}
        self._started[run_id] = _Started(
            known.get(ROLE_KEY, _NOT_OURS), known.get(MODEL_KEY, _NOT_OURS), time.perf_counter()
        )

    async def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """Note the tokens."""
        generation = response.generations[0][0] if response.generations and response.generations[0] else None
        tokens = getattr(generation.message, "usage_metadata", None) if isinstance(generation, ChatGeneration) else None
        self._end(run_id, tokens or {}, failed=False)

    async def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Note the failure."""
        self._end(run_id, {}, failed=True)

    def _end(self, run_id: UUID, tokens: dict[str, Any], *, failed: bool) -> None:
        if (started := self._started.pop(run_id, None)) is None:
            return
        self._ended.append(
            Usage(
                role=started.role,
                model=started.model,
                input_tokens=tokens.get("input_tokens", 0),
                output_tokens=tokens.get("output_tokens", 0),
                latency_ms=round((time.perf_counter() - started.at) * 1000),
                failed=failed,
            )
        )

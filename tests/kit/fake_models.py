"""Chat models that answer from a script, and note what they were asked."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import PrivateAttr

from core.roles import Role
from providers.images.model import Cards, Painter
from providers.speech.model import AudioInput

# Of an answer without end; each chunk is merged into what came before.
_MOST_CHUNKS = 1000


@dataclass(frozen=True)
class Breaks:
    """An answer whose stream breaks off with an error after `text`."""

    error: Exception
    text: str = ""


Reply = str | Breaks | AIMessage
Script = Reply | Callable[[Sequence[BaseMessage]], Reply]


class ScriptedModel(BaseChatModel):
    """Answers in turn; the last answer is repeated. Each whole answer takes `tokens` tokens."""

    tokens: int = 10
    chunk: int = 3
    _script: list[Script] = PrivateAttr()
    _requests: list[list[BaseMessage]] = PrivateAttr(default_factory=list)

    def __init__(self, *script: Script, **limits: Any) -> None:
        super().__init__(**limits)
        self._script = list(script)

    @property
    def requests(self) -> list[list[BaseMessage]]:
        return self._requests

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _next(self, messages: list[BaseMessage]) -> Reply:
        self._requests.append(messages)
        chosen = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        return chosen(messages) if callable(chosen) else chosen

    @property
    def _usage(self) -> UsageMetadata:
        return UsageMetadata(input_tokens=self.tokens - 1, output_tokens=1, total_tokens=self.tokens)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        reply = self._next(messages)
        if isinstance(reply, Breaks):
            raise reply.error
        message = reply if isinstance(reply, AIMessage) else AIMessage(reply, usage_metadata=self._usage)
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return self._generate(messages)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        reply = self._next(messages)
        text = reply.text if isinstance(reply, Breaks) else str(getattr(reply, "text", reply))
        size = max(self.chunk, len(text) // _MOST_CHUNKS)
        for start in range(0, len(text), size):
            yield ChatGenerationChunk(message=AIMessageChunk(content=text[start : start + size]))
        if isinstance(reply, Breaks):
            raise reply.error
        yield ChatGenerationChunk(message=AIMessageChunk(content="", usage_metadata=self._usage))


@dataclass
class FakeAudio:
    """Lends a file as its size and media type; `held` is how many are lent now, `most_held` how many were at once."""

    media_types: frozenset[str] = frozenset({"audio/mpeg"})
    most_bytes: int = 14 * 1024 * 1024
    lent: list[tuple[int, str]] = field(default_factory=list)
    held: int = 0
    most_held: int = 0

    @asynccontextmanager
    async def attached(self, path: Path, media_type: str) -> AsyncIterator[dict[str, Any]]:
        size = (await asyncio.to_thread(path.stat)).st_size
        self.lent.append((size, media_type))
        self.held += 1
        self.most_held = max(self.most_held, self.held)
        try:
            yield {"type": "text", "text": f"({size} bytes of {media_type})"}
        finally:
            self.held -= 1


@dataclass
class FakeModels:
    """One model for every role."""

    model: BaseChatModel
    max_attempts: int = 3
    roles: list[Role] = field(default_factory=list)
    audio: AudioInput | None = None

    def fallback(self, role: Role) -> Role | None:
        return None

    async def painter(self) -> Painter | Cards | None:
        return None

    async def chat(self, role: Role) -> BaseChatModel:
        self.roles.append(role)
        return self.model

    def audio_input(self, role: Role) -> AudioInput | None:
        return self.audio


class RoleModels:
    """A scripted model for each role that has a script; a role without one is not expected to be asked."""

    def __init__(
        self,
        scripts: Mapping[Role, Script | Sequence[Script]],
        max_attempts: int = 1,
        audio: AudioInput | None = None,
        paints: Painter | Cards | None = None,
    ) -> None:
        self.max_attempts = max_attempts
        self.audio = audio
        self.paints = paints
        self._models = {
            role: ScriptedModel(*(script if isinstance(script, list | tuple) else [script]))
            for role, script in scripts.items()
        }

    def fallback(self, role: Role) -> Role | None:
        return "fallback" if "fallback" in self._models else None

    async def painter(self) -> Painter | Cards | None:
        return self.paints

    async def chat(self, role: Role) -> BaseChatModel:
        return self._models[role]

    def audio_input(self, role: Role) -> AudioInput | None:
        return self.audio

    def requests(self, role: Role) -> list[list[BaseMessage]]:
        """Return what the role's model was asked."""
        return self._models[role].requests if role in self._models else []

    def calls(self) -> dict[Role, int]:
        """Return how often each role was asked, without those that never were."""
        return {role: len(model.requests) for role, model in self._models.items() if model.requests}

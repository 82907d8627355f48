"""The offline model: plain rules over the real input, under the name `offline`. It is no language model."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from core.roles import Role
from core.settings import OFFLINE
from providers.offline.counseling.activity import write_activity
from providers.offline.counseling.diary import write_diary
from providers.offline.counseling.memory import write_memory
from providers.offline.counseling.reply import answer_as_visitor
from providers.offline.deep.analysis import analyse
from providers.offline.deep.intent import recognise
from providers.offline.deep.judgement import judge
from providers.offline.deep.plan import plan
from providers.offline.deep.quick import reply
from providers.offline.deep.story import tell
from providers.offline.deep.text import write
from providers.offline.instructions.match import plan_calls
from providers.offline.review.review import review
from providers.offline.strategy.advise import advise
from providers.offline.strategy.fusion import fuse
from providers.offline.strategy.scene import recognise_scene
from providers.offline.summary import summarise

Rule = Callable[[Sequence[BaseMessage]], str]

# What it can do; everything else it refuses.
RULES: Final[dict[Role, Rule]] = {
    "summary": summarise,
    "review": review,
    "scene": recognise_scene,
    "strategy": advise,
    "fuse": fuse,
    "interpret": plan_calls,
    "diary": write_diary,
    "activity": write_activity,
    "ltm": write_memory,
    "reply": answer_as_visitor,
    "fast": reply,
    "intent": recognise,
    "planning": plan,
    "analysis": analyse,
    "content_generation": write,
    "evaluation": judge,
    "narrative": tell,
}
_CHUNK: Final = 16
_MODEL: Final = {"model_name": OFFLINE}


class OfflineRefusal(Exception):
    """There is no rule for a role, and nothing is invented instead."""

    def __init__(self, role: Role) -> None:
        super().__init__(f"The offline model cannot do `{role}`. Set MODEL_{role.upper()} to a language model.")


class OfflineChatModel(BaseChatModel):
    """Answers a role by its rule. It uses no tokens, and says so."""

    role: Role

    @property
    def _llm_type(self) -> str:
        return OFFLINE

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        message = AIMessage(self._answer(messages), response_metadata=_MODEL, usage_metadata=_no_tokens())
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
        text = self._answer(messages)
        for start in range(0, len(text), _CHUNK):
            part = text[start : start + _CHUNK]
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=part))
            if run_manager is not None:
                await run_manager.on_llm_new_token(part, chunk=chunk)
            yield chunk
        last = AIMessageChunk(content="", response_metadata=_MODEL, usage_metadata=_no_tokens(), chunk_position="last")
        yield ChatGenerationChunk(message=last)

    def _answer(self, messages: Sequence[BaseMessage]) -> str:
        rule = RULES.get(self.role)
        if rule is None:
            raise OfflineRefusal(self.role)
        return rule(messages)


def _no_tokens() -> UsageMetadata:
    return UsageMetadata(input_tokens=0, output_tokens=0, total_tokens=0)

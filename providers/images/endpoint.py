"""OpenAI's images endpoint (`POST /images/generations`) as a chat model, so that usage is noted as for any other.

The picture is in the answer (`b64_json`). An address in an answer is never fetched: it could be any host's.
"""

from typing import Any, Final

import httpx
import openai
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from openai.types import ImagesResponse
from pydantic import ConfigDict, SecretStr

from providers.answers import BrokenAnswer
from providers.images.bounds import PLAIN, bounded
from providers.tls import trusted

# Every model and server knows this one.
_SIZE: Final = "1024x1024"


class ImagesEndpoint(BaseChatModel):
    """Answers a description with one picture, as a content block `image` with base64.

    Attributes:
        names_format: whether `response_format` is sent: OpenAI's present models refuse it and always answer base64,
            older ones and other servers answer with an address where it is not sent.
        client: retries nothing by itself.
        http_async_client: the client's connections; closed by whoever made this.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    model: str
    names_format: bool
    client: openai.AsyncOpenAI
    http_async_client: httpx.AsyncClient

    @property
    def _llm_type(self) -> str:
        return "openai-images"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        raise NotImplementedError("pictures are painted asynchronously only")

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        description = "\n".join(str(message.text) for message in messages)
        form: dict[str, Any] = {"response_format": "b64_json"} if self.names_format else {}
        answer = await self.client.images.generate(model=self.model, prompt=description, n=1, size=_SIZE, **form)
        return ChatResult(generations=[ChatGeneration(message=_message(answer))])


def endpoint(
    model: str,
    api_key: SecretStr,
    base_url: str | None,
    timeout: float,
    *,
    names_format: bool,
    metadata: dict[str, Any],
) -> ImagesEndpoint:
    """Return a client for one endpoint; `timeout` in seconds. Blocking: it reads certificates and loads modules."""
    hooks: dict[str, list[Any]] = {"response": [bounded]}
    connections = openai.DefaultAsyncHttpxClient(timeout=timeout, event_hooks=hooks, headers=PLAIN, verify=trusted())
    client = openai.AsyncOpenAI(
        api_key=api_key.get_secret_value(),
        base_url=base_url,
        timeout=timeout,
        max_retries=0,  # attempts beyond the first; they are counted in one place (X027)
        http_client=connections,
    )
    # Its part for images is loaded when it is first asked for: here, and not on the event loop.
    _ = client.images
    return ImagesEndpoint(
        model=model, names_format=names_format, client=client, http_async_client=connections, metadata=metadata
    )


def _message(answer: object) -> AIMessage:
    # The client does not check what it reads: an answer of another form comes as whatever it is.
    data = answer.data if isinstance(answer, ImagesResponse) else None
    if not isinstance(answer, ImagesResponse) or not isinstance(data, list) or not data:
        raise BrokenAnswer("The answer has not the form of one with a picture.")
    encoded = getattr(data[0], "b64_json", None)
    content: list[str | dict[str, Any]] = (
        [{"type": "image", "base64": encoded}] if isinstance(encoded, str) and encoded else []
    )
    return AIMessage(content=content, usage_metadata=_tokens(answer))


def _tokens(answer: ImagesResponse) -> UsageMetadata | None:
    used = answer.usage
    if used is None:
        return None
    return UsageMetadata(
        input_tokens=used.input_tokens or 0,
        output_tokens=used.output_tokens or 0,
        total_tokens=used.total_tokens or 0,
    )

"""The vendors' embedding clients, through LangChain's classes. None retries by itself: that happens in one place."""

from collections.abc import Awaitable, Sequence
from contextvars import ContextVar
from typing import Any, TypeVar

import openai
from langchain_google_genai import GoogleGenerativeAIEmbeddings
from langchain_google_genai._common import GoogleGenerativeAIError
from langchain_openai import OpenAIEmbeddings
from pydantic import SecretStr

from core.settings import Settings
from providers.embeddings import Client
from providers.tls import trusted
from providers.vendors import NO_KEY, ModelName

T = TypeVar("T")


def build(name: ModelName, settings: Settings, batch: int) -> Client:
    """Make the client. Blocking (it reads certificates): call it in a thread."""
    match name.provider:
        case "google_genai":
            return _Google(name, settings, batch)
        case "qwen":
            return _OpenAI(name, settings, batch, settings.dashscope_api_key, settings.dashscope_base_url)
        case _:
            return _OpenAI(name, settings, batch, settings.openai_api_key, settings.openai_base_url)


class _OpenAI:
    """OpenAI, and all who speak its protocol."""

    def __init__(
        self, name: ModelName, settings: Settings, batch: int, key: SecretStr | None, base_url: str | None
    ) -> None:
        seconds = settings.model_embed_timeout_seconds
        self._http = openai.DefaultAsyncHttpxClient(timeout=seconds, verify=trusted())
        self._model = OpenAIEmbeddings(
            model=name.model,
            openai_api_key=key or NO_KEY,
            openai_api_base=base_url,
            request_timeout=seconds,
            max_retries=0,
            chunk_size=batch,
            # Else it would send token numbers, of a table that it downloads, which only OpenAI itself understands.
            check_embedding_ctx_length=False,
            # The default, base64, is not known to all servers.
            model_kwargs={"encoding_format": "float"},
            http_async_client=self._http,
        )
        self._metered = self._model.async_client = _Metered(self._model.async_client)

    async def passages(self, texts: Sequence[str]) -> list[list[float]]:
        return await self._model.aembed_documents(list(texts))

    async def question(self, text: str) -> list[list[float]]:
        return [await self._model.aembed_query(text)]

    def tokens(self) -> int:
        return self._metered.tokens.get()

    async def aclose(self) -> None:
        await self._http.aclose()
        self._model.client._client.close()  # noqa: SLF001 - LangChain makes a blocking client too, and never closes it


class _Metered:
    """OpenAI's own client: LangChain drops the `usage` of its answers, and has each number checked once more."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.tokens: ContextVar[int] = ContextVar("tokens", default=0)

    async def create(self, **arguments: Any) -> dict[str, Any]:
        response = await self._inner.create(**arguments)
        self.tokens.set(getattr(response.usage, "prompt_tokens", None) or 0)
        return {"data": [{"embedding": each.embedding} for each in response.data]}


class _Google:
    """Gemini's; it does not say how many tokens it took."""

    def __init__(self, name: ModelName, settings: Settings, batch: int) -> None:
        self._batch = batch
        self._model = GoogleGenerativeAIEmbeddings(
            model=name.model,
            api_key=settings.google_api_key,
            base_url=settings.google_gemini_base_url,
            vertexai=False,
            client_args={"timeout": settings.model_embed_timeout_seconds, "verify": trusted(), "ssl": trusted()},
        )

    async def passages(self, texts: Sequence[str]) -> list[list[float]]:
        return await _unwrapped(self._model.aembed_documents(list(texts), batch_size=self._batch))

    async def question(self, text: str) -> list[list[float]]:
        return [await _unwrapped(self._model.aembed_query(text))]

    def tokens(self) -> int:
        return 0

    async def aclose(self) -> None:
        await self._model.client.aio.aclose()
        self._model.client.close()


async def _unwrapped(call: Awaitable[T]) -> T:
    try:
        return await call
    except GoogleGenerativeAIError as error:
        # LangChain puts its own in the place of every error.
        raise (error.__cause__ or error) from None

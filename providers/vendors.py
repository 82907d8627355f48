"""From `provider:model` to a LangChain chat model. None retries by itself: that happens in one place (X027)."""

import re
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import urlsplit

import openai
from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr

from core.settings import OFFLINE, Settings, SettingsError
from providers.answers import WholeCompatible, WholeGoogle, WholeOpenAI
from providers.limits import Limits
from providers.tls import trusted

# Servers that check no key (Ollama, vLLM, llama.cpp) still get an Authorization header.
_NO_KEY: Final = SecretStr("none")
# OpenAI's models, wherever they are served, understand `max_completion_tokens`; its newer ones understand nothing else.
_OPENAI_HOST: Final = re.compile(r"(?:^|\.)openai\.(?:azure\.)?com$")
# These take no temperature but their own; LangChain leaves it out for gpt-5 only.
_OWN_TEMPERATURE: Final = re.compile(r"o\d")
PROVIDERS: Final = ("google_genai", "openai", "qwen")


@dataclass(frozen=True)
class ModelName:
    """A parsed `provider:model`."""

    provider: str
    model: str

    def __str__(self) -> str:
        return self.provider if self.provider == OFFLINE else f"{self.provider}:{self.model}"

    @classmethod
    def parse(cls, text: str, variable: str) -> Self:
        """Read what `variable` holds.

        Raises:
            SettingsError: it names no provider that we know.
        """
        if text == OFFLINE:
            return cls(OFFLINE, OFFLINE)
        provider, colon, model = text.partition(":")
        if provider not in PROVIDERS or not (colon and model):
            known = ", ".join(f"{name}:<model>" for name in PROVIDERS)
            raise SettingsError(f"{variable}: `{text}` is neither {OFFLINE} nor one of {known}")
        return cls(provider, model)


def check(name: ModelName, settings: Settings, variable: str) -> None:
    """See that the provider can be reached with what is configured.

    Raises:
        SettingsError: its key is missing.
    """
    missing = {
        "google_genai": settings.google_api_key is None and "GOOGLE_API_KEY",
        "openai": settings.openai_api_key is None and _is_openai(settings.openai_base_url) and "OPENAI_API_KEY",
        "qwen": settings.dashscope_api_key is None and "DASHSCOPE_API_KEY",
    }.get(name.provider)
    if missing:
        raise SettingsError(f"{variable} is {name}, which needs {missing}")


def build(name: ModelName, limits: Limits, settings: Settings, metadata: dict[str, Any]) -> BaseChatModel:
    """Make the client. Blocking (it reads certificates): call it in a thread."""
    match name.provider:
        case "google_genai":
            return WholeGoogle(
                model=name.model,
                api_key=settings.google_api_key,
                base_url=settings.google_gemini_base_url,
                temperature=limits.temperature,
                max_tokens=limits.max_tokens,
                timeout=limits.timeout_seconds,
                max_retries=1,  # attempts in all, in Google's client
                client_args={"verify": trusted(), "ssl": trusted()},  # for HTTP, and for the WebSockets it might open
                metadata=metadata,
            )
        case "qwen":
            return _compatible(name, limits, metadata, settings.dashscope_api_key, settings.dashscope_base_url)
        case _ if settings.openai_base_url and not _is_openai(settings.openai_base_url):
            return _compatible(name, limits, metadata, settings.openai_api_key, settings.openai_base_url)
        case _:
            chosen = _openai(name, limits, metadata)
            if _OWN_TEMPERATURE.match(name.model):
                del chosen["temperature"]
            return WholeOpenAI(**chosen, api_key=settings.openai_api_key, base_url=settings.openai_base_url)


def _is_openai(url: str | None) -> bool:
    return url is None or _OPENAI_HOST.search(urlsplit(url).hostname or "") is not None


def _compatible(
    name: ModelName, limits: Limits, metadata: dict[str, Any], key: SecretStr | None, base_url: str
) -> BaseChatModel:
    # ChatOpenAI sends the limit as `max_completion_tokens`, which only OpenAI itself understands; its base sends
    # `max_tokens`, which all the others do.
    return WholeCompatible(**_openai(name, limits, metadata), api_key=key or _NO_KEY, base_url=base_url)


def _openai(name: ModelName, limits: Limits, metadata: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": name.model,
        "temperature": limits.temperature,
        "max_tokens": limits.max_tokens,
        "timeout": limits.timeout_seconds,
        "max_retries": 0,  # attempts beyond the first, in OpenAI's client
        "stream_usage": True,
        # LangChain's default client is shared by all models of the process, and cannot be closed by one.
        "http_async_client": openai.DefaultAsyncHttpxClient(timeout=limits.timeout_seconds, verify=trusted()),
        # It opens no connection: nobody asks without awaiting. The default would read the certificates.
        "http_client": openai.DefaultHttpxClient(timeout=limits.timeout_seconds, verify=trusted()),
        "metadata": metadata,
    }

"""From `provider:model` to a LangChain chat model. None retries by itself: that happens in one place (X027)."""

import re
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, Self
from urllib.parse import urlsplit

from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr

from core.settings import OFFLINE, Settings, SettingsError
from providers.limits import Limits

# Servers that check no key (Ollama, vLLM, llama.cpp) still get an Authorization header.
NO_KEY: Final = SecretStr("none")
# OpenAI's models, wherever they are served, understand `max_completion_tokens`; its newer ones understand nothing else.
_OPENAI_HOST: Final = re.compile(r"(?:^|\.)openai\.(?:azure\.)?com$")
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
        "openai": settings.openai_api_key is None and is_openai(settings.openai_base_url) and "OPENAI_API_KEY",
        "qwen": settings.dashscope_api_key is None and "DASHSCOPE_API_KEY",
    }.get(name.provider)
    if missing:
        raise SettingsError(f"{variable} is {name}, which needs {missing}")


def load(provider: str) -> None:
    """Import a provider's client, which takes a second, before somebody waits for its first answer. Blocking."""
    if provider != OFFLINE:
        import_module("providers.google" if provider == "google_genai" else "providers.openai_protocol")


def build(name: ModelName, limits: Limits, settings: Settings, metadata: dict[str, Any]) -> BaseChatModel:
    """Make the client. Blocking (it is imported, and reads certificates): call it in a thread."""
    if name.provider == "google_genai":
        from providers import google  # noqa: PLC0415 - each takes a second, and most processes need one or none

        return google.build(name.model, limits, settings, metadata)
    from providers import openai_protocol  # noqa: PLC0415

    model, key = name.model, settings.openai_api_key
    if name.provider == "qwen":
        key = settings.dashscope_api_key
        return openai_protocol.build_compatible(model, limits, metadata, key, settings.dashscope_base_url)
    if settings.openai_base_url and not is_openai(settings.openai_base_url):
        return openai_protocol.build_compatible(model, limits, metadata, key, settings.openai_base_url)
    return openai_protocol.build_own(model, limits, metadata, key, settings.openai_base_url)


def is_openai(url: str | None) -> bool:
    """Tell whether an address is OpenAI's own, or one that it serves its models at."""
    return url is None or _OPENAI_HOST.search(urlsplit(url).hostname or "") is not None

"""Gemini's client. Imported where a role names it: it takes a second, and most processes need one vendor or none."""

from collections.abc import Mapping
from typing import Any, ClassVar

from google.genai.errors import APIError
from langchain_core.language_models import BaseChatModel
from langchain_google_genai import ChatGoogleGenerativeAI

from core.settings import Settings
from providers.answers import Whole
from providers.limits import Limits
from providers.tls import trusted


class WholeGoogle(Whole, ChatGoogleGenerativeAI):
    """Gemini's client."""

    own_error: ClassVar[type[Exception]] = APIError


def build(
    model: str,
    limits: Limits,
    settings: Settings,
    metadata: dict[str, Any],
    client: Mapping[str, Any] | None = None,
    **more: Any,
) -> BaseChatModel:
    """Make the client of a model; `client` is for its HTTP client, `more` for what not every model has. Blocking."""
    return WholeGoogle(
        model=model,
        api_key=settings.google_api_key,
        base_url=settings.google_gemini_base_url,
        temperature=limits.temperature,
        max_tokens=limits.max_tokens,
        timeout=limits.timeout_seconds,
        max_retries=1,  # attempts in all, in Google's client
        # For HTTP, and for the WebSockets it might open.
        client_args={**(client or {}), "verify": trusted(), "ssl": trusted()},
        metadata=metadata,
        **more,
    )

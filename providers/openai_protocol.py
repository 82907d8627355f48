"""The clients of OpenAI and of all who speak its protocol. Imported where a role names one: it takes a second."""

import re
from typing import Any, ClassVar, Final

import openai
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI
from langchain_openai.chat_models.base import BaseChatOpenAI
from pydantic import SecretStr

from providers.answers import Whole
from providers.limits import Limits
from providers.tls import trusted
from providers.vendors import NO_KEY

# These take no temperature but their own; LangChain leaves it out for gpt-5 only.
_OWN_TEMPERATURE: Final = re.compile(r"o\d")


class WholeOpenAI(Whole, ChatOpenAI):
    """OpenAI's own client."""

    own_error: ClassVar[type[Exception]] = openai.OpenAIError


class WholeCompatible(Whole, BaseChatOpenAI):
    """The client of servers that speak OpenAI's protocol."""

    own_error: ClassVar[type[Exception]] = openai.OpenAIError


def build_own(
    model: str, limits: Limits, metadata: dict[str, Any], key: SecretStr | None, base_url: str | None
) -> BaseChatModel:
    """Make the client of one of OpenAI's models. Blocking."""
    chosen = _chosen(model, limits, metadata)
    if _OWN_TEMPERATURE.match(model):
        del chosen["temperature"]
    return WholeOpenAI(**chosen, api_key=key, base_url=base_url)


def build_compatible(
    model: str, limits: Limits, metadata: dict[str, Any], key: SecretStr | None, base_url: str
) -> BaseChatModel:
    """Make the client of another server's model. Blocking."""
    # ChatOpenAI sends the limit as `max_completion_tokens`, which only OpenAI itself understands; its base sends
    # `max_tokens`, which all the others do.
    return WholeCompatible(**_chosen(model, limits, metadata), api_key=key or NO_KEY, base_url=base_url)


def _chosen(model: str, limits: Limits, metadata: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": model,
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

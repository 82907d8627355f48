"""What the model clients raise: which of it is worth another attempt (X027)."""

import json
from contextlib import suppress
from typing import Final

import httpx
import openai
from google.genai.errors import APIError as GoogleError
from google.genai.errors import UnknownApiResponseError
from langchain_core.exceptions import ContextOverflowError, LangChainException, ModelError, OutputParserException

from providers.offline.model import OfflineRefusal

_TOO_MANY: Final = 429
_SERVER: Final = 500
# What the clients let through for a broken connection or a body that is not what it says it is.
_BROKEN: Final = (
    httpx.TimeoutException,
    httpx.NetworkError,
    httpx.RemoteProtocolError,
    httpx.DecodingError,
    openai.APIConnectionError,
    openai.APIResponseValidationError,
    json.JSONDecodeError,
    UnknownApiResponseError,
    TimeoutError,
    ConnectionError,
)
_OF_A_MODEL: Final = (
    ModelError,
    OutputParserException,
    LangChainException,
    openai.OpenAIError,
    GoogleError,
    httpx.HTTPError,
    OfflineRefusal,
    *_BROKEN,
)


def is_retryable(error: BaseException) -> bool:
    """Tell whether the same request may succeed: 429, 5xx, time-outs, broken connections, bodies that are no JSON."""
    if isinstance(error, ContextOverflowError):
        return False
    if isinstance(error, _BROKEN):
        return True
    if isinstance(error, ModelError) and error.is_retryable:
        return True
    status = _status(error)
    return status is not None and (status == _TOO_MANY or status >= _SERVER)


def is_model_error(error: BaseException) -> bool:
    """Tell whether a model client (and not our own code) raised this."""
    return isinstance(error, _OF_A_MODEL)


def retry_after(error: BaseException) -> float | None:
    """Return the seconds that the vendor asks us to wait, if it says so."""
    seen: BaseException | None = error
    while seen is not None:
        headers = getattr(getattr(seen, "response", None), "headers", None) or {}
        with suppress(ValueError):
            return max(float(headers.get("retry-after", "")), 0)
        # LangChain's Google errors leave the response with their cause.
        seen = seen.__cause__
    return None


def _status(error: BaseException) -> int | None:
    for name in ("status_code", "code"):
        if isinstance(status := getattr(error, name, None), int):
            return status
    return None

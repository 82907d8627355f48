"""What the model clients raise: which of it is worth another attempt (X027)."""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

import httpx
from langchain_core.exceptions import ContextOverflowError, LangChainException, ModelError, OutputParserException

from core.clock import SystemClock
from providers.answers import BrokenAnswer
from providers.images.model import NoPicture
from providers.offline.model import OfflineRefusal

_TOO_MANY: Final = 429
_SERVER: Final = 500
# What the clients let through for a broken connection or a body that is not what it says it is.
_BROKEN: Final = (
    BrokenAnswer,
    httpx.TimeoutException,
    httpx.NetworkError,
    httpx.RemoteProtocolError,
    httpx.DecodingError,
    json.JSONDecodeError,
    TimeoutError,
    ConnectionError,
)
_OF_A_MODEL: Final = (
    ModelError,
    OutputParserException,
    LangChainException,
    httpx.HTTPError,
    OfflineRefusal,
    NoPicture,
    *_BROKEN,
)
# The vendors' own, by the modules that have them.
_VENDORS_BROKEN: Final = {
    "openai": ("APIConnectionError", "APIResponseValidationError"),
    "google.genai.errors": ("UnknownApiResponseError",),
}
_VENDORS: Final = {
    "openai": ("OpenAIError",),
    "google.genai.errors": ("APIError", "UnknownApiResponseError"),
    # Statuses that Google's client has no class for, as 413 and 422.
    "langchain_google_genai.chat_models": ("ChatGoogleGenerativeAIError",),
}
_OPENAI_ANY: Final = {"openai": ("APIError",)}
_OPENAI_STATUS: Final = {"openai": ("APIStatusError",)}


def is_retryable(error: BaseException) -> bool:
    """Tell whether the same request may succeed: 429, 5xx, time-outs, broken connections, bodies that are no JSON."""
    if isinstance(error, ContextOverflowError):
        return False
    if isinstance(error, (*_BROKEN, *_imported(_VENDORS_BROKEN))):
        return True
    if isinstance(error, ModelError) and error.is_retryable:
        return True
    status = _status(error)
    if status is None:
        return _broke_off(error)
    return status == _TOO_MANY or status >= _SERVER


def is_model_error(error: BaseException) -> bool:
    """Tell whether a model client (and not our own code) raised this."""
    return isinstance(error, (*_OF_A_MODEL, *_imported(_VENDORS)))


def retry_after(error: BaseException) -> float | None:
    """Return the seconds that the vendor asks us to wait, if it says so (as seconds or as a date)."""
    seen: BaseException | None = error
    while seen is not None:
        headers = getattr(getattr(seen, "response", None), "headers", None) or {}
        if (seconds := _seconds(headers.get("retry-after", ""))) is not None:
            return max(seconds, 0)
        # LangChain's Google errors leave the response with their cause.
        seen = seen.__cause__
    return None


def _imported(classes: Mapping[str, Sequence[str]]) -> tuple[type[BaseException], ...]:
    """Return those of a vendor whose client was imported: of another nobody can have raised one."""
    found = [getattr(sys.modules.get(module), name, None) for module, names in classes.items() for name in names]
    return tuple(each for each in found if each is not None)


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return _seconds_until(text)
    return seconds if math.isfinite(seconds) else None


def _seconds_until(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    # A date without a zone (`-0000`) is meant as UTC.
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - SystemClock().now()).total_seconds()


def _broke_off(error: BaseException) -> bool:
    """Tell whether a server that had begun to answer gave up: OpenAI's error event in a stream has no status."""
    told = isinstance(error, _imported(_OPENAI_ANY)) and not isinstance(error, _imported(_OPENAI_STATUS))
    return told and getattr(error, "type", None) != "invalid_request_error"


def _status(error: BaseException) -> int | None:
    for name in ("status_code", "code"):
        if isinstance(status := getattr(error, name, None), int):
            return status
    return None

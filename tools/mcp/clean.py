"""JSON from a server as everything behind us can hold it."""

import math
from typing import Any, Final

_INT_LIMIT: Final = 2**63


def clean(value: Any) -> Any:  # noqa: PLR0911 - one for each kind of JSON
    """Return the JSON value without NUL characters, NaN and infinity (PostgreSQL), or integers beyond 64 bits (orjson).

    The numbers that are none become null; the integers that are too large become text, so that no digit is lost.
    """
    match value:
        case str():
            return text(value)
        case bool() | None:
            return value
        case int():
            return value if -_INT_LIMIT <= value < _INT_LIMIT else str(value)
        case float():
            return value if math.isfinite(value) else None
        case list():
            return [clean(item) for item in value]
        case dict():
            return {text(str(key)): clean(item) for key, item in value.items()}
        case _:
            return text(str(value))


def text(value: str) -> str:
    """Return the text without NUL characters and halves of surrogate pairs, which are no UTF-8."""
    if value.isascii():
        return value.replace("\x00", "")
    return value.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def cut(value: str, limit: int) -> str:
    """Return the beginning of the text, at most `limit` bytes of UTF-8, cut on a character's border."""
    encoded = value.encode("utf-8")
    return value if len(encoded) <= limit else encoded[: max(limit, 0)].decode("utf-8", "ignore")

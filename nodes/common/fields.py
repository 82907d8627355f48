"""Fields of a model's JSON answer that take what can be meant (X028): numbers, closed sets, texts of bounded length.

They are used as `Annotated[float, clamped(0, 10)]`, `Annotated[Intent, one_of(INTENTS, default="free_discussion")]`,
`Annotated[str, clipped(200)]` and `Annotated[list[str], texts(3, 200)]`.
"""

import re
from collections.abc import Collection
from typing import Any, Final

from pydantic import BeforeValidator

# A number in words around it, like "8/10" or "约 0.8"; more digits than this say nothing.
_NUMBER: Final = re.compile(r"[-+]?\d{1,15}(?:\.\d{1,15})?")


def clamped(low: float, high: float) -> BeforeValidator:
    """Read a number, also from a text, and bring it into the range; true, false and no number are refused."""

    def read(value: Any) -> float:
        if isinstance(value, str) and (found := _NUMBER.search(value)):
            value = float(found.group())
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124 - NaN
            raise ValueError(f"须为 {low:g} 到 {high:g} 之间的数字")
        # Compared before it becomes a float: an integer of a thousand digits does not fit into one, nor into isnan.
        return float(min(max(value, low), high))

    return BeforeValidator(read)


def one_of(allowed: Collection[str], *, default: str) -> BeforeValidator:
    """Read one of a closed set, whatever its case and the space around it; anything else is the default."""

    def read(value: Any) -> str:
        plain = value.strip().lower() if isinstance(value, str) else ""
        return plain if plain in allowed else default

    return BeforeValidator(read)


def clipped(length: int) -> BeforeValidator:
    """Read a text and cut it at `length` characters; a number becomes its text, nothing becomes an empty one."""

    def read(value: Any) -> Any:
        return _text(value, length)

    return BeforeValidator(read)


def texts(most: int, length: int) -> BeforeValidator:
    """Read a list of texts: the first `most` that say anything, each cut at `length`; a text alone is a list of one."""

    def read(value: Any) -> Any:
        given = [value] if isinstance(value, str) else value or []
        if not isinstance(given, list):
            return given
        plain = [_text(item, length) for item in given if isinstance(item, str | int | float)]
        return [text for text in plain if text][:most]

    return BeforeValidator(read)


def _text(value: Any, length: int) -> Any:
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    return value.strip()[:length] if isinstance(value, str) else value

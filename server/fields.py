"""Fields of requests that PostgreSQL's text and jsonb can hold."""

import math
from typing import Annotated, Any, Final

from pydantic import AfterValidator

# An answer with more cannot be written as JSON by pydantic (255), and nobody means it.
_DEEPEST: Final = 100


def storable(value: Any) -> Any:
    """Refuse what text and jsonb cannot hold, anywhere in a JSON value: it is not left to the database."""
    waiting = [(value, 0)]
    while waiting:
        item, depth = waiting.pop()
        if depth > _DEEPEST:
            raise ValueError(f"嵌套不能超过{_DEEPEST}层")
        match item:
            case str() as text:
                _check_characters(text)
            case float() as number if not math.isfinite(number):
                raise ValueError("应为有限的数字")
            case dict() as members:
                waiting.extend((member, depth + 1) for member in (*members.keys(), *members.values()))
            case list() as items:
                waiting.extend((member, depth + 1) for member in items)
    return value


def _check_characters(text: str) -> None:
    if "\0" in text:
        raise ValueError("不能含有字符 U+0000")
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("含有无效字符") from None


Text = Annotated[str, AfterValidator(storable)]
JsonObject = Annotated[dict[str, Any], AfterValidator(storable)]

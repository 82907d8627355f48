"""JSON for PostgreSQL's jsonb, which is stricter than JSON itself."""

import re
from typing import Any, Final

from psycopg.types.json import Jsonb

from server.runs.encode import encode

_NUL: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def jsonb(data: Any) -> Jsonb:
    """Return a parameter for a jsonb column."""
    text = jsonb_text(data)
    return Jsonb(data, dumps=lambda _: text)


def jsonb_text(data: Any) -> str:
    """Return JSON text that jsonb takes."""
    return without_nul(encode(data))


def without_nul(text: str) -> str:
    """Return JSON text without the character U+0000, which jsonb has no room for."""
    return _NUL.sub(r"\1", text) if "\\u0000" in text else text

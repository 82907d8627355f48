"""Forms in the OpenAPI document, where an endpoint reads its request itself."""

from collections.abc import Mapping
from typing import Any, Final

_FILE: Final = {"type": "string", "format": "binary"}


def form(files: Mapping[str, str], texts: Mapping[str, str], *, required: tuple[str, ...]) -> dict[str, Any]:
    """Describe a `multipart/form-data` body, for `openapi_extra`: its fields, and what is said of each."""
    fields: dict[str, dict[str, str]] = {name: _FILE | _said(words) for name, words in files.items()}
    fields |= {name: {"type": "string"} | _said(words) for name, words in texts.items()}
    schema = {"type": "object", "required": list(required), "properties": fields}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def _said(words: str) -> dict[str, str]:
    return {"description": words} if words else {}

"""What a checkpoint's own document can hold; all other values go to blobs."""

from collections.abc import Mapping
from typing import Any, Final

from langgraph.checkpoint.serde.types import _DeltaSnapshot

PLAIN: Final = (str, int, float, type(None))
"""Values that LangGraph keeps in the document."""

_INT64: Final = range(-(2**63), 2**63)
_LARGE_FLOAT: Final = 1e15


def split(values: Mapping[str, Any], *, encrypts: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part what the document holds from what goes to blobs: everything, where values are encrypted."""
    plain: dict[str, Any] = {}
    blobs: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, _DeltaSnapshot):
            plain[name], blobs[name] = True, value
        elif not encrypts and _fits(value):
            plain[name] = value
        else:
            blobs[name] = value
    return plain, blobs


def _fits(value: Any) -> bool:
    """Whether PostgreSQL's JSON gives a value back as it is."""
    match value:
        case None | bool():
            return True
        case str():
            return "\0" not in value and _is_unicode(value)
        case int():
            return value in _INT64
        case float():
            # Large ones come back as integers.
            return abs(value) < _LARGE_FLOAT
    return False


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

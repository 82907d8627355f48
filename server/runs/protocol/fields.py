"""Kinds of fields in the protocol's requests: what can be kept, and what is refused with a sentence."""

import math
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

_DEEPEST: Final = 100
_INT64: Final = range(-(2**63), 2**63)


class Request(BaseModel):
    """A request's body. A field that is not known is refused, not dropped."""

    model_config = ConfigDict(extra="forbid")


def storable(value: Any, depth: int = _DEEPEST) -> Any:
    """Return a JSON value as it is, if PostgreSQL can keep it.

    Raises:
        ValueError: it holds U+0000, half of a character, a number out of range, or is nested too deeply.
    """
    if depth == 0:
        raise ValueError(f"must not be nested more than {_DEEPEST} levels deep")
    match value:
        case str():
            _check_text(value)
        case bool():
            pass
        case int() if value not in _INT64:
            raise ValueError("must not hold integers of more than 64 bits")
        case float() if not math.isfinite(value):
            raise ValueError("must not hold NaN or infinity")
        case dict():
            for key, item in value.items():
                _check_text(key)
                storable(item, depth - 1)
        case list():
            for item in value:
                storable(item, depth - 1)
    return value


def _check_text(text: str) -> None:
    if "\0" in text:
        raise ValueError("must not contain the character U+0000")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("must not contain half of a surrogate pair") from error


def refused(sentence: str) -> BeforeValidator:
    """Return a validator that lets nothing but null pass, and says why."""

    def check(value: Any) -> None:
        if value is not None:
            raise ValueError(sentence)

    return BeforeValidator(check)


Text = Annotated[str, AfterValidator(storable)]
JsonObject = Annotated[dict[str, Any], AfterValidator(storable)]
# An object that may be null or missing, which both mean an empty one.
OptionalObject = Annotated[JsonObject, BeforeValidator(lambda value: {} if value is None else value)]
Limit = Annotated[int, Field(ge=1, le=1000)]
Offset = Annotated[int, Field(ge=0, le=2**31 - 1)]
TimeToLive = Annotated[None, refused("threads are kept until they are deleted: a time to live cannot be set")]

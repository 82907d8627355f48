"""Arguments against a tool's input schema (B026, G16), and schemas compared between offer and execution."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, Final, NoReturn

import orjson
from jsonschema_rs import ValidationError, ValidationErrorKind, Validator, validator_for

_MOST_PROBLEMS: Final = 5
_KEPT: Final = 512


def problems(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is wrong with the arguments, at most five sentences that name places, not values; () where all fits.

    A schema that is none lets nothing pass: what it means cannot be known. A pattern of a schema is a stranger's: it is
    matched with a limit of steps, and one that takes for ever counts as a rule that is broken.
    """
    try:
        validator = _validator(orjson.dumps(schema, option=orjson.OPT_SORT_KEYS))
    except (ValidationError, orjson.JSONEncodeError):
        return ("the tool's input schema is not valid",)
    try:
        return tuple(_sentence(error) for error in islice(validator.iter_errors(dict(arguments)), _MOST_PROBLEMS))
    except ValueError:
        return ("arguments: hold what is no JSON",)


def digest(schema: Mapping[str, Any]) -> str:
    """Return a fingerprint of a schema that does not depend on the order of its keys."""
    try:
        plain = orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        # Too deep, or with numbers and characters that are none: nothing passes it, but it must be told from others.
        plain = repr(schema).encode("utf-8", "backslashreplace")
    return hashlib.sha256(plain).hexdigest()


@lru_cache(maxsize=_KEPT)
def _validator(schema: bytes) -> Validator:
    loaded = orjson.loads(schema)
    try:
        return validator_for(loaded, retriever=_refuse)
    except ValidationError:
        if "$schema" not in loaded:
            raise
        # A dialect of somebody's own is read as the newest one.
        return validator_for({key: value for key, value in loaded.items() if key != "$schema"}, retriever=_refuse)


def _refuse(uri: str) -> NoReturn:
    raise LookupError(f"{uri} is another place, and never fetched")


def _sentence(error: ValidationError) -> str:
    place = "/".join(str(part) for part in error.instance_path) or "arguments"
    match error.kind:
        case ValidationErrorKind.Required(property=name):
            return f"{place}: missing {name}"
        case ValidationErrorKind.Type(types=types):
            return f"{place}: must be of type {' or '.join(types)}"
        case ValidationErrorKind.Enum(options=options):
            return f"{place}: must be one of {options}"
        case ValidationErrorKind.AdditionalProperties():
            return f"{place}: has a field that the tool does not know"
        case kind:
            return f"{place}: breaks the rule {kind.name}"

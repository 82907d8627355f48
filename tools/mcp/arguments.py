"""Arguments against a tool's input schema (B026, G16), and schemas compared between offer and execution."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, Final

import orjson
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import Draft202012Validator, validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

_MOST_PROBLEMS: Final = 5
_KEPT: Final = 512


def problems(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is wrong with the arguments, at most five sentences that name places, not values; () where all fits.

    A schema that is none lets nothing pass: what it means cannot be known.
    """
    try:
        validator = _validator(orjson.dumps(schema, option=orjson.OPT_SORT_KEYS))
        return tuple(_sentence(error) for error in islice(validator.iter_errors(arguments), _MOST_PROBLEMS))
    except (SchemaError, Unresolvable):
        return ("the tool's input schema is not valid",)


def digest(schema: Mapping[str, Any]) -> str:
    """Return a fingerprint of a schema that does not depend on the order of its keys."""
    return hashlib.sha256(orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)).hexdigest()


@lru_cache(maxsize=_KEPT)
def _validator(schema: bytes) -> Validator:
    loaded = orjson.loads(schema)
    kind = validator_for(loaded, default=Draft202012Validator)
    kind.check_schema(loaded)
    # An empty registry: a schema's `$ref` to another place is never fetched.
    return kind(loaded, registry=Registry())


def _sentence(error: ValidationError) -> str:
    place = "/".join(str(part) for part in error.absolute_path) or "arguments"
    value = error.validator_value
    match error.validator:
        case "required" if isinstance(value, list) and isinstance(error.instance, Mapping):
            return f"{place}: missing {', '.join(str(name) for name in value if name not in error.instance)}"
        case "type":
            return f"{place}: must be of type {value}"
        case "enum":
            return f"{place}: must be one of {value}"
        case "additionalProperties":
            return f"{place}: has a field that the tool does not know"
        case rule:
            return f"{place}: breaks the rule {rule}"

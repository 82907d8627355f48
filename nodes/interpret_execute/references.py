"""Arguments that name earlier results: `{"$from": "<step id>", "path": "a.b.0"}` (B040)."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

FROM: Final = "$from"
_KEYS: Final = frozenset({FROM, "path"})


class NoSuchResult(LookupError):
    """A result does not hold what a reference names."""


def is_reference(value: object) -> bool:
    """Tell whether a value stands for an earlier result."""
    return isinstance(value, Mapping) and FROM in value and set(value) <= _KEYS


def references(value: object, place: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the place of each reference in a value, and the step that it names."""
    if is_reference(value):
        assert isinstance(value, Mapping)  # noqa: S101 - what a reference is
        yield place, str(value[FROM])
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from references(inner, (*place, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from references(inner, (*place, number))


def resolve(value: Any, results: Mapping[str, Any]) -> Any:
    """Put the results of earlier steps in the places of their references.

    Args:
        value: arguments, or a part of them.
        results: each finished step's data.

    Raises:
        NoSuchResult: a step has no result, or the path leads nowhere in it.
    """
    if is_reference(value):
        if value[FROM] not in results:
            raise NoSuchResult(value[FROM])
        return _follow(results[value[FROM]], str(value.get("path") or ""))
    if isinstance(value, Mapping):
        return {key: resolve(inner, results) for key, inner in value.items()}
    if isinstance(value, list):
        return [resolve(inner, results) for inner in value]
    return value


def _follow(data: Any, path: str) -> Any:
    for part in filter(None, path.split(".")):
        if isinstance(data, Mapping) and part in data:
            data = data[part]
        elif isinstance(data, list) and part.isdecimal() and int(part) < len(data):
            data = data[int(part)]
        else:
            raise NoSuchResult(path)
    return data

"""Exceptions as log lines: where they happened and what kind they are, without what people said (X033).

No local variables; and of exceptions whose text quotes rows or requests (a database's, a validator's) the kind alone.
"""

import traceback
from types import TracebackType
from typing import Final

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

# Libraries whose messages quote the values that they were given.
_QUOTING: Final = frozenset({"psycopg", "sqlalchemy", "pydantic", "pydantic_core", "fastapi"})


def render(exc_info: ExcInfo) -> str:
    """Return the traceback of an exception and of those behind it, the first one first."""
    return "\n".join(_lines(exc_info[1], set())).rstrip()


def _lines(error: BaseException, seen: set[int]) -> list[str]:
    seen.add(id(error))
    lines: list[str] = []
    behind = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if behind is not None and id(behind) not in seen:
        lines += [*_lines(behind, seen), "", "which led to:", ""]
    lines += [
        "Traceback (most recent call last):",
        *(line.rstrip() for line in traceback.format_tb(error.__traceback__)),
    ]
    lines.append(f"{type(error).__module__}.{type(error).__qualname__}: {_text(error)}")
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            lines += ["", "one of them:", "", *_lines(member, seen)]
    return lines


def _text(error: BaseException) -> str:
    if type(error).__module__.partition(".")[0] not in _QUOTING:
        return str(error)
    state = getattr(error, "sqlstate", None) or getattr(getattr(error, "orig", None), "sqlstate", None)
    return f"SQLSTATE {state}" if state else "(its text may quote data)"

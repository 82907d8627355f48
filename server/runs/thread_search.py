"""Which threads a list shows, which of their fields, and what is taken out of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from uuid import UUID

ThreadStatus = Literal["idle", "busy", "interrupted", "error"]
ThreadSort = Literal["thread_id", "status", "created_at", "updated_at", "state_updated_at"]
ThreadField = Literal[
    "thread_id", "created_at", "updated_at", "state_updated_at", "metadata", "status", "config", "values", "interrupts"
]
MAX_PATHS: Final = 10
_ROOTS: Final = frozenset({"config", "interrupts", "metadata", "values"})
_PATH: Final = re.compile(r"[^.\[\]]+(\.[^.\[\]]+|\[-?\d{1,9}\])*")
_SEGMENT: Final = re.compile(r"\[(-?\d+)\]|([^.\[\]]+)")
ALL_FIELDS: Final = frozenset(ThreadField.__args__)  # type: ignore[attr-defined]

Segment = str | int


@dataclass(frozen=True, kw_only=True)
class ThreadFilter:
    """Which threads: `metadata` and `values` by what they contain."""

    metadata: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    status: ThreadStatus | None = None
    ids: list[UUID] | None = None


@dataclass(frozen=True, kw_only=True)
class ThreadPage:
    """Which part of the list, in which order, with which fields; `extract` maps an alias to a path."""

    limit: int = 10
    offset: int = 0
    sort_by: ThreadSort = "updated_at"
    sort_order: Literal["asc", "desc"] = "desc"
    fields: frozenset[str] = ALL_FIELDS
    extract: Mapping[str, tuple[Segment, ...]] = field(default_factory=dict)

    @property
    def columns(self) -> frozenset[str]:
        """What has to be read: the fields, and where the paths begin."""
        named = self.fields | {str(path[0]) for path in self.extract.values()}
        # Values that have no copy on the row are looked up by the thread.
        return named | {"thread_id"} if "values" in named else named

    def show(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return what of a row is asked for."""
        shown = {name: row[name] for name in row if name in self.fields}
        if self.extract:
            shown["extracted"] = {alias: _at(row, path) for alias, path in self.extract.items()}
        return shown


def parse_path(text: str) -> tuple[Segment, ...]:
    """Read a path such as `values.messages[-1].content`.

    Raises:
        ValueError: it has another form, or begins elsewhere than in config, interrupts, metadata or values.
    """
    if not _PATH.fullmatch(text):
        raise ValueError("a path has the form values.messages[-1].content")
    path = tuple(int(index) if index else name for index, name in _SEGMENT.findall(text))
    if path[0] not in _ROOTS:
        raise ValueError("a path begins with config, interrupts, metadata or values")
    return path


def _at(data: Any, path: tuple[Segment, ...]) -> Any:
    """Return what is at a path, or None where it leads nowhere."""
    for segment in path:
        match data, segment:
            case dict(), str():
                data = data.get(segment)
            case list(), int() if -len(data) <= segment < len(data):
                data = data[segment]
            case _:
                return None
    return data

"""Assistants: one for each workflow that `langgraph.json` names, as it stands (K15)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID, uuid5

from core.errors import NotFound
from server.runs import graph_schemas
from server.runs.workflows import Workflows

# LangGraph Server's own namespace: clients compute the id of a graph's assistant by themselves.
_NAMESPACE: Final = UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")


@lru_cache
def assistant_id(graph_id: str) -> UUID:
    """Return the id of a graph's assistant, the same on every server."""
    return uuid5(_NAMESPACE, graph_id)


def labels(graph_id: str) -> dict[str, str]:
    """Return what a thread's metadata says about its workflow; clients search by either."""
    return {"graph_id": graph_id, "assistant_id": _written(assistant_id(graph_id))}


_written: Final = lru_cache(str)


@dataclass(frozen=True, kw_only=True)
class Assistant:
    """A graph with no configuration of its own; its first and only version."""

    assistant_id: UUID
    graph_id: str
    name: str
    created_at: datetime
    updated_at: datetime
    config: dict[str, Any] = field(default_factory=dict)
    context: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=lambda: {"created_by": "system"})
    version: int = 1
    description: str | None = None


@dataclass(frozen=True, kw_only=True)
class AssistantFilter:
    """Which assistants a list shows: `metadata` by each key's value, `name` by a part of it in any case."""

    metadata: dict[str, Any] = field(default_factory=dict)
    graph_id: str | None = None
    name: str | None = None

    def lets_pass(self, assistant: Assistant) -> bool:
        """Tell whether the list shows this one."""
        return (
            (self.graph_id is None or assistant.graph_id == self.graph_id)
            and (self.name is None or self.name.lower() in assistant.name.lower())
            and all(
                key in assistant.metadata and assistant.metadata[key] == self.metadata[key] for key in self.metadata
            )
        )


class Assistants:
    """The assistants of a process.

    Args:
        workflows: the loaded graphs.
        since: when they were loaded; what `created_at` shows.
    """

    def __init__(self, workflows: Workflows, since: datetime) -> None:
        self._workflows = workflows
        made = [
            Assistant(
                assistant_id=assistant_id(name),
                graph_id=name,
                name=name,
                created_at=since,
                updated_at=since,
                description=workflows.description(name),
            )
            for name in workflows
        ]
        self._by_name = {assistant.graph_id: assistant for assistant in made}
        self._by_id = {str(assistant.assistant_id): assistant for assistant in made}
        # Slow (pydantic builds models) and the same for every caller.
        self._draw = lru_cache(maxsize=256)(lambda name, xray: graph_schemas.drawing(workflows[name], xray))
        self._schemas = lru_cache(maxsize=256)(lambda name: graph_schemas.schemas(workflows[name]))

    def find(self, wanted: str) -> Assistant:
        """Return an assistant by its id or its graph's name.

        Raises:
            NotFound: there is none.
        """
        found = self._by_name.get(wanted) or self._by_id.get(wanted.lower())
        if found is None:
            raise NotFound("There is no such assistant.")
        return found

    def search(self, chosen: AssistantFilter) -> list[Assistant]:
        """Return all assistants that a filter lets pass, in the order of `langgraph.json`."""
        return [assistant for assistant in self._by_name.values() if chosen.lets_pass(assistant)]

    async def graph(self, wanted: str, xray: int | bool) -> dict[str, Any]:  # noqa: FBT001 - LangGraph's own type
        """Return the graph's drawing as JSON; `xray` looks into subgraphs, to a depth or wholly."""
        return await asyncio.to_thread(self._draw, self.find(wanted).graph_id, xray)

    async def schemas(self, wanted: str) -> dict[str, Any]:
        """Return the JSON schemas of the graph's input, output, state, config and context."""
        name = self.find(wanted).graph_id
        return {"graph_id": name, **await asyncio.to_thread(self._schemas, name)}

    async def subgraphs(self, wanted: str, namespace: str | None, *, recurse: bool) -> dict[str, Any]:
        """Return the schemas of the graph's subgraphs by namespace; one namespace's only, where it is given."""
        graph = self._workflows[self.find(wanted).graph_id]
        found: Sequence[tuple[str, Any]] = list(graph.get_subgraphs(namespace=namespace, recurse=recurse))
        return {name: await asyncio.to_thread(graph_schemas.schemas, subgraph) for name, subgraph in found}

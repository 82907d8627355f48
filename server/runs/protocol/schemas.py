"""The protocol's requests about assistants and threads: every field is honoured, or refused with a sentence."""

from typing import Annotated, Any, Literal
from uuid import UUID

from langgraph.types import StateUpdate
from pydantic import AfterValidator, BeforeValidator, Field

from server.runs.assistants import AssistantFilter
from server.runs.protocol.fields import (
    Limit,
    Offset,
    OptionalObject,
    Request,
    Text,
    TimeToLive,
    refused,
    storable,
)
from server.runs.thread_search import (
    ALL_FIELDS,
    MAX_PATHS,
    ThreadField,
    ThreadFilter,
    ThreadPage,
    ThreadSort,
    ThreadStatus,
    parse_path,
)

SortOrder = Annotated[Literal["asc", "desc"], BeforeValidator(lambda order: "desc" if order is None else order)]
AssistantField = Literal[
    "assistant_id",
    "graph_id",
    "name",
    "description",
    "config",
    "context",
    "created_at",
    "updated_at",
    "metadata",
    "version",
]


class AssistantCount(Request):
    """POST /assistants/count."""

    metadata: OptionalObject = Field(default_factory=dict)
    graph_id: str | None = None
    name: str | None = None

    def filter(self) -> AssistantFilter:
        """Return which assistants are meant."""
        return AssistantFilter(metadata=self.metadata, graph_id=self.graph_id, name=self.name)


class AssistantSearch(AssistantCount):
    """POST /assistants/search."""

    limit: Limit = 10
    offset: Offset = 0
    sort_by: Literal["assistant_id", "graph_id", "name", "created_at", "updated_at"] | None = None
    sort_order: SortOrder = "desc"
    select: list[AssistantField] | None = None


class Superstep(Request):
    """One step of `supersteps`: updates that are applied together."""

    class Update(Request):
        """One update: `values` as if the node `as_node` had returned them."""

        values: Annotated[Any, AfterValidator(storable)] = None
        command: Annotated[None, refused("a command cannot be a part of an update: give values and as_node")] = None
        as_node: Text | None = None

    updates: Annotated[list[Update], Field(min_length=1, max_length=1000)]

    def as_updates(self) -> list[StateUpdate]:
        """Return them in LangGraph's form."""
        return [StateUpdate(update.values, update.as_node) for update in self.updates]


class ThreadCreate(Request):
    """POST /threads."""

    thread_id: UUID | None = None
    metadata: OptionalObject = Field(default_factory=dict)
    if_exists: Literal["raise", "do_nothing"] | None = None
    supersteps: Annotated[list[Superstep], Field(max_length=1000)] | None = None
    ttl: TimeToLive = None


class ThreadPatch(Request):
    """PATCH /threads/{thread_id}: the named keys of the metadata."""

    metadata: OptionalObject = Field(default_factory=dict)
    ttl: TimeToLive = None


class ThreadCount(Request):
    """POST /threads/count."""

    metadata: OptionalObject = Field(default_factory=dict)
    values: OptionalObject = Field(default_factory=dict)
    status: ThreadStatus | None = None

    def filter(self) -> ThreadFilter:
        """Return which threads are meant."""
        return ThreadFilter(metadata=self.metadata, values=self.values, status=self.status)


class ThreadSearch(ThreadCount):
    """POST /threads/search. `extract` maps aliases to paths such as `values.messages[-1].content`."""

    ids: Annotated[list[UUID], Field(max_length=1000)] | None = None
    limit: Limit = 10
    offset: Offset = 0
    sort_by: ThreadSort | None = None
    sort_order: SortOrder = "desc"
    select: list[ThreadField] | None = None
    extract: Annotated[dict[Text, Annotated[Text, AfterValidator(parse_path)]], Field(max_length=MAX_PATHS)] | None = (
        None
    )

    def filter(self) -> ThreadFilter:
        """Return which threads are meant."""
        return ThreadFilter(metadata=self.metadata, values=self.values, status=self.status, ids=self.ids)

    def page(self) -> ThreadPage:
        """Return which part of the list, and what of each thread, is meant."""
        return ThreadPage(
            limit=self.limit,
            offset=self.offset,
            sort_by=self.sort_by or "updated_at",
            sort_order=self.sort_order,
            fields=ALL_FIELDS if self.select is None else frozenset(self.select),
            extract=self.extract or {},  # type: ignore[arg-type]
        )


class ThreadPrune(Request):
    """POST /threads/prune."""

    thread_ids: list[UUID]
    strategy: Literal["delete", "keep_latest"] = "delete"

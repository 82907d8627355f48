"""The protocol's answers, for the documentation: they are written as JSON without a detour through these."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field


class AssistantBody(BaseModel):
    """A graph that can be run."""

    assistant_id: UUID
    graph_id: str
    name: str
    description: str | None
    config: dict[str, Any]
    context: dict[str, Any]
    metadata: dict[str, Any]
    version: int
    created_at: datetime
    updated_at: datetime


class DrawingBody(BaseModel):
    """A graph's drawing."""

    nodes: list[dict[str, Any]]
    edges: list[dict[str, Any]]


class SchemasBody(BaseModel):
    """JSON schemas of a graph; null where a type has none."""

    graph_id: str | None = None
    input_schema: dict[str, Any] | None
    output_schema: dict[str, Any] | None
    state_schema: dict[str, Any] | None
    config_schema: dict[str, Any] | None
    context_schema: dict[str, Any] | None


class ThreadBody(BaseModel):
    """A conversation. `interrupts` are those it waits for, by the id of the task."""

    thread_id: UUID
    created_at: datetime
    updated_at: datetime
    state_updated_at: datetime
    metadata: dict[str, Any]
    status: Literal["idle", "busy", "interrupted", "error"]
    config: dict[str, Any]
    values: dict[str, Any] | None
    interrupts: dict[str, list[dict[str, Any]]]


class CheckpointPlace(BaseModel):
    """Where a state is kept."""

    thread_id: UUID
    checkpoint_ns: str
    checkpoint_id: str | None = None
    checkpoint_map: dict[str, str] | None = None


class StateBody(BaseModel):
    """A thread's state at a checkpoint."""

    values: dict[str, Any] | list[Any]
    next: list[str]
    tasks: list[dict[str, Any]]
    metadata: dict[str, Any] | None
    created_at: datetime | None
    checkpoint: CheckpointPlace | None
    parent_checkpoint: CheckpointPlace | None
    interrupts: list[dict[str, Any]]
    checkpoint_id: str | None
    parent_checkpoint_id: str | None


class UpdatedBody(BaseModel):
    """The checkpoint that an update made, in the three forms that clients read."""

    checkpoint: CheckpointPlace
    configurable: CheckpointPlace
    checkpoint_id: str


class RunShown(BaseModel):
    """A run. `kwargs` is what it was asked to do."""

    run_id: UUID
    thread_id: UUID
    assistant_id: UUID
    created_at: datetime
    updated_at: datetime
    status: Literal["pending", "running", "error", "success", "timeout", "interrupted"]
    metadata: dict[str, Any]
    asked: dict[str, Any] = Field(serialization_alias="kwargs")
    multitask_strategy: Literal["reject", "enqueue", "interrupt", "rollback"]

"""The protocol's requests about a thread's state."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import AfterValidator, BeforeValidator

from core.errors import InvalidInput
from server.runs.protocol.fields import JsonObject, Limit, Request, Text, storable
from server.runs.thread_states import Place

_FIELDS = frozenset(
    {"values", "next", "tasks", "checkpoint", "metadata", "created_at", "parent_checkpoint", "interrupts"}
)


def _selectable(name: str) -> str:
    if name not in _FIELDS and not (name.startswith("values.") and name != "values."):
        raise ValueError(f"must be one of {', '.join(sorted(_FIELDS))}, or values.<key>")
    return name


Selected = Annotated[str, AfterValidator(_selectable)]
Select = Annotated[list[Selected] | None, Query(description="Fields of the answer; values.<key> is one key of state")]


def select_from(state: dict[str, Any], select: list[str] | None) -> dict[str, Any]:
    """Return what of a state is asked for; all of it, where nothing is said."""
    if select is None:
        return state
    keys = {name.removeprefix("values.") for name in select if name.startswith("values.")}
    shown = {name: value for name, value in state.items() if name in select}
    if keys and "values" not in select and isinstance(state["values"], dict):
        shown["values"] = {key: value for key, value in state["values"].items() if key in keys}
    return shown


class CheckpointBody(Request):
    """A checkpoint, as states name it."""

    thread_id: UUID | None = None
    checkpoint_ns: Annotated[Text, BeforeValidator(lambda ns: "" if ns is None else ns)] = ""
    checkpoint_id: Text | None = None
    checkpoint_map: dict[Text, Text] | None = None

    def place(self, thread_id: UUID) -> Place:
        """Return the place in a thread.

        Raises:
            OtherThread: it is in another one.
        """
        if self.thread_id not in (None, thread_id):
            raise OtherThread("The checkpoint is of another thread.")
        return Place(self.checkpoint_id, self.checkpoint_ns, self.checkpoint_map or {})


class OtherThread(InvalidInput):
    """Path and body name two threads."""

    status = 422


class _CheckpointConfig(Request):
    configurable: CheckpointBody


class StateAt(Request):
    """POST /threads/{thread_id}/state/checkpoint."""

    checkpoint: CheckpointBody
    subgraphs: bool = False
    select: list[Selected] | None = None


class StateUpdateBody(Request):
    """POST /threads/{thread_id}/state."""

    values: Annotated[dict[str, Any] | list[Any] | None, AfterValidator(storable)] = None
    as_node: Text | None = None
    checkpoint: CheckpointBody | None = None
    checkpoint_id: Text | None = None

    def place(self, thread_id: UUID) -> Place:
        """Return where the update goes.

        Raises:
            OtherThread: `checkpoint` is in another thread.
        """
        if self.checkpoint is None:
            return Place(self.checkpoint_id)
        return self.checkpoint.place(thread_id)


class HistorySearch(Request):
    """POST /threads/{thread_id}/history. `before` is a checkpoint, its id, or LangGraph's config of it."""

    limit: Limit = 10
    before: Text | CheckpointBody | _CheckpointConfig | None = None
    metadata: JsonObject | None = None
    checkpoint: CheckpointBody | None = None
    select: list[Selected] | None = None

    def before_id(self, thread_id: UUID) -> str | None:
        """Return the id of the checkpoint that the states come before.

        Raises:
            OtherThread: it is in another thread.
        """
        match self.before:
            case CheckpointBody():
                return self.before.place(thread_id).checkpoint_id
            case _CheckpointConfig():
                return self.before.configurable.place(thread_id).checkpoint_id
            case _:
                return self.before

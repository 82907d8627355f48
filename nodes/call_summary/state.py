"""The state of a call summary: plain JSON values only (X022)."""

from typing import Annotated, TypeVar

from typing_extensions import TypedDict

from nodes.call_summary.records import Message

V = TypeVar("V")


def merge(held: dict[str, V], new: dict[str, V] | None) -> dict[str, V]:
    """Add what a step brings, by its key; None begins anew (X020)."""
    return {} if new is None else {**held, **new}


class Input(TypedDict, total=False):
    """A recorded call by its id, or the messages themselves; then nothing is stored."""

    record_id: str | None
    messages: list[Message] | None


class Output(TypedDict):
    """The summary, and the tokens of all model calls that it took."""

    summary: str
    total_tokens: int


class Part(TypedDict):
    """One part of a long call: its number from 1, of how many, and the run's number of steps."""

    number: int
    count: int
    text: str
    total: int


class State(Input, Output):
    """All that a run keeps. `target` is the recorded call that gets the summary."""

    target: str | None
    digest: str
    parts: list[str]
    notes: Annotated[dict[str, str], merge]
    tokens: Annotated[dict[str, int], merge]
    draft: str
    missing: list[str]

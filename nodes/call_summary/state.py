"""The state of a call summary: plain JSON values (X022). What a client sends is one schema, what it gets another."""

from typing import Annotated, Final, Literal, get_args

from langgraph.channels import EphemeralValue
from pydantic import Field
from typing_extensions import TypedDict

from nodes.call_summary.records import Message

PointName = Literal["request", "key_information", "outcome"]
POINTS: Final[tuple[PointName, ...]] = get_args(PointName)


class SummaryInput(TypedDict, total=False):
    """A call to summarise: the id of a stored call, or its messages themselves (nothing is stored then)."""

    # Read in the first step and gone after it: a later run on the thread cannot inherit them (X020).
    record_id: Annotated[str, Field(title="Call record id"), EphemeralValue]
    messages: Annotated[list[Message], Field(title="Messages of the call"), EphemeralValue]


class SummaryOutput(TypedDict):
    """The summary, the tokens of all model calls it took, and which of the three points it covers (C017)."""

    summary: str
    total_tokens: int
    covered: dict[PointName, bool]


class Note(TypedDict):
    """What the model noted about one part of a long call."""

    text: str
    total_tokens: int


class PartTask(TypedDict):
    """One part to be noted; `steps` is the run's number of steps, for the progress."""

    index: int
    text: str
    parts: int
    steps: int


def merge_notes(held: dict[str, Note], new: dict[str, Note] | None) -> dict[str, Note]:
    """Add notes to those held, by the part's index; None forgets them, at the start of a run (X020)."""
    return {} if new is None else {**held, **new}


class SummaryState(SummaryInput, SummaryOutput):
    """All that a run keeps between its steps.

    Attributes:
        record: the id of the stored call that gets the summary; empty when none does.
        digest: of the transcript, see `transcript_digest`.
        parts: the transcript, in one part or several.
        steps: how many steps the run has, parts counted; a repair is not foreseen.
        notes: about the parts, by index; empty when there is only one.
        draft: the model's last answer, as it gave it.
        missing: what is wrong with the draft, see `rules.problems`.
        repaired: whether the one repair has been made.
    """

    record: str
    digest: str
    parts: list[str]
    steps: int
    notes: Annotated[dict[str, Note], merge_notes]
    draft: str
    missing: list[str]
    repaired: bool

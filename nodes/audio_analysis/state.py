"""The state of an analysis: ids, plain JSON and a storage key, never sound (X022)."""

from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

from tools.transcripts.model import Segment


class AnalysisInput(TypedDict):
    """The session whose recording is to be analysed."""

    session_id: Annotated[str, Field(title="Session id")]


class AnalysisOutput(TypedDict):
    """What was found, in a few sentences, and the recording's length in seconds; all of it is in the records."""

    session_id: str
    summary: str
    duration: float


class Stretch(TypedDict):
    """A part of the recording, in seconds from its beginning."""

    start: float
    end: float


class PartHeard(TypedDict):
    """What a model heard in one part; times count from the part's beginning.

    `heard_until` is where it began to repeat itself; None as a rule.
    """

    segments: list[Segment]
    heard_until: float | None


class PartTask(TypedDict):
    """One part to be transcribed. `as_it_is` is the recording's media type where it is sent unchanged, else empty."""

    session_id: str
    key: str
    as_it_is: str
    index: int
    parts: int
    start: float
    end: float
    steps: int


class PieceTask(TypedDict):
    """One piece of a long transcript, of which notes are to be taken."""

    index: int
    pieces: int
    text: str


def merge(held: dict[str, Any], new: dict[str, Any] | None) -> dict[str, Any]:
    """Add results to those held, by their index; None forgets them: at a run's start (X020), or when they are used."""
    return {} if new is None else {**held, **new}


class AnalysisState(AnalysisInput, AnalysisOutput):
    """All that a run keeps between its steps.

    Attributes:
        key: of the recording in storage.
        brought: whether the upload brought a transcript, which is read from the records then.
        as_it_is: the recording's media type where it is sent to the model unchanged.
        parts: which are transcribed, in order; empty with a transcript that was brought.
        steps: how many steps the run has.
        heard: what was heard in each part, by index; forgotten once it is joined.
        dialogues: what was heard in all of them; empty with a transcript that was brought.
        unheard: what the model repeated itself in, and that is therefore missing.
        pieces: how many pieces the transcript is reviewed in; their notes by index.
        reviewed: the checked answer of the review.
    """

    key: str
    brought: bool
    as_it_is: str
    parts: list[Stretch]
    steps: int
    heard: Annotated[dict[str, PartHeard], merge]
    dialogues: list[Segment]
    unheard: list[Stretch]
    pieces: list[str]
    notes: Annotated[dict[str, dict[str, Any]], merge]
    reviewed: dict[str, Any]

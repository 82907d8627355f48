"""Step 3: one transcript of all parts; and what a reader of it sees of that."""

import asyncio
import re
from typing import Any, Final

from langgraph.types import Send, StreamWriter

from core.errors import InvalidInput
from nodes.audio_analysis.lines import pieces_of
from nodes.audio_analysis.state import AnalysisState, PartHeard, PieceTask, Stretch
from nodes.audio_analysis.steps import audio_records, finished
from nodes.audio_analysis.utterances import renumbered
from tools.audio.joining import Heard, join
from tools.audio.parts import Part
from tools.transcripts.model import Segment

_SHORTEST: Final = 0.001
_SPOKEN: Final = re.compile(r"\w")


async def segments(state: AnalysisState, *, writer: StreamWriter) -> dict[str, Any]:
    """Join what was heard, and split it into pieces for the review.

    Raises:
        InvalidInput: nobody says anything in the recording (NO_SPEECH).
        NotFound: the session was deleted in the meantime.
    """
    joined: list[Segment] = []
    if not state["brought"]:
        # The seams of four hours take some seconds.
        joined = await asyncio.to_thread(_joined, state["parts"], state["heard"], state["duration"])
    spoken = joined or await dialogues_of(state)
    if not any(_SPOKEN.search(segment["text"]) for segment in spoken):
        raise InvalidInput("录音中没有听到说话的内容", code="NO_SPEECH")
    pieces = await asyncio.to_thread(pieces_of, spoken)
    await finished(writer, state["session_id"], "segments", state["steps"])
    return {
        "dialogues": joined,
        "unheard": _unheard(state["parts"], state["heard"]),
        "heard": None,
        "pieces": pieces if len(pieces) > 1 else [],
    }


async def dialogues_of(state: AnalysisState) -> list[Segment]:
    """Return who said what: as it was heard, or as the upload brought it."""
    if state["brought"]:
        return (await audio_records().recording(state["session_id"]))["transcript"]
    return state["dialogues"]


def to_pieces(state: AnalysisState) -> list[Send] | str:
    """Send each piece of a long transcript to a task of its own; a short one is reviewed as it is."""
    pieces = state["pieces"]
    return [
        Send("note", PieceTask(index=index, pieces=len(pieces), text=text)) for index, text in enumerate(pieces)
    ] or "review"


def _joined(parts: list[Stretch], heard: dict[str, PartHeard], duration: float) -> list[Segment]:
    ordered = [Heard(Part(**part), heard[str(index)]["segments"]) for index, part in enumerate(parts)]
    found = sorted(join(ordered), key=lambda segment: segment["start"])
    return [_tidied(segment, duration) for segment in renumbered(found)]


def _tidied(segment: Segment, duration: float) -> Segment:
    start = max(0.0, min(segment["start"], duration - _SHORTEST))
    end = min(max(segment["end"], start + _SHORTEST), duration)
    return Segment(speaker=segment["speaker"], start=round(start, 3), end=round(end, 3), text=segment["text"])


def _unheard(parts: list[Stretch], heard: dict[str, PartHeard]) -> list[Stretch]:
    """Return where the model stopped hearing until the part's end; the next part may have heard its overlap."""
    found = []
    for index, part in enumerate(parts):
        until = heard[str(index)]["heard_until"]
        end = parts[index + 1]["start"] if index + 1 < len(parts) else part["end"]
        if until is not None and part["start"] + until < end:
            found.append(Stretch(start=round(part["start"] + until, 3), end=round(end, 3)))
    return found

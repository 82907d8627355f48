"""The messages for the models: rules in the system message, sound and words as data in the user's (X029)."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from nodes.common.prompts import as_data, load

_PACKAGE: Final = "nodes.audio_analysis"
_HEARING: Final = SystemMessage(load(_PACKAGE, "hearing").text)
_WHOLE: Final = load(_PACKAGE, "whole")
_PART: Final = load(_PACKAGE, "part")
_REPAIR: Final = load(_PACKAGE, "repair")
_REVIEWING: Final = SystemMessage(load(_PACKAGE, "reviewing").text)
_TRANSCRIPT: Final = load(_PACKAGE, "transcript")
_PIECE: Final = load(_PACKAGE, "piece")
_NOTES: Final = load(_PACKAGE, "notes")


def about_sound(block: dict[str, Any], number: int, parts: int, length: float) -> list[BaseMessage]:
    """Ask for the transcript of one part, `length` seconds long; `number` counts from 1."""
    prompt = _WHOLE if parts == 1 else _PART
    text = prompt.render(number=number, parts=parts, length=f"{length:.0f}")
    return [_HEARING, HumanMessage([{"type": "text", "text": text}, block])]


def repair(wrong: str) -> str:
    """Return the words that ask for a transcript once more, and say what was wrong with the last one."""
    return _REPAIR.render(wrong=wrong)


def about_transcript(text: str) -> list[BaseMessage]:
    """Ask for the review of a whole transcript."""
    return [_REVIEWING, HumanMessage(_TRANSCRIPT.render(transcript=as_data("transcript", text)))]


def about_piece(text: str, number: int, pieces: int) -> list[BaseMessage]:
    """Ask for the review of one piece of a long transcript; `number` counts from 1."""
    prompt = _PIECE.render(number=number, pieces=pieces, transcript=as_data("transcript", text))
    return [_REVIEWING, HumanMessage(prompt)]


def about_notes(notes: Mapping[str, Mapping[str, Any]]) -> list[BaseMessage]:
    """Ask for one review from those of all pieces, a line of JSON for each, in the conversation's order."""
    lines = [orjson.dumps(notes[index]).decode() for index in sorted(notes, key=int)]
    return [_REVIEWING, HumanMessage(_NOTES.render(pieces=len(lines), notes=as_data("notes", "\n".join(lines))))]

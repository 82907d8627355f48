"""Asking for a transcript, and reading the answer: as JSON, of what is whole, without what repeats itself (X028)."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from core.errors import ModelFailed
from nodes.audio_analysis.loops import repeats_itself, without_loops
from nodes.audio_analysis.prompting import repair
from nodes.audio_analysis.state import PartHeard
from nodes.audio_analysis.utterances import checked
from nodes.common.attempts import ask
from nodes.common.structured import Unusable
from tools.transcripts.model import Segment

_LONGEST_SHOWN: Final = 4000
# Nobody says so much in seven minutes; beyond it nothing is read.
_LONGEST_READ: Final = 200_000
_MOST_STARTS: Final = 60
# How many new characters are worth another look for repetitions.
_LOOK_EACH: Final = 500

log = structlog.get_logger(__name__)


class _HeardEnough(Exception):
    """The model repeats itself; what follows would be paid for and thrown away."""


class _Listener:
    """Takes an answer while it comes."""

    def __init__(self) -> None:
        self.text = ""
        self._looked = 0

    def hear(self, piece: str) -> None:
        self.text += piece
        if len(self.text) - self._looked >= _LOOK_EACH:
            self._looked = len(self.text)
            if repeats_itself(self.text) or len(self.text) > _LONGEST_READ:
                raise _HeardEnough

    def begin_again(self) -> None:
        self.text = ""
        self._looked = 0


@dataclass(frozen=True)
class Answered:
    """The segments of an answer, and whether it was all there."""

    segments: list[Segment]
    whole: bool


async def listen(question: Sequence[BaseMessage], length: float) -> PartHeard:
    """Ask for the transcript of a part of `length` seconds; what cannot be used is asked for once more.

    Where the model repeats itself again, what it heard before counts, and it is told up to where that is.

    Raises:
        ModelFailed: no attempt brought an answer, or neither of the two answers can be used.
    """
    looped: PartHeard | None = None
    asked = list(question)
    for _attempt in range(2):
        text, looping = await _asked(asked)
        try:
            answered = read(text, length)
        except Unusable as unusable:
            wrong = str(unusable)
        else:
            if answered.whole and not looping:
                return PartHeard(segments=answered.segments, heard_until=None)
            wrong = "回答不断重复同一段话，没有写完" if looping else "回答没有写完，JSON 在中途断了"
            if looping and (looped is None or _end(answered.segments) > (looped["heard_until"] or 0)):
                looped = PartHeard(segments=answered.segments, heard_until=_end(answered.segments))
        log.warning("transcription_unusable", looping=looping, characters=len(text))
        shown = [AIMessage(text[:_LONGEST_SHOWN])] if text.strip() else []
        asked = [*question, *shown, HumanMessage(repair(wrong))]
    if looped is None:
        raise ModelFailed("模型没有给出可用的转写，请稍后再试")
    return looped


async def _asked(messages: list[BaseMessage]) -> tuple[str, bool]:
    listener = _Listener()
    try:
        # As a stream: Qwen-Omni answers in no other way.
        answer = await ask("transcribe", messages, on_text=listener.hear, on_restart=listener.begin_again)
    except _HeardEnough:
        return listener.text, True
    return answer.text, repeats_itself(answer.text)


def read(text: str, length: float) -> Answered:
    """Return the segments of an answer; of one that breaks off, those that are whole.

    Raises:
        Unusable: there is no list of segments in it, or what there is cannot be one.
    """
    lists: list[list[Any]] = []
    loose: list[Any] = []
    for value in _values(text[:_LONGEST_READ]):
        if isinstance(value, dict) and "text" in value:
            loose.append(value)
        elif (listed := _listed(value)) is not None:
            lists.append(listed)
    # Some think aloud in JSON first: the longest list is the answer.
    answer = max(lists, key=len, default=[])
    if not lists and not loose:
        raise Unusable("回答里没有完整的 JSON 对象")
    whole = bool(answer or not loose)
    return Answered(without_loops(checked(answer if whole else loose, length)), whole)


def _listed(value: Any) -> list[Any] | None:
    """Return a list of objects, or the first one in an object."""
    values = [value] if isinstance(value, list) else list(value.values())
    lists = (one for one in values if isinstance(one, list))
    return next((one for one in lists if all(isinstance(entry, dict) for entry in one)), None)


def _values(text: str) -> Iterator[Any]:
    """Give the JSON values of a text that stand in no other; within one that is not closed, those that are."""
    decoder = json.JSONDecoder(parse_constant=lambda _name: None)
    place, failures = _next(text, 0), 0
    while place >= 0 and failures < _MOST_STARTS:
        try:
            found, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            failures += 1
            place += 1
        else:
            yield found
        place = _next(text, place)


def _next(text: str, place: int) -> int:
    places = [found for found in (text.find("{", place), text.find("[", place)) if found >= 0]
    return min(places, default=-1)


def _end(segments: list[Segment]) -> float:
    return max((segment["end"] for segment in segments), default=0.0)

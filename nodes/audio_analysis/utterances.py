"""What a model says was said, checked: times that are within the part, in order, and words that are words (X028)."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import AliasChoices, BaseModel, BeforeValidator, Field, ValidationError

from nodes.common.fields import clipped
from nodes.common.structured import Unusable
from tools.transcripts.model import MOST_SPEAKER, MOST_TEXT, Segment
from tools.transcripts.read import tidy

# `1:02:03.5`, `01:23`, `00:00:12,500`, `83.4s`, `83`.
_TIME: Final = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,3}):)?(\d{1,7}(?:[.,]\d{1,9})?)\s*(?:s|秒|sec|seconds)?")
_SIXTY: Final = 60
# Where a model gives no end, or one before the beginning: about the speed at which people speak.
_SECONDS_A_CHARACTER: Final = 0.2
_SHORTEST: Final = 0.1
# A few wrong entries are left out; an answer of which more is wrong is no transcript.
_MOST_WRONG: Final = 0.25
_TOLERANCE_SECONDS: Final = 2.0


def _seconds(value: Any) -> float:
    if isinstance(value, str) and (found := _TIME.fullmatch(value.strip().strip("[]"))):
        hours, minutes, seconds = found.groups()
        value = int(hours or 0) * _SIXTY**2 + int(minutes or 0) * _SIXTY + float(seconds.replace(",", "."))
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 10**7:
        raise ValueError("须为秒数")
    return float(value)


def _seconds_or_none(value: Any) -> float | None:
    try:
        return _seconds(value)
    except ValueError:
        return None


class _Said(BaseModel):
    speaker: Annotated[str, clipped(MOST_SPEAKER)] = ""
    start: Annotated[float, BeforeValidator(_seconds)] = Field(validation_alias=AliasChoices("start", "start_time"))
    end: Annotated[float | None, BeforeValidator(_seconds_or_none)] = Field(
        None, validation_alias=AliasChoices("end", "end_time")
    )
    text: Annotated[str, clipped(MOST_TEXT)]


def checked(found: Sequence[Any], length: float) -> list[Segment]:
    """Return segments within a part of `length` seconds, in order of their beginnings; empty ones are left out.

    Whatever the model calls the speakers, they are numbered: names of two parts must be of one kind to be joined.

    Raises:
        Unusable: too many of them are none, or they are not of this part.
    """
    said, wrong = [], 0
    for entry in found:
        try:
            said.append(_Said.model_validate(entry))
        except ValidationError:
            wrong += 1
    if wrong > _MOST_WRONG * len(found):
        raise Unusable("segments 里的每一项都要有 speaker、start、end（秒）和 text")
    if sum(one.start > length + _TOLERANCE_SECONDS for one in said) > _MOST_WRONG * len(said):
        raise Unusable(f"时间从这段录音的开头算起，应在 0 到 {length:.0f} 秒之间")
    segments = [_segment(one, length) for one in said]
    spoken = sorted((segment for segment in segments if segment["text"]), key=lambda segment: segment["start"])
    return renumbered(spoken)


def renumbered(segments: Sequence[Segment]) -> list[Segment]:
    """Return segments whose speakers are Speaker_0, Speaker_1 … in the order in which they first speak."""
    names: dict[str, str] = {}
    for segment in segments:
        names.setdefault(segment["speaker"], f"Speaker_{len(names)}")
    return [Segment(**{**segment, "speaker": names[segment["speaker"]]}) for segment in segments]


def _segment(said: _Said, length: float) -> Segment:
    text = tidy(said.text)
    shortest = min(_SHORTEST, length)
    start = min(said.start, length - shortest)
    end = said.end
    if end is None or end <= start:
        end = start + _SECONDS_A_CHARACTER * len(text)
    end = min(max(end, start + shortest), length)
    return Segment(speaker=tidy(said.speaker), start=round(start, 3), end=round(end, 3), text=text)

"""From a transcript file's bytes to segments: WebVTT, SRT, or JSON, told apart by content.

The JSON is `{"segments": [{"speaker": "老板", "start": 0.0, "end": 2.5, "text": "…"}, …]}` or the bare list; times are
seconds; `speaker` may be missing; other keys are not looked at, so that the output of usual recognisers can be brought
as it is.
"""

import math
from typing import Any, Final

import orjson

from tools.transcripts import cues
from tools.transcripts.model import (
    MOST_BYTES,
    MOST_SECONDS,
    MOST_SEGMENTS,
    MOST_SPEAKER,
    MOST_TEXT,
    UNKNOWN_SPEAKER,
    Segment,
    TranscriptRefused,
)

# Encoders add a little at the end, and people round up.
_TOLERANCE_SECONDS: Final = 2.0


def read(content: bytes, duration: float | None = None) -> list[Segment]:
    """Return a transcript's segments, in the order of their beginnings. The largest take a second: call it in a thread.

    Segments may overlap, as people do. With the recording's `duration` in seconds, an end a little beyond it is set
    to it.

    Raises:
        TranscriptRefused: it is of no form that is read, broken, empty, too large, or not of this recording.
    """
    if len(content) > MOST_BYTES:
        raise TranscriptRefused("too_large")
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        raise TranscriptRefused("encoding") from None
    segments = [_checked(segment, duration) for segment in _by_form(text)]
    if len(segments) > MOST_SEGMENTS:
        raise TranscriptRefused("too_large")
    segments = [segment for segment in segments if segment["text"]]
    if not segments:
        raise TranscriptRefused("empty")
    return sorted(segments, key=lambda segment: (segment["start"], segment["end"]))


def _by_form(text: str) -> list[Segment]:
    if not text.strip():
        raise TranscriptRefused("empty")
    if text.lstrip()[0] in "[{" and not cues.is_srt(text):
        return _json(text)
    if cues.is_webvtt(text) or cues.is_srt(text):
        return cues.read(text)
    raise TranscriptRefused("unsupported")


def _json(text: str) -> list[Segment]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise TranscriptRefused("broken") from None
    listed = found.get("segments") if isinstance(found, dict) else found
    if not isinstance(listed, list):
        raise TranscriptRefused("broken")
    if len(listed) > MOST_SEGMENTS:
        raise TranscriptRefused("too_large")
    return [_segment(entry) for entry in listed]


def _segment(entry: Any) -> Segment:
    if not isinstance(entry, dict) or not isinstance(entry.get("text"), str):
        raise TranscriptRefused("broken")
    speaker = entry.get("speaker")
    if speaker is not None and not isinstance(speaker, str):
        raise TranscriptRefused("broken")
    start, end = entry.get("start"), entry.get("end")
    # A bool is an int to Python.
    if isinstance(start, bool) or isinstance(end, bool):
        raise TranscriptRefused("times")
    if not isinstance(start, int | float) or not isinstance(end, int | float):
        raise TranscriptRefused("times")
    return Segment(speaker=speaker or "", start=start, end=end, text=entry["text"])


def _checked(segment: Segment, duration: float | None) -> Segment:
    start, end = segment["start"], segment["end"]
    if not (0 <= start < end <= MOST_SECONDS and math.isfinite(end)):
        raise TranscriptRefused("times")
    if duration is not None:
        if start >= duration or end > duration + _TOLERANCE_SECONDS:
            raise TranscriptRefused("outside")
        end = min(end, duration)
    text = tidy(segment["text"])
    speaker = tidy(segment["speaker"]) or UNKNOWN_SPEAKER
    if len(text) > MOST_TEXT or len(speaker) > MOST_SPEAKER:
        raise TranscriptRefused("too_large")
    return Segment(speaker=speaker, start=round(float(start), 3), end=round(float(end), 3), text=text)


def tidy(text: str) -> str:
    """Return a text in one line, without what cannot be printed or stored."""
    # No database keeps a NUL in a text, and no reader sees the other controls.
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())

"""WebVTT (https://www.w3.org/TR/webvtt1/) and SRT: blocks of a line with times and lines of text."""

import html
import re
from collections import Counter
from typing import Final

from tools.transcripts.model import UNKNOWN_SPEAKER, Segment, TranscriptRefused

_TIME: Final = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{2})[.,](\d{1,3})"
_TIMING: Final = re.compile(rf"{_TIME}[ \t]+-->[ \t]+{_TIME}(?:[ \t].*)?")
_BLOCK: Final = re.compile(r"\n(?:[ \t]*\n)+")
_NOT_CUES: Final = re.compile(r"(?:NOTE|STYLE|REGION)(?:[ \t\n]|$)")
# `<v.loud 老板>`; a cue may hold several. No part of it may run over the next `<`, or many of them take forever.
_VOICE: Final = re.compile(r"<v(?:\.[^\s<>]*)?[ \t]([^<>]*)>")
_TAG: Final = re.compile(r"</?[a-zA-Z0-9][^<>]*>|\{\\[^{}]*\}")
_BRACKETED: Final = re.compile(r"[\[【]([^\]】\n]{1,30})[\]】][ \t]*[:：]?[ \t]*")
# A name begins with no digit, or `12:30 we met` had a speaker called 12.
_NAMED: Final = re.compile(r"([^\W\d_][^:：\n,，。.!！?？]{0,29})[:：][ \t]*(?=\S)")
_SIXTY: Final = 60
# A colon makes a name where it does so again; `注意：明天交` once does not.
_OFTEN: Final = 2


def is_webvtt(text: str) -> bool:
    """Return whether a text says that it is WebVTT."""
    return re.match(r"WEBVTT(?:[ \t\n]|$)", text) is not None


def is_srt(text: str) -> bool:
    """Return whether a text begins as SRT does: a number (some leave it out), then times."""
    return re.match(rf"\s*(?:\d+[ \t]*\n)?{_TIMING.pattern}", text) is not None


def read(text: str) -> list[Segment]:
    """Return the cues' segments in the file's order; their times are not checked.

    Raises:
        TranscriptRefused: a block is no cue.
    """
    found: list[Segment] = []
    for number, block in enumerate(_BLOCK.split(text.strip())):
        if (number == 0 and is_webvtt(block) and "-->" not in block) or _NOT_CUES.match(block):
            continue
        found += _cue(block)
    return _named(found)


def _cue(block: str) -> list[Segment]:
    lines = block.split("\n")
    at = next((number for number, line in enumerate(lines[:3]) if _TIMING.fullmatch(line.strip())), None)
    timing = _TIMING.fullmatch(lines[at].strip()) if at is not None else None
    if at is None or timing is None:
        raise TranscriptRefused("broken")
    groups = timing.groups()
    start, end = _seconds(*groups[:4]), _seconds(*groups[4:])
    said = _voices("\n".join(lines[at + 1 :]))
    # Voices share a cue's time by the length of what they say.
    whole, passed = sum(len(text) for _, text in said) or 1, 0
    segments = []
    for speaker, text in said:
        begin = start + (end - start) * passed / whole
        passed += len(text)
        segments.append(Segment(speaker=speaker, start=begin, end=start + (end - start) * passed / whole, text=text))
    return segments


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str) -> float:
    if int(minutes) >= _SIXTY or int(seconds) >= _SIXTY:
        raise TranscriptRefused("times")
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(fraction.ljust(3, "0")) / 1000


def _voices(text: str) -> list[tuple[str, str]]:
    first, *rest = _VOICE.split(text)
    voices = [("", first), *zip(rest[::2], rest[1::2], strict=True)]
    plain = [(_plain(speaker), _plain(said)) for speaker, said in voices]
    return [(speaker, said) for speaker, said in plain if said]


def _plain(text: str) -> str:
    return " ".join(html.unescape(_TAG.sub("", text)).split())


def _named(segments: list[Segment]) -> list[Segment]:
    """Take speakers from the beginnings of texts, where the cues have none of their own."""
    without = [segment for segment in segments if not segment["speaker"]]
    names = Counter(match[1].strip() for segment in without if (match := _NAMED.match(segment["text"])))
    everywhere = sum(names.values()) == len(without)
    for segment in without:
        match = _BRACKETED.match(segment["text"])
        if match is None:
            match = _NAMED.match(segment["text"])
            if match and not everywhere and names[match[1].strip()] < _OFTEN:
                match = None
        if match and segment["text"][match.end() :]:
            segment["speaker"], segment["text"] = match[1].strip(), segment["text"][match.end() :]
        else:
            segment["speaker"] = UNKNOWN_SPEAKER
    return segments

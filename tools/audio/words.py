"""Segments as single words with times, and back. A word of Chinese is a character here: models break them anywhere."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tools.audio.parts import Part
from tools.transcripts.model import Segment

_CHINESE: Final = "[\u3400-\u9fff\U00020000-\U0003ffff]"
_LETTER: Final = rf"(?:(?!{_CHINESE})[^\W_])"
# A word takes the punctuation and the space after it along, so that the words together are the text.
_WORD: Final = re.compile(rf"(?:{_CHINESE}|{_LETTER}+(?:['’-]{_LETTER}+)*)[\W_]*|[\W_]+")

_ENDS: Final = frozenset("。！？.!?…")
# Whoever goes on after more than this begins anew.
_PAUSE_SECONDS: Final = 2.0


@dataclass(frozen=True)
class Word:
    """A word as it was written, what it is compared by, and which segment of which part it is from.

    `middle` says which stretch it belongs to.
    """

    text: str
    key: str
    speaker: str
    start: float
    end: float
    middle: float
    segment: tuple[float, int]


def words(segments: Iterable[Segment], part: Part) -> list[Word]:
    """Return the words of what was heard in a part; a segment's time is shared among them by their length.

    The segments' times count from the part's beginning, the words' from the recording's. Nobody hears beyond the
    part's ends: a time that says so is moved there, or the word would be lost where parts are joined.
    """
    found = []
    for number, segment in enumerate(segments):
        each = (segment["end"] - segment["start"]) / max(1, len(segment["text"]))
        at = segment["start"] + part.start
        for piece in _WORD.findall(segment["text"]):
            end = at + each * len(piece)
            # In milliseconds: the same time counted from two beginnings differs in its last digits.
            start, middle, stop = (round(min(max(time, part.start), part.end), 3) for time in (at, (at + end) / 2, end))
            found.append(Word(piece, _key(piece), segment["speaker"], start, stop, middle, (part.start, number)))
            at = end
    return found


def _key(piece: str) -> str:
    plain = unicodedata.normalize("NFKC", piece).casefold()
    return "".join(character for character in plain if character.isalnum()) or piece.strip()


def as_segments(spoken: list[Word]) -> list[Segment]:
    """Return segments of words in their order. A sentence that goes over a seam stays one segment."""
    found: list[Segment] = []
    last: Word | None = None
    for word in spoken:
        if last is None or not _together(last, word):
            found.append(Segment(speaker=word.speaker, start=word.start, end=word.end, text=word.text))
        else:
            between = " " if last.segment != word.segment and _needs_space(last.text, word.text) else ""
            found[-1]["text"] += between + word.text
            found[-1]["end"] = max(found[-1]["end"], word.end)
        last = word
    for segment in found:
        segment["text"] = segment["text"].strip()
        segment["start"], segment["end"] = round(segment["start"], 3), round(segment["end"], 3)
    return [segment for segment in found if segment["text"]]


def _together(last: Word, word: Word) -> bool:
    if last.segment == word.segment:
        return True
    ended = last.text.rstrip()[-1:] in _ENDS
    over_a_seam = last.segment[0] != word.segment[0] and word.start - last.end < _PAUSE_SECONDS
    return over_a_seam and last.speaker == word.speaker and not ended


def _needs_space(before: str, after: str) -> bool:
    return not before[-1:].isspace() and not re.match(_CHINESE, before[-1]) and not re.match(_CHINESE, after)

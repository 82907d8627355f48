"""Joining what was heard in overlapping parts, without repeated or lost words. Pure functions.

Where two parts overlap, both heard the same words; one seam decides which part's words count. Models' times are off by
a second or more, so a seam by time alone repeats words or loses some. The seam goes through the middle of the longest
run of words that both heard at about the same time; only where there is none, through the middle of the overlap.
"""

from dataclasses import dataclass
from typing import Final

from tools.audio.parts import Part
from tools.audio.speakers import renamed
from tools.audio.words import Word, as_segments, words
from tools.transcripts.model import Segment

# How far apart two parts' times of the same word may be, in seconds.
TOLERANCE_SECONDS: Final = 4.0
# Shorter runs are chance: 的, 是, 好.
_SHORTEST_RUN: Final = 3
# A word at the very edge of the overlap may have been heard by one part only.
_EDGE_SECONDS: Final = 0.01
# Nobody says more in the overlap and the tolerance around it; a model that repeats itself does.
_MOST_WORDS: Final = 600


@dataclass(frozen=True)
class Heard:
    """What a model heard in one part; the segments' times count from the part's beginning."""

    part: Part
    segments: list[Segment]


@dataclass(frozen=True)
class Seam:
    """The first part's words count up to `left`, the second's from `right`; `pairs` are places of the same words."""

    left: int
    right: int
    pairs: list[tuple[int, int]]


def join(heard: list[Heard]) -> list[Segment]:
    """Return one transcript of parts in their order, its times counted from the recording's beginning.

    The second part's names for speakers become the first one's where they said the same words.
    """
    if not heard:
        return []
    joined = words(heard[0].segments, heard[0].part)
    for number, following in enumerate(heard[1:], 1):
        spoken = words(following.segments, following.part)
        found = seam(joined, spoken, Part(following.part.start, heard[number - 1].part.end))
        named = renamed(joined, spoken, found.pairs)
        joined = [*joined[: found.left], *named[found.right :]]
    return as_segments(joined)


def seam(first: list[Word], second: list[Word], overlap: Part) -> Seam:
    """Return where to go over from one part's words to the next one's."""
    low, high = overlap.start - TOLERANCE_SECONDS, overlap.end + TOLERANCE_SECONDS
    from_left = max(
        next((at for at, word in enumerate(first) if word.middle >= low), len(first)), len(first) - _MOST_WORDS
    )
    to_right = min(next((at for at, word in enumerate(second) if word.middle > high), len(second)), _MOST_WORDS)
    run = _exact(first, second, overlap)
    if run is None:
        run = _longest_run(first, from_left, second[:to_right])
    if not run:
        return _by_time(first, second, overlap)
    left, right = run[len(run) // 2]
    return Seam(left, right, run)


def _by_time(first: list[Word], second: list[Word], overlap: Part) -> Seam:
    """Return the seam in the middle of the overlap; where one part heard nothing in there, all of both is kept."""
    if all(word.middle < overlap.start for word in first) or all(word.middle > overlap.end for word in second):
        return Seam(len(first), 0, [])
    middle = (overlap.start + overlap.end) / 2
    left = next((at for at, word in enumerate(first) if word.middle >= middle), len(first))
    right = next((at for at, word in enumerate(second) if word.middle >= middle), len(second))
    return Seam(left, right, [])


def _exact(first: list[Word], second: list[Word], overlap: Part) -> list[tuple[int, int]] | None:
    """Return pairs of all words within the overlap, where both parts heard the same there (or nothing); else None.

    It comes first because runs cannot tell repetitions apart: in `no no no no` the longest one may be askew.
    """
    low, high = overlap.start + _EDGE_SECONDS, overlap.end - _EDGE_SECONDS
    ours = [at for at, word in enumerate(first) if low <= word.middle < high]
    theirs = [at for at, word in enumerate(second) if low <= word.middle < high]
    if [first[at].key for at in ours] != [second[at].key for at in theirs]:
        return None
    return list(zip(ours, theirs, strict=True))


def _longest_run(first: list[Word], offset: int, second: list[Word]) -> list[tuple[int, int]]:
    """Return places of the longest run of the same words at about the same times; of equals, of the closest ones."""
    best: tuple[int, float, int, int] = (_SHORTEST_RUN - 1, 0.0, 0, 0)
    before = [0] * (len(second) + 1)
    for at in range(offset, len(first)):
        word, lengths = first[at], [0] * (len(second) + 1)
        for other, heard in enumerate(second):
            away = abs(word.middle - heard.middle)
            if word.key == heard.key and away <= TOLERANCE_SECONDS:
                length = lengths[other + 1] = before[other] + 1
                if (length, -away) > best[:2]:
                    best = (length, -away, at, other)
        before = lengths
    length, _, at, other = best
    if length < _SHORTEST_RUN:
        return []
    return [(at - back, other - back) for back in range(length - 1, -1, -1)]

"""Models that transcribe sometimes fall into saying the same thing until their limit. Pure functions."""

import re
from typing import Final

from tools.transcripts.model import Segment

# Segments of a loop differ in their times only.
_TIMES: Final = re.compile(r'"(?:start|end)(?:_time)?"\s*:\s*"?[\d.:]+"?')
_LONGEST_PERIOD: Final = 400
# People do say the same again: `no no no`, `嗯` into a telephone.
_MOST_TIMES: Final = 30
_LEAST_CHARACTERS: Final = 600
_TAIL: Final = 2 * _LONGEST_PERIOD * _MOST_TIMES

_IN_A_TEXT: Final = re.compile(rf"(.{{1,40}}?)\1{{{_MOST_TIMES - 1},}}")
_LONGEST_CYCLE: Final = 4
_MOST_CYCLES: Final = 12


def repeats_itself(text: str) -> bool:
    """Tell whether an answer ends in the same words, thirty times and for six hundred characters."""
    tail = _TIMES.sub('"":0', text[-_TAIL:])
    return any(_has_period(tail, period) for period in range(1, _LONGEST_PERIOD + 1))


def _has_period(tail: str, period: int) -> bool:
    last = tail[-period:]
    times = max(_MOST_TIMES, -(-_LEAST_CHARACTERS // period))
    return tail[-2 * period : -period] == last and tail.endswith(last * times)


def without_loops(segments: list[Segment]) -> list[Segment]:
    """Return segments of which those that repeat the ones before them, a dozen times and more, are left out."""
    spoken = [Segment(**{**segment, "text": _IN_A_TEXT.sub(r"\1", segment["text"])}) for segment in segments]
    kept: list[Segment] = []
    at = 0
    while at < len(spoken):
        cycle, times = max(((cycle, _cycles(spoken, at, cycle)) for cycle in range(1, _LONGEST_CYCLE + 1)), key=_length)
        repeated = times >= _MOST_CYCLES
        kept += spoken[at : at + (cycle if repeated else 1)]
        at += cycle * times if repeated else 1
    return kept


def _cycles(spoken: list[Segment], at: int, cycle: int) -> int:
    """Return how often the `cycle` segments from `at` on are said, one time after the other."""
    times = 1
    while at + cycle * (times + 1) <= len(spoken) and all(
        _words(spoken[at + place]) == _words(spoken[at + cycle * times + place]) for place in range(cycle)
    ):
        times += 1
    return times


def _words(segment: Segment) -> tuple[str, str]:
    return segment["speaker"], segment["text"]


def _length(found: tuple[int, int]) -> tuple[bool, int, int]:
    cycle, times = found
    return times >= _MOST_CYCLES, cycle * times, -cycle

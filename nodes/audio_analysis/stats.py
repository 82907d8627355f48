"""Numbers that are counted, not asked of a model: who spoke how long, how often, and over whom. Pure functions."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nodes.audio_analysis.state import Stretch
from tools.transcripts.model import Segment

# A Chinese character is a word here, as in the usual count of characters.
_WORD: Final = re.compile("[\u3400-\u9fff]|[^\\W_\u3400-\u9fff]+(?:['’-][^\\W_\u3400-\u9fff]+)*")
# Less is no interruption but the models' times.
_OVERLAP_SECONDS: Final = 0.3
# A transcript may be brought in which each line has a speaker of its own.
MOST_SPEAKERS: Final = 100


def stats_of(segments: Sequence[Segment], duration: float, unheard: Sequence[Stretch]) -> dict[str, Any]:
    """Return the numbers of a conversation; times in seconds.

    Returns:
        `duration`; `speech_seconds` in which somebody speaks; `turns`, that is changes of speaker and one; `words`;
        `speakers`, the one who speaks longest first and at most a hundred, each with `speaker`, `seconds`, `share` of
        all that is spoken (0 to 1), `turns`, `words`, `longest_seconds` of a segment, and `interruptions` of others;
        `unheard`, the stretches that the model could not transcribe.
    """
    ordered = sorted(segments, key=lambda segment: (segment["start"], segment["end"]))
    speakers = _speakers(ordered)
    spoken = sum(one.seconds for one in speakers.values()) or 1.0
    longest = sorted(speakers.items(), key=lambda item: -item[1].seconds)[:MOST_SPEAKERS]
    return {
        "duration": round(duration, 3),
        "speech_seconds": _covered(ordered),
        "turns": sum(one.turns for one in speakers.values()),
        "words": sum(one.words for one in speakers.values()),
        "speakers": [{"speaker": name, **one.told(spoken)} for name, one in longest],
        "unheard": [dict(stretch) for stretch in unheard],
    }


@dataclass
class _Speaker:
    seconds: float = 0.0
    longest: float = 0.0
    turns: int = 0
    words: int = 0
    interruptions: int = 0

    def told(self, spoken: float) -> dict[str, Any]:
        return {
            "seconds": round(self.seconds, 3),
            "share": round(self.seconds / spoken, 4),
            "turns": self.turns,
            "words": self.words,
            "longest_seconds": round(self.longest, 3),
            "interruptions": self.interruptions,
        }


def _speakers(ordered: Sequence[Segment]) -> dict[str, _Speaker]:
    speakers: dict[str, _Speaker] = defaultdict(_Speaker)
    before: Segment | None = None
    # Who has the floor: of those who began, the one who speaks on longest.
    floor: Segment | None = None
    for segment in ordered:
        one, seconds = speakers[segment["speaker"]], segment["end"] - segment["start"]
        one.seconds += seconds
        one.longest = max(one.longest, seconds)
        one.words += len(_WORD.findall(segment["text"]))
        one.turns += before is None or before["speaker"] != segment["speaker"]
        if floor is not None and floor["speaker"] != segment["speaker"]:
            one.interruptions += floor["end"] - segment["start"] > _OVERLAP_SECONDS
        if floor is None or segment["end"] > floor["end"]:
            floor = segment
        before = segment
    return speakers


def _covered(ordered: Iterable[Segment]) -> float:
    covered = until = 0.0
    for segment in ordered:
        covered += max(0.0, segment["end"] - max(segment["start"], until))
        until = max(until, segment["end"])
    return round(covered, 3)

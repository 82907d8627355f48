"""Checks of a strategy against its conversation: countable, and not by the code that made it."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Final

from server.evaluation.audio_transcripts import LabelledTranscript
from server.evaluation.recorded_sessions import holds

Strategy = Mapping[str, Any]
_RUN: Final = 3
# The share of runs of three letters from which a reader says: this I have read already.
_REPEATED: Final = 0.6


def attribution(strategy: Strategy) -> bool:
    """Each piece names skills that were applied, and each applied skill is in a piece."""
    applied = set(strategy["applied_skills"])
    named = [set(one["skills"]) for one in strategy["strategies"]]
    return bool(named) and all(one and one <= applied for one in named) and set().union(*named) == applied


def quoted(transcript: LabelledTranscript, strategy: Strategy) -> tuple[int, int]:
    """Return how many quotes were said, and how many there are."""
    said = _letters("".join(segment["text"] for segment in transcript.dialogues))
    quotes = [quote for one in strategy["strategies"] for quote in one["quotes"]]
    parts = ([_letters(part) for part in quote.replace("...", "…").split("…")] for quote in quotes)
    return sum(all(part in said for part in each) for each in parts), len(quotes)


def without_quotes(strategy: Strategy) -> int:
    """Return how many pieces rest on no quote."""
    return sum(not one["quotes"] for one in strategy["strategies"])


def repeated(strategy: Strategy) -> int:
    """Return how many pairs of pieces say the same in nearly the same words."""
    texts = [_runs(f"{one['advice']} {one['script']}") for one in strategy["strategies"]]
    return sum(len(one & other) > _REPEATED * min(len(one), len(other)) for one, other in combinations(texts, 2))


def touched(moments: Sequence[str], strategy: Strategy) -> tuple[str, ...]:
    """Return those of the labelled moments that the strategy speaks of."""
    spoken = " ".join(
        f"{one['title']} {one['insight']} {one['advice']} {' '.join(one['quotes'])}" for one in strategy["strategies"]
    )
    return tuple(moment for moment in moments if holds(spoken, moment))


def _runs(text: str) -> set[str]:
    letters = _letters(text)
    return {letters[place : place + _RUN] for place in range(max(len(letters) - _RUN + 1, 1))}


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))

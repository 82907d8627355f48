"""Whether two pieces of advice say the same: by their words, no model judges another (G03)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from nodes.audio_strategy.quotes import bare
from nodes.audio_strategy.records import Advice

SAME: Final = 0.7
"""From this likeness on two pieces of advice repeat each other; different ones about one moment reach about 0.4."""
# Shorter texts have too few pairs of letters to be compared by them.
_SHORT: Final = 6


def likeness(one: str, other: str) -> float:
    """Return how alike two texts are, 0 to 1: the share of pairs of neighbouring letters that they have in common."""
    one, other = bare(one), bare(other)
    if min(len(one), len(other)) < _SHORT:
        return float(one == other)
    first, second = set(pairwise(one)), set(pairwise(other))
    return 2 * len(first & second) / (len(first) + len(second))


def repeats(one: Advice, other: Advice) -> bool:
    """Tell whether two pieces of advice are nearly equal: in what to do, or in the words to say."""
    scripts = one["script"] and other["script"] and likeness(one["script"], other["script"]) >= SAME
    return bool(scripts) or likeness(one["advice"], other["advice"]) >= SAME


def repetitions(advices: Sequence[Advice]) -> list[tuple[int, int]]:
    """Return the places of all pairs that are nearly equal."""
    return [
        (place, later)
        for place, one in enumerate(advices)
        for later in range(place + 1, len(advices))
        if repeats(one, advices[later])
    ]

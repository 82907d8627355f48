"""Splitting a text and grouping its pieces within a budget of estimated tokens. Pure functions; nothing gets lost."""

import re
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Final

from tools.text.tokens import QUARTERS, quarters

_BORDER: Final = re.compile(r"[。！？!?；;…\n]|[.,，、]?\s")
# How far back from the budget's end a border is looked for.
_WINDOW: Final = 0.25


def cut(text: str, budget: int) -> list[str]:
    """Cut a text into pieces of at most `budget` tokens, at the end of a sentence or word where one is near.

    The pieces, put together, are the text. An empty text has no pieces.

    Raises:
        ValueError: the budget is below one token.
    """
    if budget < 1:
        raise ValueError("a budget is at least one token")
    weights = [quarters(character) for character in text]
    pieces = []
    start = 0
    while start < len(text):
        end = _border(text, start, _reach(weights, start, budget * QUARTERS))
        pieces.append(text[start:end])
        start = end
    return pieces


def _reach(weights: Sequence[int], start: int, room: int) -> int:
    end = start
    while end < len(weights) and weights[end] <= room:
        room -= weights[end]
        end += 1
    return end


def _border(text: str, start: int, end: int) -> int:
    if end == len(text):
        return end
    earliest = end - int((end - start) * _WINDOW)
    borders = [found.end() for found in _BORDER.finditer(text, max(start, earliest - 1), end)]
    return borders[-1] if borders else end


def pack(sizes: Sequence[int], budget: int) -> list[range]:
    """Group neighbours so that no group's sizes sum up to more than `budget`; the groups are of similar size.

    Returns:
        The groups' positions, in order and without gaps.

    Raises:
        ValueError: one size alone is larger than the budget.
    """
    if not sizes:
        return []
    if max(sizes) > budget:
        raise ValueError(f"a size of {max(sizes)} is larger than the budget of {budget}")
    total = sum(sizes)
    # An even share and room for one more: so the last group is not a few words that were left over.
    limit = min(budget, total // -(-total // budget) + max(sizes)) if total else budget
    starts = [0]
    reached = list(accumulate(sizes, initial=0))
    for place in range(len(sizes)):
        if reached[place + 1] - reached[starts[-1]] > limit:
            starts.append(place)
    return [range(start, end) for start, end in pairwise([*starts, len(sizes)])]

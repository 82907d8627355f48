"""A conversation in pieces that a model can take, cut between turns. Pure functions."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import NamedTuple

from tools.text.split import cut, pack
from tools.text.tokens import estimate


class Turn(NamedTuple):
    """What somebody says: the head (who, perhaps when) stands before each piece of the words."""

    head: str
    words: str


class Budgets(NamedTuple):
    """How much is given at once, in estimated tokens.

    Attributes:
        whole: up to which a conversation stays in one piece; somewhat more than a piece.
        piece: of each piece.
        notice: what of a piece is left free, for the line that tells of turns left out.
        most: how many pieces there are at most.
    """

    whole: int
    piece: int
    notice: int
    most: int


class _Line(NamedTuple):
    turn: int
    text: str


def in_pieces(turns: Sequence[Turn], budgets: Budgets, left_out: Callable[[int], str]) -> list[str]:
    """Return a conversation in one piece when it is short, else in pieces of similar size.

    A turn larger than a piece is cut; each part of it has its head. Of a conversation beyond the most pieces both ends
    are kept, and the line that `left_out` makes of the number of turns between them stands at the end of the first.
    """
    whole = [turn.head + turn.words for turn in turns]
    if sum(estimate(line) + 1 for line in whole) <= budgets.whole:
        return ["\n".join(whole)]
    room = budgets.piece - budgets.notice
    lines = list(chain.from_iterable(_lines(place, turn, room - 1) for place, turn in enumerate(turns)))
    groups = pack([estimate(line.text) + 1 for line in lines], room)
    pieces = ["\n".join(lines[place].text for place in group) for group in groups]
    if len(pieces) <= budgets.most:
        return pieces
    half = budgets.most // 2
    dropped = {lines[place].turn for group in groups[half:-half] for place in group}
    pieces[half - 1] += f"\n{left_out(len(dropped))}"
    return pieces[:half] + pieces[-half:]


def _lines(place: int, turn: Turn, room: int) -> list[_Line]:
    if estimate(turn.head + turn.words) <= room:
        return [_Line(place, turn.head + turn.words)]
    return [_Line(place, turn.head + part) for part in cut(turn.words, room - estimate(turn.head))]

"""A transcript as text: for readers, and in pieces that a model can take."""

from collections.abc import Sequence
from itertools import chain
from typing import Final, NamedTuple

from tools.text.split import cut, pack
from tools.text.tokens import estimate
from tools.transcripts.model import Segment

# Estimated tokens. A transcript somewhat larger than a piece is still read at once.
WHOLE_BUDGET: Final = 12_000
PIECE_BUDGET: Final = 9_000
MOST_PIECES: Final = 24
# What the lines of a piece leave free, for the line that tells of those left out.
_NOTICE: Final = 60
_MINUTE: Final = 60


class _Line(NamedTuple):
    segment: int
    text: str


def as_text(segments: Sequence[Segment]) -> str:
    """Return a line `name: words` for each segment."""
    return "\n".join(f"{_name(segment)}: {segment['text']}" for segment in segments)


def as_lines(segments: Sequence[Segment]) -> list[str]:
    """Return a line `[mm:ss] name: words` for each segment."""
    return [f"{_head(segment)}{segment['text']}" for segment in segments]


def pieces_of(segments: Sequence[Segment]) -> list[str]:
    """Return the transcript's lines in one piece when it is short, else in pieces of similar size.

    Of a transcript beyond `MOST_PIECES` pieces both ends are kept, and a line says how much is left out between them.
    """
    lines = as_lines(segments)
    if sum(estimate(line) + 1 for line in lines) <= WHOLE_BUDGET:
        return ["\n".join(lines)]
    parts = list(chain.from_iterable(_parts(place, segment) for place, segment in enumerate(segments)))
    groups = pack([estimate(part.text) + 1 for part in parts], PIECE_BUDGET - _NOTICE)
    pieces = ["\n".join(parts[place].text for place in group) for group in groups]
    if len(pieces) <= MOST_PIECES:
        return pieces
    half = MOST_PIECES // 2
    left_out = {parts[place].segment for group in groups[half:-half] for place in group}
    pieces[half - 1] += f"\n[… 此处省略 {len(left_out)} 句 / {len(left_out)} segments left out …]"
    return pieces[:half] + pieces[-half:]


def _parts(place: int, segment: Segment) -> list[_Line]:
    head, room = _head(segment), PIECE_BUDGET - _NOTICE - 1
    if estimate(head + segment["text"]) <= room:
        return [_Line(place, head + segment["text"])]
    return [_Line(place, head + piece) for piece in cut(segment["text"], room - estimate(head))]


def _head(segment: Segment) -> str:
    minutes, seconds = divmod(int(segment["start"]), _MINUTE)
    return f"[{minutes:02}:{seconds:02}] {_name(segment)}: "


def _name(segment: Segment) -> str:
    # A colon in a name would begin the words.
    return segment["speaker"].replace(":", " ").replace("：", " ")

"""A transcript as text: for readers, and in pieces that a model can take."""

from collections.abc import Sequence
from typing import Final

from tools.text.turns import Budgets, Turn, in_pieces
from tools.transcripts.model import Segment

# Estimated tokens. A transcript somewhat larger than a piece is still read at once.
WHOLE_BUDGET: Final = 12_000
PIECE_BUDGET: Final = 9_000
MOST_PIECES: Final = 24
_BUDGETS: Final = Budgets(WHOLE_BUDGET, PIECE_BUDGET, notice=60, most=MOST_PIECES)
_MINUTE: Final = 60


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
    turns = [Turn(_head(segment), segment["text"]) for segment in segments]
    return in_pieces(turns, _BUDGETS, lambda count: f"[… 此处省略 {count} 句 / {count} segments left out …]")


def _head(segment: Segment) -> str:
    minutes, seconds = divmod(int(segment["start"]), _MINUTE)
    return f"[{minutes:02}:{seconds:02}] {_name(segment)}: "


def _name(segment: Segment) -> str:
    # A colon in a name would begin the words.
    return segment["speaker"].replace(":", " ").replace("：", " ")

"""A call's messages as the lines that the model reads (C017), whole or in parts (G28)."""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

from tools.text.split import cut, pack
from tools.text.tokens import estimate

# Estimated tokens. A call somewhat larger than a part is still read at once: one answer is sooner there than three.
WHOLE_BUDGET: Final = 5000
PART_BUDGET: Final = 4000
MOST_PARTS: Final = 24
# What the lines of a part leave free, for the line that tells of turns left out.
_NOTICE: Final = 40


class _Piece(NamedTuple):
    turn: int
    line: str


def transcript_lines(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line `role: content` for each message that says anything; line breaks in a content become spaces."""
    spoken = ((message["role"], " ".join(message["content"].split())) for message in messages)
    return [f"{role}: {content}" for role, content in spoken if content]


def transcript_digest(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the SHA-256 (hex) of what the model would read: whether an unfinished run still fits its call (G28)."""
    return hashlib.sha256("\n".join(transcript_lines(messages)).encode("utf-8", "surrogatepass")).hexdigest()


def has_substance(messages: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether anybody says anything with a letter or a digit in it."""
    return any(character.isalnum() for message in messages for character in message["content"])


def split_transcript(lines: Sequence[str]) -> list[str]:
    """Return the transcript as one part when it is short, else as parts of similar size, cut between turns.

    A turn larger than a part is cut; each of its pieces names the speaker. Of a call beyond `MOST_PARTS` parts both
    ends are kept, and a line says how many turns are left out between them.
    """
    if sum(estimate(line) + 1 for line in lines) <= WHOLE_BUDGET:
        return ["\n".join(lines)]
    pieces = list(chain.from_iterable(_pieces(turn, line) for turn, line in enumerate(lines)))
    groups = pack([estimate(piece.line) + 1 for piece in pieces], PART_BUDGET - _NOTICE)
    parts = ["\n".join(pieces[place].line for place in group) for group in groups]
    if len(parts) <= MOST_PARTS:
        return parts
    half = MOST_PARTS // 2
    dropped = {pieces[place].turn for group in groups[half:-half] for place in group}
    head, tail = parts[:half], parts[-half:]
    head[-1] += f"\n[… {len(dropped)} turns left out / 此处省略 {len(dropped)} 轮 …]"
    return head + tail


def _pieces(turn: int, line: str) -> list[_Piece]:
    room = PART_BUDGET - _NOTICE - 1
    if estimate(line) <= room:
        return [_Piece(turn, line)]
    role, content = line.split(": ", 1)
    speaker = f"{role}: "
    return [_Piece(turn, speaker + piece) for piece in cut(content, room - estimate(speaker))]

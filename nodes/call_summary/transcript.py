"""A call's messages as the lines that the model reads (C017), whole or in parts (G28)."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tools.text.turns import Budgets, Turn, in_pieces

# Estimated tokens. A call somewhat larger than a part is still read at once: one answer is sooner there than three.
WHOLE_BUDGET: Final = 5000
PART_BUDGET: Final = 4000
MOST_PARTS: Final = 24
_BUDGETS: Final = Budgets(WHOLE_BUDGET, PART_BUDGET, notice=40, most=MOST_PARTS)


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
    turns = [Turn(f"{role}: ", content) for role, content in (line.split(": ", 1) for line in lines)]
    return in_pieces(turns, _BUDGETS, lambda count: f"[… {count} turns left out / 此处省略 {count} 轮 …]")

"""A session's messages as the lines that a model reads (E019), within what any model takes."""

import hashlib
from collections.abc import Sequence
from typing import Final

from nodes.counseling.records import Line
from tools.text.split import cut
from tools.text.tokens import estimate

# Estimated tokens. With persona, memory and rules it stays below 16,000, which every served model takes.
BUDGET: Final = 11_000
# One message of more is cut: nobody says so much at once, and a few of them must not push the others out.
LONGEST_LINE: Final = 1_500
_BEGINNING: Final = 0.35
_NOTICE: Final = 40
_CUT: Final = " [… 此处过长，已截断 …]"


def transcript_lines(chat: Sequence[Line]) -> list[str]:
    """Return a line `ai: …` or `user: …` for each message that says anything; its line breaks become spaces."""
    spoken = ((line["speaker"], " ".join(line["content"].split())) for line in chat)
    return [_bounded(f"{speaker}: {content}") for speaker, content in spoken if content]


def bounded_transcript(lines: Sequence[str], budget: int = BUDGET) -> str:
    """Return the lines in at most `budget` estimated tokens: beginning and end, and how many are left out between."""
    sizes = [estimate(line) + 1 for line in lines]
    if sum(sizes) <= budget:
        return "\n".join(lines)
    head = _fitting(sizes, int((budget - _NOTICE) * _BEGINNING))
    room = budget - _NOTICE - sum(sizes[:head])
    tail = _fitting(sizes[:head:-1], room)
    left_out = len(lines) - head - tail
    notice = f"[… 此处省略 {left_out} 句 …]"
    return "\n".join([*lines[:head], notice, *lines[len(lines) - tail :]])


def digest(chat: Sequence[Line]) -> str:
    """Return the SHA-256 (hex) of all that was said, uncut."""
    said = "\n".join(f"{line['speaker']}: {line['content']}" for line in chat)
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()


def _bounded(line: str) -> str:
    # A character is at most one token, so short lines need no look at each of theirs.
    if len(line) <= LONGEST_LINE or estimate(line) <= LONGEST_LINE:
        return line
    return cut(line[: LONGEST_LINE * 4], LONGEST_LINE - estimate(_CUT))[0] + _CUT


def _fitting(sizes: Sequence[int], room: int) -> int:
    count = 0
    for size in sizes:
        if size > room:
            break
        room -= size
        count += 1
    return count

"""A conversation as the lines that a model reads: `[mm:ss] name: words`."""

import re
from collections.abc import Sequence
from typing import Final

from nodes.audio_strategy.records import AnalysedSession
from tools.text.split import cut
from tools.text.tokens import estimate
from tools.transcripts.model import MOST_SPEAKER

# What transcribers call people whose names they do not know.
_NUMBERED: Final = re.compile(r"(?:speaker|spk|说话人|unknown)[ _-]?[0-9a-z]?[0-9]*", re.IGNORECASE)
_STRUCTURE: Final = re.compile(r"[:：\[\]\s]+")
_PARTS: Final = 3
# What a part leaves free for the line that tells of turns left out.
_NOTICE: Final = 24


def speakers(session: AnalysedSession) -> dict[str, str]:
    """Return what each speaker is called in the lines.

    A number gives way to what the speaker is in the conversation (`Speaker_0` to `上级`) if no other is the same.
    """
    mapping = session["speaker_mapping"]
    known = list(mapping.values())
    named = {}
    for speaker in dict.fromkeys(said["speaker"] for said in session["dialogues"]):
        is_what = mapping.get(speaker, "")
        replaced = _NUMBERED.fullmatch(speaker) and is_what and known.count(is_what) == 1
        named[speaker] = _plain(is_what if replaced else speaker)
    return named


def roles(session: AnalysedSession) -> dict[str, str]:
    """Return what the speakers are, by the name in the lines, where that says more than the name."""
    named = speakers(session)
    told = {named[one]: _plain(role) for one, role in session["speaker_mapping"].items() if one in named}
    return {name: role for name, role in told.items() if role and role != name}


def lines_of(session: AnalysedSession) -> list[str]:
    """Return a line for each turn that says anything."""
    named = speakers(session)
    spoken = ((said, " ".join(said["text"].split())) for said in session["dialogues"])
    return [f"[{clock(said['start'])}] {named[said['speaker']]}: {words}" for said, words in spoken if words]


def excerpt(lines: Sequence[str], budget: int) -> str:
    """Return a conversation within `budget` estimated tokens: all of it, or its beginning, middle and end.

    A line stands between the parts and says how many turns are left out there.
    """
    sizes = [estimate(line) + 1 for line in lines]
    if sum(sizes) <= budget:
        return "\n".join(lines)
    room = budget // _PARTS - _NOTICE
    lines = [cut(line, room - 1)[0] if size > room else line for line, size in zip(lines, sizes, strict=True)]
    sizes = [min(size, room) for size in sizes]
    kept = [_run(sizes, 0, room), _around(sizes, room), _back(sizes, room)]
    text, shown = [], 0
    for part in kept:
        start = max(part.start, shown)
        if start > shown:
            text.append(f"[… {start - shown} turns left out / 此处省略 {start - shown} 轮 …]")
        text += lines[start : part.stop]
        shown = max(shown, part.stop)
    return "\n".join(text)


def clock(seconds: float) -> str:
    """Return a time in a recording as `mm:ss`, minutes beyond 59 too."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:02}:{rest:02}"


def _run(sizes: Sequence[int], start: int, room: int) -> range:
    end = start
    while end < len(sizes) and sizes[end] <= room:
        room -= sizes[end]
        end += 1
    return range(start, end)


def _back(sizes: Sequence[int], room: int) -> range:
    return range(len(sizes) - len(_run(sizes[::-1], 0, room)), len(sizes))


def _around(sizes: Sequence[int], room: int) -> range:
    half, passed = sum(sizes) // 2, 0
    for place, size in enumerate(sizes):
        passed += size
        if passed >= half:
            # Half of the room before the middle, the rest after it.
            before = len(_run(sizes[: place + 1][::-1], 0, room // 2))
            return _run(sizes, place + 1 - max(before, 1), room)
    return range(0)


def _plain(name: str) -> str:
    return _STRUCTURE.sub(" ", name).strip()[:MOST_SPEAKER] or "?"

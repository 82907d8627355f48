"""The data of a request about a counseling session, and sentences chosen from it."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from langchain_core.messages import BaseMessage, HumanMessage

NOTHING: Final = "无"
BY_RULES: Final = "（由离线规则从原话摘录，没有使用语言模型）"
_DATA: Final = re.compile(r"^<([a-z_]+)>\n(.*?)\n</\1>$", re.MULTILINE | re.DOTALL)
_LINE: Final = re.compile(r"^(ai|user): ", re.MULTILINE)
_SENTENCE: Final = re.compile(r"[^。！？!?；;\n]+[。！？!?；;]*")
_QUOTED: Final = re.compile(r"“([^“”]+)”")
_MARKS: Final = str.maketrans({"“": "‘", "”": "’", "<": "‹", ">": "›", "\n": " "})
_FIGURES: Final = re.compile(r"[0-9]+")
_SHORTEST: Final = 5


@dataclass(frozen=True)
class Said:
    """One sentence of a session; `speaker` is `ai` (the visitor) or `user` (the counselor)."""

    place: int
    speaker: str
    text: str


def data_of(messages: Sequence[BaseMessage]) -> dict[str, str]:
    """Return the data of the newest message that has any, by tag; a repair's message has none."""
    for message in reversed(messages):
        if isinstance(message, HumanMessage) and (found := _DATA.findall(str(message.text))):
            return {tag: "" if text.strip() == NOTHING else text.strip() for tag, text in found}
    return {}


def turns(transcript: str) -> list[tuple[str, str]]:
    """Return the lines of a transcript as speaker and words."""
    pieces = _LINE.split(transcript)
    return [(speaker, words.strip()) for speaker, words in zip(pieces[1::2], pieces[2::2], strict=True)]


def sentences(transcript: str) -> list[Said]:
    """Return the sentences that say something, in order; those that differ in figures only are taken once."""
    found = [(speaker, part.strip()) for speaker, words in turns(transcript) for part in _SENTENCE.findall(words)]
    first: dict[tuple[str, str], Said] = {}
    for place, (speaker, text) in enumerate(found):
        if len(text) >= _SHORTEST:
            first.setdefault((speaker, _FIGURES.sub("", text)), Said(place, speaker, text))
    return list(first.values())


def best(candidates: Iterable[Said], cues: re.Pattern[str], most: int) -> list[Said]:
    """Return the sentences with the most cues, long ones before short ones, in the session's order."""

    def weight(said: Said) -> tuple[float, int]:
        asked = said.text.endswith(("?", "？"))
        return (len(cues.findall(said.text)) + min(len(said.text), 60) / 60 - asked, -said.place)

    chosen = sorted(candidates, key=weight, reverse=True)[:most]
    return sorted(chosen, key=lambda said: said.place)


def quote(text: str, longest: int = 70) -> str:
    """Return a sentence in quotation marks, cut at `longest` characters, without marks or tags of its own."""
    plain = text.translate(_MARKS).strip()
    return f"“{plain if len(plain) <= longest else plain[: longest - 1] + '…'}”"


def quotes_in(text: str) -> list[str]:
    """Return what stands in quotation marks."""
    return [found.strip() for found in _QUOTED.findall(text) if found.strip()]

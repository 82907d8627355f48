"""The data of a request for a review: lines of a transcript, or the reviews of its pieces."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from langchain_core.messages import BaseMessage, HumanMessage

_DATA: Final = re.compile(r"^<(transcript|notes)>\n(.*?)\n</\1>$", re.MULTILINE | re.DOTALL)
_LINE: Final = re.compile(r"^\[\d+:\d{2}\] ([^:\n]{1,80}): (.*)$", re.MULTILINE)
_SENTENCE: Final = re.compile(r"[^。！？!?；;…]+[。！？!?；;…]*")
_ENGLISH_END: Final = re.compile(r"(?<=[.?!])\s+")
_CJK: Final = re.compile(r"[\u4e00-\u9fff]")
_LONGEST: Final = 200_000
# Of ten characters of Chinese text at least one is Chinese.
_CHINESE_SHARE: Final = 0.1


@dataclass(frozen=True)
class Sentence:
    """One sentence, who said it, and its place among all."""

    place: int
    speaker: str
    text: str


def data_of(messages: Sequence[BaseMessage]) -> tuple[str, str]:
    """Return the kind (`transcript` or `notes`) and the text of the newest data; a repair's message has none."""
    asked = (_DATA.search(str(message.text)) for message in reversed(messages) if isinstance(message, HumanMessage))
    found = next(filter(None, asked), None)
    return (found.group(1), found.group(2)[:_LONGEST]) if found else ("transcript", "")


def sentences(data: str) -> list[Sentence]:
    """Return what was said, sentence by sentence."""
    found = [
        (name.strip(), part.strip())
        for name, words in _LINE.findall(data)
        for line in _ENGLISH_END.split(words)
        for part in _SENTENCE.findall(line)
    ]
    return [Sentence(place, speaker, text) for place, (speaker, text) in enumerate(found) if text]


def reviews(data: str) -> list[dict[str, Any]]:
    """Return the reviews of pieces, a line of JSON each; what is none is passed over."""
    found = []
    for line in data.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def is_chinese(text: str) -> bool:
    """Tell in which language to write."""
    return len(_CJK.findall(text)) >= _CHINESE_SHARE * max(1, len(text))

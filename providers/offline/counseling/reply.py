"""The visitor's answer by rules: a sentence of the persona's own, the one nearest to what the counselor said."""

import re
from collections.abc import Sequence
from typing import Final

from langchain_core.messages import BaseMessage, SystemMessage

from providers.offline.counseling.request import data_of, quotes_in, turns

# How a visitor speaks is quoted in the first of these sections, what goes through its mind in the second.
_SECTIONS: Final = ("说话方式", "自动思维")
_HEADING: Final = re.compile(r"^## (.+)$", re.MULTILINE)
_HOMEWORK: Final = re.compile(r"作业|上次(?:留|说|约)|记录(?:得|做|了)")
_GOODBYE: Final = re.compile(r"再见|今天就到这|时间到了|下周见|下次见")
_SPENT: Final = "嗯……我一时想不起还有什么要说的。"
_SHORTEST: Final = 6


def answer_as_visitor(messages: Sequence[BaseMessage]) -> str:
    """Answer the last line of the transcript; a sentence that was said before is not said again."""
    data = data_of(messages)
    spoken = turns(data.get("transcript", ""))
    heard = next((words for speaker, words in reversed(spoken) if speaker == "user"), "")
    said = " ".join(words for speaker, words in spoken if speaker == "ai")
    if _GOODBYE.search(heard):
        return "好，那我下次再来。"
    homework = data.get("homework", "").splitlines()
    if homework and _HOMEWORK.search(heard) and homework[0] not in said:
        return f"上次说的是“{homework[0][:60]}”吧？我记得这件事。"
    fresh = [sentence for sentence in _own_words(messages) if sentence.rstrip("。！？") not in said]
    nearest = max(fresh, key=lambda sentence: len(_pairs(sentence) & _pairs(heard)), default=_SPENT)
    return nearest if nearest.endswith(("。", "！", "？", "…", "?", "!")) else f"{nearest}。"


def _own_words(messages: Sequence[BaseMessage]) -> list[str]:
    persona = "\n".join(str(message.text) for message in messages if isinstance(message, SystemMessage))
    parts = _HEADING.split(persona)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    found = [quote for name in _SECTIONS for quote in quotes_in(sections.get(name, ""))]
    return [sentence for sentence in found if len(sentence) >= _SHORTEST]


def _pairs(text: str) -> set[str]:
    plain = "".join(character for character in text if character.isalnum())
    return {plain[place : place + 2] for place in range(len(plain) - 1)}

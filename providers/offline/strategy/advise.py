"""A skill's own phrases for what is said in a transcript: found by their cues, nothing is understood (A027, G03).

A skill writes `- 听到“cue”“cue”：「phrase」——reason`. Each phrase whose cue somebody says becomes a piece of advice
that quotes that line. Where no cue is said, the first thing that the skill warns of is given with the first question.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Final
from zlib import crc32

from langchain_core.messages import BaseMessage

from providers.offline.strategy.request import Turn, block, turns

_PHRASE: Final = re.compile(
    r"^- 听到((?:[“\"][^“”\"\n]+[”\"][、，]?)+)[^「\n]*「([^」\n]+)」(?:——(.*))?$", re.MULTILINE
)
_CUE: Final = re.compile(r"[“\"]([^“”\"\n]+)[”\"]")
_WARNING: Final = re.compile(r"^##[^\n]*不要[^\n]*\n+- ([^\n]+)", re.MULTILINE)
_PLACE: Final = re.compile(r"〔([^〕\n]{1,20})〕")
_QUESTION: Final = re.compile("[?？]")
_MOST: Final = 3
_LONGEST_QUOTE: Final = 80
_LONGEST: Final = 60_000
_PICTURES: Final = (
    "两个人隔着一张小桌谈话，一人身体微微前倾，正在听对方说完",
    "一人摊开手掌说明自己的想法，另一人神情放松下来",
    "两个人并肩站在窗边，一起看着同一张纸",
)


def advise(messages: Sequence[BaseMessage]) -> str:
    """Answer with the advice that the skill's phrases give for the transcript, as JSON."""
    skill = block(messages, "skill")
    said = turns(block(messages, "transcript")[:_LONGEST])
    found = [*_by_cues(skill, said)][:_MOST] or [_by_warning(skill, said)]
    # Another skill begins with another one.
    first = crc32(skill.encode("utf-8", "surrogatepass"))
    for number, advice in enumerate(found, first):
        advice["picture"] = _PICTURES[number % len(_PICTURES)]
    return json.dumps({"advices": found}, ensure_ascii=False)


def _by_cues(skill: str, said: Sequence[Turn]) -> Iterator[dict[str, object]]:
    used: set[Turn] = set()
    for cues, phrase, reason in _PHRASE.findall(skill):
        for turn, cue in _said(said, _CUE.findall(cues)):
            if turn not in used:
                used.add(turn)
                yield {
                    "title": f"听到“{cue}”",
                    "insight": f"{turn.time} {turn.name}说到“{cue}”。离线规则只按关键词找到这一句，没有理解上下文。",
                    "advice": reason or "照技能里的说法回应这一句。",
                    "script": _filled(phrase, turn.name),
                    "quotes": [turn.words[:_LONGEST_QUOTE]],
                }
                break


def _said(said: Sequence[Turn], cues: Sequence[str]) -> Iterator[tuple[Turn, str]]:
    for turn in said:
        words = turn.words.casefold()
        cue = next((cue for cue in cues if cue.casefold() in words), None)
        if cue is not None:
            yield turn, cue


def _by_warning(skill: str, said: Sequence[Turn]) -> dict[str, object]:
    turn = next((turn for turn in said if _QUESTION.search(turn.words)), next(iter(said), None))
    found = _WARNING.search(skill)
    place = "" if turn is None else f"可以先看 {turn.time} {turn.name}的这一句。"
    return {
        "title": "先避免一件事",
        "insight": f"{place}离线规则没有在对话里找到这个技能的关键词，只给出它的一般提醒。",
        "advice": found.group(1) if found else "先复述对方的话，再说自己的。",
        "script": "",
        "quotes": [] if turn is None else [turn.words[:_LONGEST_QUOTE]],
    }


def _filled(phrase: str, name: str) -> str:
    # What else a skill leaves open is filled in by who says it.
    return _PLACE.sub(lambda place: {"对方": name, "事": "这件事"}.get(place[1], place[1]), phrase)

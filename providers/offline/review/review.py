"""A review of a conversation by rules: its own sentences, and what words there are of warmth, anger and danger (A024).

It says that it is made by rules, quotes what it rests on, and knows no more than it can count.
"""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from langchain_core.messages import BaseMessage

from providers.offline.review.cues import COLD, RISKS, ROLES, TELLING, TOPICS, WARM
from providers.offline.review.transcript import Sentence, data_of, is_chinese, reviews, sentences

_BY_RULES: Final = (
    "（由离线规则从原话摘录，没有使用语言模型）",
    " (Picked from the words by offline rules, without a language model.)",
)
_NOTHING: Final = ("对话里没有可以摘录的内容。", "There is nothing to pick from the conversation.")
_UNKNOWN: Final = ("未知", "unknown")
_NO_TOPIC: Final = ("对话", "conversation")
_MOST_SENTENCES: Final = 5
_LONGEST_SENTENCE: Final = 70
_LONGEST_LINE: Final = 60
_SHORTEST: Final = 4
_LEVELS: Final = ("high", "medium", "low")
_MOST_RISKS: Final = 6
_MOST_TAGS: Final = 3
_CALM: Final = 55.0
_STEP: Final = 7.0
_DANGER: Final = {"high": 20.0, "medium": 8.0, "low": 0.0}
# The end of a conversation counts twice.
_ENDING: Final = 0.75


def review(messages: Sequence[BaseMessage]) -> str:
    """Answer with the review of the newest transcript, or of the newest reviews of pieces, as JSON."""
    kind, data = data_of(messages)
    found = _merged(reviews(data), data) if kind == "notes" else _of(data)
    return json.dumps(found, ensure_ascii=False)


def _of(data: str) -> dict[str, Any]:
    said = sentences(data)
    chinese = is_chinese(data)
    risks = _risks(said, chinese=chinese)
    picked = _picked(said)
    told = "".join(
        f"{one.speaker}：{_cut(one.text)} " if chinese else f'{one.speaker}: "{_cut(one.text)}" ' for one in picked
    )
    return {
        "summary": (told.strip() or _say(_NOTHING, chinese=chinese)) + _say(_BY_RULES, chinese=chinese),
        "conversation_summary": _cut(picked[0].text, _LONGEST_LINE) if picked else "",
        "mood_score": _mood(said, risks),
        "risks": risks,
        "speakers": {name: _role(name, chinese=chinese) for name in dict.fromkeys(one.speaker for one in said)},
        "tags": _tags(data, chinese=chinese),
    }


def _picked(said: Sequence[Sentence]) -> list[Sentence]:
    """Return the sentences that tell most, among them the first and the last that say something, in order."""
    telling = [one for one in said if len(one.text) >= _SHORTEST]
    if len(telling) <= _MOST_SENTENCES:
        return telling
    ends = {telling[0].place, telling[-1].place}

    def weight(one: Sentence) -> tuple[bool, float, int]:
        return (one.place in ends, len(TELLING.findall(one.text)) + min(len(one.text), 60) / 60, -one.place)

    return sorted(sorted(telling, key=weight, reverse=True)[:_MOST_SENTENCES], key=lambda one: one.place)


def _risks(said: Sequence[Sentence], *, chinese: bool) -> list[dict[str, str]]:
    """Return a risk for each kind that is there, with the first sentence that shows it."""
    found = []
    for level, in_chinese, in_english, cues in RISKS:
        shown = next((one for one in said if cues.search(one.text)), None)
        if shown is not None:
            text = in_chinese if chinese else in_english
            found.append({"level": level, "text": text, "quote": shown.text[:_LONGEST_SENTENCE]})
    return found[:_MOST_RISKS]


def _mood(said: Sequence[Sentence], risks: Sequence[dict[str, str]]) -> float:
    last = len(said) * _ENDING
    weights = ((2 if one.place >= last else 1, one.text) for one in said)
    balance = sum(weight * (len(WARM.findall(text)) - len(COLD.findall(text))) for weight, text in weights)
    danger = sum(_DANGER[risk["level"]] for risk in risks)
    # A long conversation is not warmer for having more words.
    spread = max(1.0, len(said) / 12)
    return round(min(max(_CALM + _STEP * balance / spread - danger, 5.0), 95.0), 1)


def _role(name: str, *, chinese: bool) -> str:
    known = next((role for pattern, role in ROLES if pattern.fullmatch(name)), None)
    return _say(known or _UNKNOWN, chinese=chinese)


def _tags(data: str, *, chinese: bool) -> list[str]:
    counts = Counter({names: len(words.findall(data)) for names, words in TOPICS.items()})
    found = [names for names, count in counts.most_common(_MOST_TAGS) if count] or [_NO_TOPIC]
    return [_say(names, chinese=chinese) for names in found]


def _merged(pieces: Sequence[dict[str, Any]], data: str) -> dict[str, Any]:
    chinese = is_chinese(data)
    whole = _say(_BY_RULES, chinese=chinese)
    told = [str(one.get("summary", "")).removesuffix(whole).strip() for one in pieces]
    share = 800 // max(1, len(told))
    moods = [float(one["mood_score"]) for one in pieces if isinstance(one.get("mood_score"), int | float)] or [_CALM]
    risks = [risk for one in pieces for risk in one.get("risks") or [] if isinstance(risk, dict)]
    speakers: dict[str, str] = {}
    for one in pieces:
        for name, role in (one.get("speakers") or {}).items():
            if name not in speakers or speakers[name] in _UNKNOWN:
                speakers[name] = str(role)
    tags = Counter(str(tag) for one in pieces for tag in one.get("tags") or [])
    return {
        "summary": (" ".join(_cut(text, share) for text in told if text) or _say(_NOTHING, chinese=chinese)) + whole,
        "conversation_summary": next(
            (str(one["conversation_summary"]) for one in pieces if one.get("conversation_summary")), ""
        ),
        "mood_score": round((sum(moods) + moods[-1]) / (len(moods) + 1), 1),
        "risks": _first_of_each(risks),
        "speakers": speakers,
        "tags": [tag for tag, _count in tags.most_common(_MOST_TAGS)],
    }


def _first_of_each(risks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    first: dict[str, dict[str, Any]] = {}
    for risk in risks:
        first.setdefault(str(risk.get("text")), risk)
    known = [risk for risk in first.values() if risk.get("level") in _LEVELS]
    return sorted(known, key=lambda risk: _LEVELS.index(risk["level"]))[:_MOST_RISKS]


def _cut(text: str, longest: int = _LONGEST_SENTENCE) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def _say(both: tuple[str, str], *, chinese: bool) -> str:
    return both[0] if chinese else both[1]

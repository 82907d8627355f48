"""An extractive summary of a call: sentences of the call itself, chosen by cues and by what they hold.

Reads what stands between `<transcript>` tags (lines `user: …`, `assistant: …`) or between `<notes>` tags (summaries of
parts), and answers with the three points request, key information and outcome, each in a tag of its own (C017).
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from langchain_core.messages import BaseMessage, HumanMessage

from providers.offline.cues import CLOSING, GREETING, OUTCOME, REQUEST

_DATA: Final = re.compile(r"<(transcript|notes)>(.*)</\1>", re.DOTALL)
_LINE: Final = re.compile(r"^(user|assistant): ?", re.MULTILINE)
_SENTENCE: Final = re.compile(r"[^。！？!?；;\n]*?(?:[。！？!?；;\n]|\.(?=\s|$)|$)")
# A point ends before the next one begins, so that tags which nobody closes cost no second look.
_POINT: Final = re.compile(
    r"<(request|key_information|outcome)>((?:(?!<(?:request|key_information|outcome)>).)*?)</\1>", re.DOTALL
)
_WORD: Final = re.compile(r"[a-z][a-z'-]{3,}|[\u4e00-\u9fff]{2}", re.IGNORECASE)
_FIGURE: Final = re.compile(r"\d|[一二三四五六七八九十百千万两]+(?:元|块|点|号|天|年|月|折|个|次)")
_CJK: Final = re.compile(r"[\u4e00-\u9fff]")
# Characters a point may have, in Chinese; an English text of the same length takes about three times as many.
_LENGTHS: Final = {"request": 60, "key_information": 85, "outcome": 50}
_ENGLISH: Final = 3
_KEY_SENTENCES: Final = 3
_SHORTEST: Final = 4
_NOTED_WORDS: Final = 12


@dataclass(frozen=True)
class _Sentence:
    place: int
    speaker: str
    text: str


def summarise(messages: Sequence[BaseMessage]) -> str:
    """Answer the newest data with three tagged points; a question about an earlier answer brings no data of its own."""
    asked = (_DATA.search(message.text) for message in reversed(messages) if isinstance(message, HumanMessage))
    found = next(filter(None, asked), None)
    kind, data = found.groups() if found else ("transcript", "")
    points = _from_notes(data) if kind == "notes" else _from_transcript(data)
    chinese = len(_CJK.findall(data)) * _ENGLISH >= len(data) / _ENGLISH
    absent = "未提及" if chinese else "not stated"
    factor = 1 if chinese else _ENGLISH
    return "".join(
        f"<{name}>{_clipped(points.get(name, ''), length * factor) or absent}</{name}>"
        for name, length in _LENGTHS.items()
    )


def _from_transcript(data: str) -> dict[str, str]:
    sentences = [sentence for sentence in _sentences(data) if _says_something(sentence.text)]
    request = _request(sentences)
    outcome = _outcome(sentences, request)
    told = _key_information([sentence for sentence in sentences if sentence not in (request, outcome)])
    return {
        "request": request.text if request else "",
        "key_information": _joined(sentence.text for sentence in told),
        "outcome": outcome.text if outcome else "",
    }


def _sentences(data: str) -> list[_Sentence]:
    # The pieces are what stands before the first speaker, then speaker and words in turn.
    pieces = _LINE.split(data)
    turns = [("", pieces[0]), *zip(pieces[1::2], pieces[2::2], strict=True)]
    found = [(speaker, match.group().strip()) for speaker, words in turns for match in _SENTENCE.finditer(words)]
    return [_Sentence(place, speaker, text) for place, (speaker, text) in enumerate(found) if text]


def _says_something(text: str) -> bool:
    bare = text.rstrip("。！？!?；;.,， ").lower()
    return len(bare) >= _SHORTEST and not GREETING.fullmatch(bare) and not CLOSING.fullmatch(bare)


def _request(sentences: Sequence[_Sentence]) -> _Sentence | None:
    asked = [sentence for sentence in sentences if sentence.speaker != "assistant"]
    return next((sentence for sentence in asked if REQUEST.search(sentence.text)), next(iter(asked), None))


def _outcome(sentences: Sequence[_Sentence], request: _Sentence | None) -> _Sentence | None:
    later = [sentence for sentence in sentences if request is None or sentence.place > request.place]
    last_third = later[-max(3, len(later) // 3) :]
    return next((sentence for sentence in reversed(last_third) if OUTCOME.search(sentence.text)), None)


def _key_information(sentences: Sequence[_Sentence]) -> list[_Sentence]:
    words = [set(_WORD.findall(sentence.text.lower())) for sentence in sentences]
    known = Counter(word for found in words for word in found)
    weights = {
        sentence.place: 3.0 * len(_FIGURE.findall(sentence.text))
        + sum(min(known[word], _NOTED_WORDS) for word in found) / (len(found) + 2)
        - ("?" in sentence.text or "？" in sentence.text)
        for sentence, found in zip(sentences, words, strict=True)
    }
    best = sorted(sentences, key=lambda sentence: -weights[sentence.place])[:_KEY_SENTENCES]
    return sorted(best, key=lambda sentence: sentence.place)


def _from_notes(data: str) -> dict[str, str]:
    # Dictionaries as sets that keep the order.
    told: dict[str, dict[str, None]] = {name: {} for name in _LENGTHS}
    for name, text in _POINT.findall(data):
        if text.strip() and text.strip() not in ("未提及", "not stated"):
            told[name][text.strip()] = None
    return {
        "request": next(iter(told["request"]), ""),
        "key_information": _joined(told["key_information"]),
        "outcome": next(reversed(told["outcome"]), ""),
    }


def _joined(texts: Iterable[str]) -> str:
    joined = ""
    for text in texts:
        # People type without a full stop, and what they said next would run into it.
        if joined and joined[-1].isalnum():
            joined += "；"
        joined += text if _CJK.search(text) else f"{text} "
    return joined.strip()


def _clipped(text: str, length: int) -> str:
    # A tag in what somebody said must not end ours.
    text = re.sub(r"[<>]", " ", text)
    text = re.sub(r"\s+", " ", text).strip()
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"

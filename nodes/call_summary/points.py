"""The three points of a summary (C017): read from a model's tagged answer, checked, and told as prose."""

import re
from typing import Final

POINTS: Final = ("request", "key_information", "outcome")
# The longest way to say that something was not mentioned, with its full stop.
ABSENT_AT_MOST: Final = 16

_TAG: Final = re.compile(r"<\s*/?\s*(?:request|key_information|outcome)\s*>", re.IGNORECASE)
_POINT: Final = re.compile(
    r"<\s*(request|key_information|outcome)\s*>(.*?)(?=<\s*/?\s*(?:request|key_information|outcome)\s*>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_ABSENT: Final = re.compile(r"(?:未提及|没有提及|无|none|n/?a|not (?:stated|mentioned))[。.!！]*", re.IGNORECASE)
_FENCE: Final = re.compile(r"^```[a-z]*\s*|\s*```$")
_ENDED: Final = re.compile(r"[。！？!?.…；;]$")
_CJK: Final = re.compile(r"[\u4e00-\u9fff]")


def read(answer: str) -> dict[str, str]:
    """Return the tagged points of an answer; a last one that was cut off counts, with what there is of it."""
    return {name.lower(): _folded(text) for name, text in _POINT.findall(_FENCE.sub("", answer.strip()))}


def missing_in(answer: str) -> list[str]:
    """Return the points that an answer does not cover; one that says it was not mentioned covers it."""
    points = read(answer)
    return [name for name in POINTS if not points.get(name)]


def tell(answer: str) -> str:
    """Return an answer as prose: its points in order, or the text as it stands where it has no tags.

    Points that were not mentioned are left out, unless there is nothing else to tell.
    """
    points = read(answer)
    told = [points[name] for name in POINTS if points.get(name)]
    if not told:
        return _folded(_TAG.sub(" ", _FENCE.sub("", answer.strip())))
    return _joined([text for text in told if not _ABSENT.fullmatch(text)] or told[:1])


def _folded(text: str) -> str:
    return " ".join(text.split())


def _joined(texts: list[str]) -> str:
    whole = ""
    for text in texts:
        chinese = bool(_CJK.search(text))
        ended = text if _ENDED.search(text) else text + ("。" if chinese else ".")
        whole += ended if chinese or not whole else " " + ended
    return whole

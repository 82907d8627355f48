"""The three points of a model's tagged answer (C017), as far as they can be read (X028)."""

import re
from typing import Final, NamedTuple, cast

from nodes.call_summary.state import PointName

_TAG: Final = re.compile(r"<\s*(/?)\s*(request|key[\s_-]*information|outcome)\s*>", re.IGNORECASE)
# What may grow into a tag when more of the answer comes; and into a `<` before a figure, which is none.
_TAG_BEGUN: Final = re.compile(r"<+[\s/]*[A-Za-z_\s-]*/?\Z")
_CLOSING_CUT: Final = re.compile(r"<\s*/\s*[a-z_\s-]*\Z", re.IGNORECASE)
_OPENING_CUT: Final = re.compile(r"<\s*(?:[a-z][a-z_\s-]*)?\Z", re.IGNORECASE)
_THOUGHT: Final = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.IGNORECASE | re.DOTALL)
# Stands where a thought stood, so that what was apart does not grow together into a tag; no text keeps it.
_GAP: Final = "\0"


class Point(NamedTuple):
    """A point as the model wrote it; not `closed` when the answer ends within it."""

    name: PointName
    text: str
    closed: bool


def settled(raw: str, *, complete: bool) -> str:
    """Return what is certain of an answer: without a tag that is only begun, and without a model's thoughts.

    Of a complete answer that was cut off within its last closing tag (its token limit), the tag is completed.
    """
    if not complete:
        raw = _TAG_BEGUN.sub("", raw)
    elif _TAG.search(raw):
        raw = _OPENING_CUT.sub("", _CLOSING_CUT.sub("</outcome>", raw))
    return _THOUGHT.sub(_GAP, raw)


def read_points(certain: str) -> list[Point]:
    """Return the points in the answer's order; what stands outside of them is no part of the summary."""
    marks = list(_TAG.finditer(certain))
    ends = [*(mark.start() for mark in marks[1:]), len(certain)]
    return [
        Point(_name(mark.group(2)), certain[mark.end() : end], closed=end < len(certain))
        for mark, end in zip(marks, ends, strict=False)
        if not mark.group(1)
    ]


def without_tags(certain: str) -> str:
    """Return an answer without the points' tags, for one that has none that is opened."""
    return _TAG.sub("", certain)


def _name(found: str) -> PointName:
    lowered = found.lower()
    return "key_information" if lowered.startswith("key") else cast(PointName, lowered)

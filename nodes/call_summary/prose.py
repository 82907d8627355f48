"""From a model's tagged answer to the summary a reader gets: flowing prose, no tags, no labels.

One function serves the whole answer and every beginning of it, so what was streamed is what is stored.
"""

import re
from typing import Final

from nodes.call_summary.points import Point, read_points, settled, without_tags
from tools.text.tokens import CJK

# No label, and no way to say that something is not in the call, is longer: until then a growing point waits.
_HELD: Final = 20
_LABEL: Final = re.compile(
    r"(?:(?:客户)?的?(?:主要)?(?:诉求|请求|需求)|(?:讨论的)?关键信息|(?:最终)?结果|"
    r"(?:customer |main )?request|key (?:information|points)|(?:final )?outcome)\s?[:：]\s?",
    re.IGNORECASE,
)
_ABSENT: Final = re.compile(
    r"(?:通话|对话|客户)?中?(?:未|没有|并未)(?:明确)?(?:提及|提到|说明)|无|"
    r"not (?:stated|mentioned|specified|discussed)|none|n/?a",
    re.IGNORECASE,
)
_NOTHING_SAID: Final = ("The call states no request, key information or outcome.", "通话没有说到诉求、关键信息和结果。")

_MARKUP: Final = re.compile(r"<[\s/]*[A-Za-z][A-Za-z_\s-]*/?>")
_BRACKET: Final = re.compile(r"<(?!\s*\d)")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BULLET: Final = re.compile(r"(?:\A|\n)[^\S\n]*[-*•][^\S\n]+")
_FENCE: Final = re.compile(r"\A\s*```\w*\s*\n|\n?\s*```\s*\Z")
_SPACE: Final = re.compile(r"\s+")
_LOOSE_END: Final = " *-•,，、;；:："
_SENTENCE_ENDS: Final = "。！？!?….．"
_AFTER_AN_END: Final = "”’\"'）)」』】》"


def render(raw: str, *, complete: bool) -> str:
    """Return the prose of an answer, or what is certain of it while it is not complete.

    For every beginning of an answer the prose is a beginning of the answer's prose. An answer without tags is prose
    itself, and certain only when it is complete. Points that only say that something was not mentioned are left out,
    unless there is nothing else.
    """
    certain = settled(raw, complete=complete)
    points = read_points(certain)
    if not points:
        return _clean(_FENCE.sub("", without_tags(certain))) if complete else ""
    whole = ""
    for point in points:
        if told := _told(point, complete=complete):
            whole += told if _close(whole, told) else f" {told}"
    return whole if whole or not complete else _nothing(points)


def is_absent(text: str) -> bool:
    """Tell whether a point only says that the call does not mention it."""
    return _ABSENT.fullmatch(_body(text).rstrip("。.！!")) is not None


def point_text(text: str) -> str:
    """Return a point's text without markup, label and loose ends."""
    return _body(text)


def _told(point: Point, *, complete: bool) -> str:
    body = _body(point.text)
    if point.closed or complete:
        return "" if not body or is_absent(point.text) else _ended(body, closed=point.closed)
    # A `<` here may yet stand before a figure.
    return body.rstrip(_LOOSE_END + "<＜") if len(body) >= _HELD else ""


def _body(text: str) -> str:
    clean = _clean(text)
    label = _LABEL.match(clean)
    return clean[label.end() if label else 0 :].rstrip(_LOOSE_END)


def _clean(text: str) -> str:
    text = _CONTROL.sub("", _BRACKET.sub("＜", _MARKUP.sub("", text)))
    text = _BULLET.sub("\n", text.replace("**", ""))
    return _SPACE.sub(_one_space, text.strip())


def _one_space(found: re.Match[str]) -> str:
    before, after = found.string[found.start() - 1], found.string[found.end()]
    return "" if "\n" in found.group() and CJK.match(before) and CJK.match(after) else " "


def _ended(body: str, *, closed: bool) -> str:
    if body.rstrip(_AFTER_AN_END)[-1:] in tuple(_SENTENCE_ENDS):
        return body
    if not closed:
        return f"{body}…"
    return body + ("。" if CJK.search(body) else ".")


def _close(before: str, after: str) -> bool:
    ends = before.rstrip(_AFTER_AN_END)[-1:]
    return not before or CJK.match(ends) is not None or CJK.match(after) is not None


def _nothing(points: list[Point]) -> str:
    said = [body for point in points if (body := _body(point.text))]
    return _NOTHING_SAID[CJK.search(said[0]) is not None] if said else ""

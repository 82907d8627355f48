"""A model's text as readers get it: without thoughts, fences and control characters, and not without end."""

import re
from typing import Final

_THOUGHT: Final = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.IGNORECASE | re.DOTALL)
_UNSTORABLE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_FENCE: Final = re.compile(r"\A\s*```[\w-]*[^\S\n]*(?:\n|\Z)")
_FENCE_END: Final = re.compile(r"\n?[^\S\n]*```\s*\Z")
_OPENINGS: Final = ("<think>", "<thinking>")
_SENTENCE: Final = re.compile(r"[。！？!?…；;\n]|\.(?=\s)")
# What may become something else when more comes: a fence's end, white space at the end.
_LOOSE: Final = " \t\n\r`"
_AROUND_TITLE: Final = " \t#*：:。."


def clean(raw: str, *, complete: bool) -> str:
    """Return the text of an answer, or what is certain of it while it is not complete.

    For every beginning of an answer the text is a beginning of the answer's text.
    """
    text = _UNSTORABLE.sub("", _THOUGHT.sub("", raw)).lstrip()
    if not complete:
        text = _without_begun_thought(text)
        if text.startswith("`") and "\n" not in text:
            return ""
    fenced = _FENCE.match(text)
    text = text[fenced.end() :].lstrip() if fenced else text
    return _FENCE_END.sub("", text).strip() if complete and fenced else text.rstrip() if complete else _certain(text)


def _certain(text: str) -> str:
    return text.rstrip(_LOOSE)


def _without_begun_thought(text: str) -> str:
    """Leave out a last `<` that may open a thought."""
    begun = text.rfind("<")
    tail = text[begun:].lower() if begun >= 0 else ""
    return text[:begun] if tail and any(opening.startswith(tail) for opening in _OPENINGS) else text


def without_title(text: str, title: str, *, complete: bool) -> str:
    """Leave out a first line that only repeats the section's title, or what may become one."""
    if not title or not text:
        return text
    line, broken, rest = text.partition("\n")
    bare, wanted = line.strip(_AROUND_TITLE), title.strip(_AROUND_TITLE)
    if not broken and not complete:
        return "" if wanted.startswith(bare) else text
    return rest.lstrip() if bare == wanted else text


def shortened(text: str, length: int) -> str:
    """Cut a text that is longer than `length` after its last sentence that fits, or in the middle of a first one."""
    if len(text) <= length:
        return text
    ends = [found.end() for found in _SENTENCE.finditer(text, 0, length) if found.end() >= length // 2]
    return text[: ends[-1]].rstrip() if ends else text[: length - 1].rstrip() + "…"

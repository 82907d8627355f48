"""Cutting a text into pieces that can be found and quoted, at borders of paragraphs and sentences, overlapping."""

import re
from typing import Final

SIZE: Final = 800
OVERLAP: Final = 80
_PARAGRAPH: Final = re.compile(r"\n\s*\n\s*")
_SENTENCE: Final = re.compile(r"[。！？!?；;…]+[”’\"')）」』]*\s*|[.]\s+|\n+")
_WORD: Final = re.compile(r"[,，、：:\s]+")
# How far before the end of a piece a border is looked for.
_WINDOW: Final = 0.5


def chunks(text: str, size: int = SIZE, overlap: int = OVERLAP) -> list[str]:
    """Cut a text into pieces of up to `size` characters; each begins with up to `overlap` characters of the last one.

    Every character of the text is in a piece, except white space at their ends. White space alone makes no piece.

    Raises:
        ValueError: the overlap is not smaller than half of the size.
    """
    if not 0 <= overlap < size * _WINDOW:
        raise ValueError("the overlap must be smaller than half of the size")
    found = []
    start = 0
    while start < len(text):
        end = _border(text, start, min(start + size, len(text)))
        if piece := text[start:end].strip():
            found.append(piece)
        if end >= len(text):
            break
        start = _back(text, start, end, overlap)
    return found


def _border(text: str, start: int, end: int) -> int:
    """Return where a piece ends: after the last paragraph, else sentence, else word in its second half."""
    if end == len(text):
        return end
    earliest = start + int((end - start) * _WINDOW)
    for border in (_PARAGRAPH, _SENTENCE, _WORD):
        places = [match.end() for match in border.finditer(text, earliest, end)]
        if places:
            return places[-1]
    return end


def _back(text: str, start: int, end: int, overlap: int) -> int:
    """Return where the next piece begins: at a sentence or word within the overlap, never before it."""
    earliest = max(start + 1, end - overlap)
    for border in (_SENTENCE, _WORD):
        match = border.search(text, earliest, end)
        if match and match.end() < end:
            return match.end()
    return earliest if overlap else end

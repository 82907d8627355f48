"""The terms that a text is found by, in Chinese and in English: pairs of ideographs, and words in lower case."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

# Ideographs, kana and hangul; full-width letters have become plain ones before.
_CJK: Final = "\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_RUN: Final = re.compile(rf"(?P<cjk>[{_CJK}]+)|(?P<word>(?:(?![{_CJK}])[^\W_])+)")
_LONGEST_TERM: Final = 64
# PostgreSQL keeps positions up to this one, and so many of a term.
_LAST_POSITION: Final = 16_383
_MOST_POSITIONS: Final = 255


def terms(text: str) -> list[str]:
    """Return a text's terms in their order, repeated as often as they are there. They hold letters and digits only."""
    return list(_terms(unicodedata.normalize("NFKC", text).casefold()))


def _terms(text: str) -> Iterator[str]:
    for match in _RUN.finditer(text):
        if run := match["cjk"]:
            yield from (run[place : place + 2] for place in range(max(1, len(run) - 1)))
        elif len(match["word"]) <= _LONGEST_TERM:
            yield match["word"]


def index_of(text: str) -> str:
    """Return a text's terms with their positions, as PostgreSQL writes a `tsvector`."""
    places: dict[str, list[int]] = {}
    for position, term in enumerate(terms(text), 1):
        found = places.setdefault(term, [])
        if len(found) < _MOST_POSITIONS and position <= _LAST_POSITION:
            found.append(position)
    return " ".join(f"'{term}':{','.join(map(str, found))}" if found else f"'{term}'" for term, found in places.items())


def query_of(text: str, most: int = 32) -> list[str]:
    """Return the different terms of a question, in their order, `most` of them at most."""
    return list(dict.fromkeys(terms(text)))[:most]

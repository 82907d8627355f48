"""What a model gives as words of the conversation, held against what was really said."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from tools.transcripts.model import Segment

MOST: Final = 3
# What a quote may bring along from its line, and what stands for words left out.
_TIME: Final = re.compile(r"^\s*[\[(（【]\s*\d{1,3}:\d{2}(?::\d{2})?\s*[\])）】]\s*")
_NAME: Final = re.compile(r"^([^:：]{1,60})[:：]\s*")
_LEFT_OUT: Final = re.compile(r"…+|\.{3,}|⋯+")
_MARKS: Final = "\"'“”‘’「」『』«» "
# Fewer letters occur anywhere by chance.
_LEAST: Final = 2


class Said:
    """All that was said, for looking up quotes. Making it takes a while for a long conversation."""

    def __init__(self, dialogues: Sequence[Segment]) -> None:
        # What one person says in several segments is one speech; a quote does not reach into another's.
        turns = groupby(dialogues, key=lambda segment: segment["speaker"])
        self._words = "\n".join(bare("".join(one["text"] for one in turn)) for _speaker, turn in turns)
        self._names = {bare(segment["speaker"]) for segment in dialogues}

    def knows(self, quote: str, names: Iterable[str] = ()) -> str | None:
        """Return a quote as it is shown, or None if nobody said it; `names` are others that people go by.

        Punctuation, case, width and spaces do not count; parts of a quote with an ellipsis between must all be there.
        """
        text = _TIME.sub("", quote.strip(_MARKS))
        named = _NAME.match(text)
        if named and bare(named[1]) in {*self._names, *map(bare, names)}:
            text = text[named.end() :]
        text = text.strip(_MARKS)
        parts = [part for part in map(bare, _LEFT_OUT.split(text)) if part]
        known = sum(map(len, parts)) >= _LEAST and all(part in self._words for part in parts)
        return text if known else None

    def known(self, quotes: Iterable[str], names: Iterable[str] = ()) -> list[str]:
        """Return those of the quotes that were said, each once, three at most."""
        names = list(names)
        found = (self.knows(quote, names) for quote in quotes)
        return list(dict.fromkeys(quote for quote in found if quote))[:MOST]


def bare(text: str) -> str:
    """Return a text's letters and digits alone, of one width and case."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))

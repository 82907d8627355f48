"""Prompts from Markdown files, and data put into them so that it cannot pass for instruction (W21, X029)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template
from typing import Final

# What may hide between the characters of a tag: white space, soft hyphens, zero-width and direction marks.
_HIDDEN: Final = r"[\s\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]*"
_OPENING: Final = "[<＜﹤]"
_HARMLESS: Final = "‹"


@dataclass(frozen=True)
class Prompt:
    """A prompt with places like `$transcript`."""

    text: str

    def render(self, **values: object) -> str:
        """Fill the places; what is filled in is not searched for places again.

        Raises:
            KeyError: a place has no value.
        """
        return Template(self.text).substitute(values)


def load(package: str, name: str) -> Prompt:
    """Read `prompts/<name>.md` of a package. Blocking: call it while a module is imported."""
    return Prompt((files(package) / "prompts" / f"{name}.md").read_text(encoding="utf-8").strip())


def as_data(tag: str, text: str, *, among: Iterable[str] = ()) -> str:
    """Put a text between `<tag>` and `</tag>`, on lines of their own; no tag of that name inside ends it early.

    In the text the bracket of every such tag, opening or closing, in any case and however spaced, becomes `‹`; also
    that of the tags `among` which the text stands in the same message.
    """
    for name in {tag, *among}:
        text = _tag(name).sub(_HARMLESS, text)
    return f"<{tag}>\n{text}\n</{tag}>"


@cache
def _tag(name: str) -> re.Pattern[str]:
    letters = _HIDDEN.join(re.escape(letter) for letter in name)
    return re.compile(rf"{_OPENING}(?={_HIDDEN}[/／]?{_HIDDEN}{letters})", re.IGNORECASE)

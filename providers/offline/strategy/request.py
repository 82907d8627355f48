"""What stands in the messages of a strategy: the skill among the rules, the transcript or the advice as data."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from langchain_core.messages import BaseMessage

LINE: Final = re.compile(r"^[ \t]*\[([^\]\n]{1,20})\][ \t]*([^:：\n]{1,60})[:：][ \t]*(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Turn:
    """One line of a transcript; `time` as it is written there."""

    time: str
    name: str
    words: str


def block(messages: Sequence[BaseMessage], tag: str) -> str:
    """Return what stands in the newest block of that name; empty where there is none."""
    found = (_block(tag).search(str(message.text)) for message in reversed(messages))
    return next((one.group(1) for one in found if one), "")


def turns(transcript: str) -> list[Turn]:
    """Return the lines of a transcript that are somebody's."""
    return [Turn(*found) for found in LINE.findall(transcript)]


@cache
def _block(tag: str) -> re.Pattern[str]:
    return re.compile(rf"<{tag}>\n?(.*?)\n?</{tag}>", re.DOTALL)

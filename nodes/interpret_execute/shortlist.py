"""Which tools a model is shown, where there are more than fit into a question."""

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from tools.mcp.model import Tool

MOST_TOOLS: Final = 60

_WORD: Final = re.compile(r"[a-z]+|\d+|[\u3400-\u9fff]")


def shortlist(words: Sequence[str], tools: Sequence[Tool], most: int = MOST_TOOLS) -> list[Tool]:
    """Return the tools in their order, or of too many those that share most words with what was said."""
    if len(tools) <= most:
        return list(tools)
    said = _tokens(" ".join(words))

    def likeness(tool: Tool) -> float:
        own = _tokens(f"{tool.name} {tool.description}")
        return len(said & own) / math.sqrt(1 + len(own))

    best = sorted(tools, key=likeness, reverse=True)[:most]
    kept = {tool.name for tool in best}
    return [tool for tool in tools if tool.name in kept]


def _tokens(text: str) -> set[str]:
    found = _WORD.findall(text.replace("_", " ").lower())
    pairs = {first + second for first, second in pairwise(found) if not first.isascii()}
    return {token for token in found if token.isascii()} | pairs

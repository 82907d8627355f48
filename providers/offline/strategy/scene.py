"""What kind of conversation a transcript is, by the words that are said and how people are named (A026, G02).

Reads what stands between `<transcript>` tags: lines `name: words`, with or without a time `[…]` before them. Answers
`{"scene_category": …, "scene_confidence": …}`. The confidence is honest: it grows with the evidence and with its lead
over the next scene, and rules never reach 0.9.
"""

import json
import re
from collections.abc import Sequence
from typing import Final

from langchain_core.messages import BaseMessage, HumanMessage

from providers.offline.strategy.cues import NAMED, STRONG, WEAK

OTHER: Final = "other"
_DATA: Final = re.compile(r"<transcript>\n?(.*?)\n?</transcript>", re.DOTALL)
_LINE: Final = re.compile(r"^[ \t]*(?:\[[^\]\n]{1,40}\][ \t]*)?([^:：\n]{1,30})[:：][ \t]*(.*)$", re.MULTILINE)
_LONGEST: Final = 60_000
_STRONG: Final = 3.0
_NAMED: Final = 6.0
# Quarrels happen at home and at work too: what they are about must not outvote that they are quarrels.
_QUARREL: Final = 1.5
_LEAST: Final = 3.0
_DOUBT: Final = 3.0
_MOST: Final = 0.89
_NOTHING: Final = 0.3


def recognise_scene(messages: Sequence[BaseMessage]) -> str:
    """Answer with the scene of the newest transcript and a confidence, as JSON."""
    asked = (_DATA.search(str(message.text)) for message in reversed(messages) if isinstance(message, HumanMessage))
    found = next(filter(None, asked), None)
    scene, confidence = scene_of(found.group(1) if found else "")
    return json.dumps({"scene_category": scene, "scene_confidence": confidence})


def scene_of(transcript: str) -> tuple[str, float]:
    """Return the scene of a transcript and a confidence of 0 to 0.89; too little evidence is `other`."""
    weights = _weights(transcript[:_LONGEST])
    scene, first = max(weights.items(), key=lambda item: item[1])
    second = max(weight for other, weight in weights.items() if other != scene)
    if first < _LEAST:
        return OTHER, _NOTHING
    return scene, round(min(first / (first + second * 0.6 + _DOUBT), _MOST), 2)


def _weights(transcript: str) -> dict[str, float]:
    lines = _LINE.findall(transcript)
    names = {name.strip() for name, _words in lines}
    words = "\n".join(said for _name, said in lines) or transcript
    weights = {scene: _STRONG * _kinds(cues, words) + _kinds(WEAK[scene], words) for scene, cues in STRONG.items()}
    weights["conflict"] *= _QUARREL
    for scene, pattern in NAMED.items():
        weights[scene] += _NAMED * any(pattern.fullmatch(name) for name in names)
    return weights


def _kinds(cues: re.Pattern[str], words: str) -> int:
    return len({found.group().casefold() for found in cues.finditer(words)})

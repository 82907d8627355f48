"""Several skills' advice as one list: taken in turn, what has the same words only once (G03)."""

import json
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any, Final

from langchain_core.messages import BaseMessage

from providers.offline.strategy.request import block

_MOST: Final = 6


def fuse(messages: Sequence[BaseMessage]) -> str:
    """Answer with the advice of all skills, as JSON; each piece names those that it comes from."""
    fused: list[dict[str, Any]] = []
    for skill, advice in _in_turn(block(messages, "advices")):
        same = next((one for one in fused if _same(one, advice)), None)
        if same is None:
            fused.append({**advice, "skills": [skill]})
        elif skill not in same["skills"]:
            same["skills"].append(skill)
            same["quotes"] = [*same["quotes"], *(one for one in advice["quotes"] if one not in same["quotes"])]
    return json.dumps({"advices": fused[:_MOST]}, ensure_ascii=False)


def _in_turn(data: str) -> Iterator[tuple[str, dict[str, Any]]]:
    given = json.loads(data) if data else []
    for rank in zip_longest(*(skill["advices"] for skill in given)):
        for skill, advice in zip(given, rank, strict=True):
            if advice is not None:
                yield skill["skill"], advice


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(one["advice"] == other["advice"] or (one["script"] and one["script"] == other["script"]))

"""A judgement by what can be counted: words of the request, form, sources, length and tags."""

import re
from collections.abc import Sequence
from typing import Any, Final

from langchain_core.messages import BaseMessage

from providers.offline.deep.request import Request, words

# Counts see the form, not whether a text is good: no form earns more.
_MOST: Final = 8
# Characters of the message that are compared; of a long one the rest is material.
_READ: Final = 300
_LISTED: Final = re.compile(r"^\s*(?:[-*•]|\d+[.、)])\s", re.MULTILINE)
# Points for the share of the request's words that the text takes up.
_TO_THE_POINT: Final = ((0.6, 4), (0.4, 3), (0.2, 2), (0.05, 1))


def judge(messages: Sequence[BaseMessage]) -> str:
    """Answer with the score, the counts, and what to change."""
    request = Request.of(messages)
    facts = request.json("facts")
    wanted = words(request["message"][:_READ])
    share = len(wanted & words(request["draft"])) / (len(wanted) or 1)
    to_the_point = next((points for least, points in _TO_THE_POINT if share >= least), 0)
    score = min(to_the_point + _usable(request["draft"]) + _exact(facts) + _within(facts), _MOST)
    counted = (
        f"只看能计数的项目，没有使用语言模型，最高记 {_MOST} 分：要求里的词有 {share:.0%} 在正文里出现",
        f"正文 {facts.get('characters', 0)} 个字符",
        f"标签体现 {len(facts.get('tags_used', []))} 个，缺 {len(facts.get('tags_unused', []))} 个",
        f"引用出处 {len(facts.get('citations', []))} 处。",
    )
    points = "；".join(_points(facts, share)) or "无"
    return f"- 综合分：{score}/10\n- 质量评估：{'；'.join(counted)}\n- 修改要点：{points}"


def _usable(draft: str) -> int:
    has_figures = any(character.isdigit() for character in draft)
    return bool(_LISTED.search(draft)) + has_figures + ("\n\n" in draft)


def _exact(facts: dict[str, Any]) -> int:
    cites_what_it_has = not facts.get("passages_given") or bool(facts.get("citations"))
    return (not facts.get("unknown_citations")) + cites_what_it_has


def _within(facts: dict[str, Any]) -> int:
    return int(bool(facts.get("length_ok")) and not facts.get("tags_unused"))


def _points(facts: dict[str, Any], share: float) -> list[str]:
    points = []
    if not facts.get("length_ok"):
        points.append(f"把长度从 {facts.get('characters', 0)} 个字符调整到 500–1000 个")
    if unused := facts.get("tags_unused"):
        points.append(f"补上标签：{'、'.join(unused)}")
    if unknown := facts.get("unknown_citations"):
        points.append(f"去掉不存在的出处：{'、'.join(unknown)}")
    if facts.get("passages_given") and not facts.get("citations"):
        points.append("注明资料的出处")
    if share < _TO_THE_POINT[1][0]:
        points.append("更多地回应要求里说到的内容")
    return points[:3]

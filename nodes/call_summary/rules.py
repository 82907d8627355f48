"""What is wrong with a model's answer: rules only, no model judges another."""

import re
from typing import Final

from nodes.call_summary.points import read_points, settled
from nodes.call_summary.prose import point_text, render
from nodes.call_summary.state import POINTS, PointName
from tools.text.tokens import estimate

# The model's limit is 200 of its own tokens (C018); ours are an estimate.
LENGTH_LIMIT: Final = 240
_INNER_TAG: Final = re.compile(r"</?[A-Za-z][A-Za-z_ -]*/?>")
_REFUSAL: Final = re.compile(
    r"(?:很?抱歉|对不起|不好意思)[，,。\s]*(?:我|作为).{0,8}(?:无法|不能|没有办法)|作为(?:一个|一名)?(?:AI|人工智能|语言模型)|"
    r"我(?:无法|不能)(?:提供|生成|总结|完成|协助|处理)|"
    r"(?:I'm |I am |Sorry)[^.]{0,10}(?:sorry)?[^.]{0,10}I (?:can't|cannot|can not|am unable)|"
    r"I (?:can't|cannot|am unable to|won't)\b|As an? (?:AI|language model)",
    re.IGNORECASE,
)


def covered(raw: str) -> dict[PointName, bool]:
    """Tell which of the three points an answer covers; one that is said not to be in the call is covered."""
    found = {point.name for point in read_points(settled(raw, complete=True)) if point_text(point.text)}
    return {name: name in found for name in POINTS}


def usable(raw: str) -> bool:
    """Tell whether an answer can stand as a summary: it says something, and not that the model declines."""
    summary = render(raw, complete=True)
    if not any(character.isalnum() for character in summary):
        return False
    # In all three tags it is the customer who cannot do something.
    return all(covered(raw).values()) or _REFUSAL.match(summary.replace("’", "'")) is None


def problems(raw: str) -> list[str]:
    """Return what is wrong with an answer.

    Returns:
        `empty`, `refusal`, the names of points that are missing, `tags` (one twice, or others inside), `length`.
    """
    summary = render(raw, complete=True)
    if not usable(raw):
        return ["refusal" if any(character.isalnum() for character in summary) else "empty"]
    points = read_points(settled(raw, complete=True))
    found: list[str] = [name for name, has in covered(raw).items() if not has]
    if len(points) > len({point.name for point in points}) or any(_INNER_TAG.search(point.text) for point in points):
        found.append("tags")
    if estimate(summary) > LENGTH_LIMIT:
        found.append("length")
    return found

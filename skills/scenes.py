"""The closed list of scenes, and what a model says about them brought into it (G02, W05).

`scenes.json` beside this file is the list: id, Chinese name, what belongs to it, and other words for it.
"""

import json
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

OTHER: Final = "other"
SURE: Final = 0.5
"""From this confidence on a scene counts; below it the fallback skill is used."""

_LONGEST: Final = 200
# A number with a decimal point or comma, and what it is a share of: "0.9", "90%", "8/10", "9 成".
_NUMBER: Final = re.compile(r"([-+]?\d{1,9}(?:[.,]\d{1,9})?)\s*(%|percent|成|/\s*(?:10{1,2}|5)(?!\d))?", re.IGNORECASE)
_WORDS: Final = (
    (re.compile(r"\bvery high\b|\bcertain\b|非常高|很高|极高|确定无疑"), 0.95),
    (re.compile(r"\bvery low\b|非常低|很低|极低|不确定|\buncertain\b"), 0.1),
    (re.compile(r"\bmedium\b|\bmoderate\b|\bfair\b|中等|一般|^中$"), 0.6),
    (re.compile(r"\blow\b|较低|偏低|^低$"), 0.3),
    (re.compile(r"\bhigh\b|\bsure\b|较高|偏高|^高$"), 0.85),
)
_FENCED: Final = re.compile(r"\{[^{}]*\}", re.DOTALL)


@dataclass(frozen=True)
class Scene:
    """One kind of conversation."""

    id: str
    name: str
    description: str
    aliases: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """What a conversation is taken for, with a confidence of 0 to 1."""

    category: str
    confidence: float


UNKNOWN: Final = Verdict(OTHER, 0.0)


def _read() -> dict[str, Scene]:
    listed = json.loads((files("skills") / "scenes.json").read_text(encoding="utf-8"))
    return {one["id"]: Scene(one["id"], one["name"], one["description"], tuple(one["aliases"])) for one in listed}


SCENES: Final[Mapping[str, Scene]] = _read()
"""All scenes by id, in the order of the file."""

_IDS: Final = {
    word.casefold(): scene.id for scene in SCENES.values() for word in (scene.id, scene.name, *scene.aliases)
}


def category_of(value: Any) -> str | None:
    """Return the scene that a model's word for it means: its id, its Chinese name or another word; None for no scene.

    A sentence means a scene if it holds the id or name of that one alone.
    """
    if not isinstance(value, str):
        return None
    said = unicodedata.normalize("NFKC", value[:_LONGEST]).strip().strip("\"'`“”。.").casefold()
    if said in _IDS:
        return _IDS[said]
    held = {scene.id for scene in SCENES.values() if scene.name in said or re.search(rf"\b{scene.id}\b", said)}
    return held.pop() if len(held) == 1 else None


def confidence_of(value: Any) -> float | None:
    """Return a model's confidence as a number from 0 to 1; None where it says none.

    Takes numbers and texts: 0.9, "0.9", "90%", 92, "8/10", "9成", "high", "较高". Above 1, whole numbers from 2 to 100
    are percentages; anything else above 1 is 1.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):  # one of a thousand digits fits no float
        value = max(-1, min(value, 1000))
    if isinstance(value, int | float):
        return _as_share(float(value), None)
    if not isinstance(value, str):
        return None
    said = unicodedata.normalize("NFKC", value[:_LONGEST]).strip().casefold()
    if found := _NUMBER.search(said):
        return _as_share(float(found.group(1).replace(",", ".")), found.group(2))
    return next((level for pattern, level in _WORDS if pattern.search(said)), None)


def verdict_of(category: Any, confidence: Any) -> Verdict:
    """Return what a model's two fields mean: no scene is other with 0.0; a scene without a confidence has 0.0 (G02)."""
    known = category_of(category)
    return UNKNOWN if known is None else Verdict(known, confidence_of(confidence) or 0.0)


def verdict_from(answer: str) -> Verdict:
    """Read a model's whole answer: a JSON object, also in a fence or with words around it (X028)."""
    for text in reversed(_FENCED.findall(answer)):
        try:
            found = json.loads(text)
        except ValueError:
            continue
        verdict = verdict_of(
            found.get("scene_category", found.get("category")), found.get("scene_confidence", found.get("confidence"))
        )
        if verdict != UNKNOWN:
            return verdict
    return UNKNOWN


def _as_share(number: float, unit: str | None) -> float | None:
    if not math.isfinite(number):
        return None
    if unit is not None and unit.startswith("/"):
        number /= float(unit.lstrip("/ "))
    elif unit == "成":
        number /= 10
    elif unit is not None or (2 <= number <= 100 and number.is_integer()):  # noqa: PLR2004 - percentages
        number /= 100
    return min(max(number, 0.0), 1.0)

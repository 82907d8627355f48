"""The review of a conversation as the model answers it, and what of it stands when it is held against the words."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, Field

from nodes.audio_analysis.records import Risk, RiskLevel
from nodes.common.fields import clamped, clipped, one_of, texts
from tools.transcripts.model import Segment

LEVELS: Final[tuple[RiskLevel, ...]] = ("high", "medium", "low")
MOST_RISKS: Final = 8
LONGEST_SUMMARY: Final = 1000
_UNKNOWN: Final = "未知"
# Of what is compared, punctuation and space are no part: models write them as they like.
_NO_LETTER: Final = re.compile(r"[\W_]+")
_SHORTEST_QUOTE: Final = 2


def _objects(value: Any) -> list[Any]:
    return [item for item in value if isinstance(item, dict)][: 2 * MOST_RISKS] if isinstance(value, list) else []


def _mapping(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {str(name): role.strip()[:60] for name, role in value.items() if isinstance(role, str) and role.strip()}


class FoundRisk(BaseModel):
    """A risk as the model tells it."""

    level: Annotated[RiskLevel, one_of(LEVELS, default="medium")] = "medium"
    text: Annotated[str, clipped(300)] = ""
    quote: Annotated[str, clipped(300)] = ""


class Review(BaseModel):
    """What a model finds in a transcript, or in a piece of one."""

    summary: Annotated[str, clipped(LONGEST_SUMMARY), Field(min_length=1)]
    conversation_summary: Annotated[str, clipped(100)] = ""
    mood_score: Annotated[float, clamped(0, 100)]
    risks: Annotated[list[FoundRisk], BeforeValidator(_objects)] = []
    speakers: Annotated[dict[str, str], BeforeValidator(_mapping)] = {}
    tags: Annotated[list[str], texts(5, 20)] = []


def risks_of(review: Review, segments: Sequence[Segment]) -> list[Risk]:
    """Return the risks, the gravest first, each once.

    A quote that nobody said is left out; where it was said, is looked up and not asked of the model.
    """
    found: dict[str, Risk] = {}
    for one in review.risks:
        if not one.text:
            continue
        place = _said(one.quote, segments)
        risk = Risk(
            level=one.level,
            text=one.text,
            quote=one.quote if place is not None else "",
            start=segments[place]["start"] if place is not None else None,
        )
        found.setdefault(_plain(one.text), risk)
    return sorted(found.values(), key=lambda risk: LEVELS.index(risk["level"]))[:MOST_RISKS]


def mapping_of(review: Review, segments: Sequence[Segment]) -> dict[str, str]:
    """Return what each speaker is in the conversation; nobody is left out, and nobody is invented."""
    names = dict.fromkeys(segment["speaker"] for segment in segments)
    return {name: review.speakers.get(name, _UNKNOWN) for name in names}


def _said(quote: str, segments: Sequence[Segment]) -> int | None:
    """Return the place of the segment in which a quote is said, or begins."""
    words = _plain(quote)
    if len(words) < _SHORTEST_QUOTE:
        return None
    spoken = [_plain(segment["text"]) for segment in segments]
    for place, text in enumerate(spoken):
        if words in text:
            return place
    # One that goes over several segments of the same turn.
    whole, ends, length = "".join(spoken), [], 0
    for text in spoken:
        length += len(text)
        ends.append(length)
    at = whole.find(words)
    return next(place for place, end in enumerate(ends) if at < end) if at >= 0 else None


def _plain(text: str) -> str:
    return _NO_LETTER.sub("", unicodedata.normalize("NFKC", text).casefold())

"""Labelled calls, and how many of their key points a summary covers: countable, so that it needs no second model."""

import unicodedata
from pathlib import Path
from typing import Annotated, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from nodes.call_summary.records import Message
from nodes.call_summary.state import PointName
from server.evaluation.sets import Set, read_sets

KINDS: Final[tuple[PointName, ...]] = get_args(PointName)
_ROLES: Final[dict[str, Literal["assistant", "user"]]] = {"A": "assistant", "U": "user"}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KeyPoint(_Strict):
    """One thing that a summary has to say: for each list of words, one of them."""

    point: str
    words: Annotated[list[Annotated[list[str], Field(min_length=1)]], Field(min_length=1)]


class LabelledCall(_Strict):
    """A call and what is to be found in its summary; `absent` must not be."""

    title: str
    transcript: list[Annotated[str, Field(pattern=r"^[AU]: \S")]]
    points: dict[PointName, list[KeyPoint]]
    absent: list[str] = Field(default_factory=list)

    @property
    def messages(self) -> list[Message]:
        """The transcript as the workflow reads it."""
        return [Message(role=_ROLES[line[0]], content=line[3:]) for line in self.transcript]


class Coverage(_Strict):
    """How many points of each kind a summary covers, of how many; and what it says that it must not."""

    covered: dict[PointName, int]
    asked: dict[PointName, int]
    missing: list[str]
    false: list[str]

    @property
    def share(self) -> float:
        """The covered points among all, 0 to 1."""
        return sum(self.covered.values()) / sum(self.asked.values())


def load(folder: Path) -> dict[Set, dict[str, LabelledCall]]:
    """Read the calls of both sets, by name. Blocking.

    Raises:
        SettingsError: there are none, or a file is no labelled call.
    """
    return read_sets(folder, LabelledCall, "labelled call", "labelled calls")


def coverage(call: LabelledCall, summary: str) -> Coverage:
    """Return what of a call's key points stands in a summary."""
    text = _plain(summary)
    asked = {kind: call.points.get(kind, []) for kind in KINDS}
    found = {kind: [point for point in points if _covers(text, point)] for kind, points in asked.items()}
    return Coverage(
        covered={kind: len(points) for kind, points in found.items()},
        asked={kind: len(points) for kind, points in asked.items()},
        missing=[point.point for kind in KINDS for point in asked[kind] if point not in found[kind]],
        false=[word for word in call.absent if _plain(word) in text],
    )


def _covers(text: str, point: KeyPoint) -> bool:
    return all(any(_plain(word) in text for word in words) for words in point.words)


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())

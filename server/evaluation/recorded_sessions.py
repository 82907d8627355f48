"""Recorded counseling sessions: what was said, what the visitor remembered before, and the facts that must be kept."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nodes.counseling.records import Homework, Line, Memory, SessionContext
from nodes.counseling.visitors import TEMPLATES
from server.evaluation.sets import Set, read_sets

Fact = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Facts(_Strict):
    """What is right. A fact may be put in several ways: `三人小组|三个人的小组`.

    Attributes:
        earlier: facts of the memory before, which the new one must keep.
        session: facts of this session, which diary or memory must hold.
        absent: what must stand nowhere.
    """

    earlier: list[Fact]
    session: list[Fact]
    absent: list[Fact]


class RecordedSession(_Strict):
    """One session before it is finalised; `visitor` is the template's key."""

    title: str
    visitor: int = Field(ge=1, le=len(TEMPLATES))
    session_number: int = Field(ge=1)
    labels: Facts
    memory: Memory
    last_activity: dict[str, Any] | None
    homework: str
    assignment: str
    chat: list[Line] = Field(min_length=1)

    @model_validator(mode="after")
    def _labels_are_of_what_is_there(self) -> "RecordedSession":
        said = " ".join(line["content"] for line in self.chat)
        if not all(holds(str(self.memory), fact) for fact in self.labels.earlier):
            raise ValueError("an earlier fact is not in the memory")
        if not all(holds(said, fact) for fact in self.labels.session):
            raise ValueError("a fact of the session was not said")
        return self

    def context(self) -> SessionContext:
        """Return the session as the workflow sees it."""
        visitor = TEMPLATES[self.visitor - 1]
        return SessionContext(
            session_number=self.session_number,
            chat=self.chat,
            persona=visitor.core_persona,
            visitor_name=visitor.name,
            memory=self.memory,
            last_activity=self.last_activity,
            last_diary="",
            homework=[Homework(title=self.homework, status="assigned")] if self.homework else [],
        )


def holds(text: str, fact: str) -> bool:
    """Tell whether a text holds a fact in one of its ways; white space and case do not count."""
    plain = _plain(text)
    return any(_plain(way) in plain for way in fact.split("|"))


def load(folder: Path) -> dict[Set, dict[str, RecordedSession]]:
    """Read the sessions of both sets, by name. Blocking.

    Raises:
        SettingsError: there are none, or a file is no recorded session.
    """
    return read_sets(folder, RecordedSession, "recorded counseling session", "recorded sessions")


def _plain(text: str) -> str:
    return "".join(text.split()).casefold()

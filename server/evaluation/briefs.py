"""The briefs of deep chat: what is asked, with what at hand, and the labels that an answer is held against."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from nodes.meta_workflow.state import Intent
from server.evaluation.sets import Set, read_sets


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Labels(_Strict):
    """What is right: intents that fit, words that must and must not stand in the text, documents to be cited."""

    intents: list[Intent]
    mentions: list[str]
    cites: list[str]
    absent: list[str]


class BriefDocument(_Strict):
    """A document that was uploaded before."""

    filename: str
    text: str


class PastMessage(_Strict):
    """A message of the conversation before."""

    role: Literal["user", "assistant"]
    content: str


class Brief(_Strict):
    """One request of deep chat."""

    title: str
    message: str
    tags: list[str]
    memory: dict[str, str | list[str]] = Field(default_factory=dict)
    turns: list[PastMessage] = Field(default_factory=list)
    documents: list[BriefDocument] = Field(default_factory=list)
    labels: Labels


def load(folder: Path) -> dict[Set, dict[str, Brief]]:
    """Read the briefs of both sets, by name. Blocking.

    Raises:
        SettingsError: there are none, or a file is no brief.
    """
    return read_sets(folder, Brief, "brief of deep chat", "briefs")

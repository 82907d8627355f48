"""The briefs of deep chat: what is asked, with what at hand, and the labels that an answer is held against."""

from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.settings import SettingsError
from nodes.meta_workflow.state import Intent

Set = Literal["tuned", "held_out"]
# Prompts are changed with the first in view, never with the second.
SETS: Final[tuple[Set, ...]] = ("tuned", "held_out")


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
    found = {name: _read(folder / name) for name in SETS}
    if not any(found.values()):
        raise SettingsError(f"{folder}: there are no briefs in {' and '.join(SETS)}.")
    return found


def _read(folder: Path) -> dict[str, Brief]:
    briefs = {}
    for file in sorted(folder.glob("*.json")):
        try:
            briefs[file.stem] = Brief.model_validate_json(file.read_text(encoding="utf-8"))
        except (ValidationError, UnicodeDecodeError):
            raise SettingsError(f"{file} is no brief of deep chat.") from None
    return briefs

"""Labelled transcripts for the evaluation of scenes, skills and strategies (G02, G03)."""

import json
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from core.settings import SettingsError
from nodes.audio_strategy.records import AnalysedSession
from server.evaluation.recorded_sessions import holds
from server.evaluation.sets import SETS, Set
from tools.transcripts.model import Segment

_MOMENTS: Final = TypeAdapter(dict[str, list[str]])


class LabelledTranscript(BaseModel):
    """A conversation with the scene it is of, and the skill that should come first.

    Attributes:
        moments: what a good strategy speaks of, in words of the conversation (`one way|another`); of some only.
    """

    model_config = ConfigDict(extra="forbid")

    title: str
    language: str
    scene: str
    skill: str
    held_out: bool
    dialogues: list[Segment] = Field(min_length=1)
    moments: list[str] = []

    def session(self) -> AnalysedSession:
        """Return the conversation as the workflow sees it."""
        return AnalysedSession(
            dialogues=self.dialogues, speaker_mapping={}, summary="", duration=self.dialogues[-1]["end"]
        )


def load(folder: Path) -> dict[Set, dict[str, LabelledTranscript]]:
    """Read `scenes/*.json` and `moments.json` of a folder, in the sets that their label says. Blocking.

    Raises:
        SettingsError: there are none, a file is of another form, or moments are of no transcript.
    """
    found: dict[Set, dict[str, LabelledTranscript]] = {name: {} for name in SETS}
    moments = _moments(folder / "moments.json")
    for file in sorted((folder / "scenes").glob("*.json")):
        try:
            read = {**json.loads(file.read_text(encoding="utf-8")), "moments": moments.pop(file.stem, [])}
            one = LabelledTranscript.model_validate(read)
        except (ValueError, TypeError):
            raise SettingsError(f"{file} is no labelled transcript.") from None
        said = " ".join(segment["text"] for segment in one.dialogues)
        if not all(holds(said, moment) for moment in one.moments):
            raise SettingsError(f"{file}: a moment of it was not said.")
        found["held_out" if one.held_out else "tuned"][file.stem] = one
    if moments or not any(found.values()):
        raise SettingsError(f"{folder}: there are no transcripts, or moments of others.")
    return found


def _moments(file: Path) -> dict[str, list[str]]:
    if not file.exists():
        return {}
    try:
        return _MOMENTS.validate_json(file.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError):
        raise SettingsError(f"{file} holds no moments.") from None

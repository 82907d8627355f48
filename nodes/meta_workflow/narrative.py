"""Beside the judgement: the turn's story in the first person, and what could be next (D025, G33)."""

from typing import Annotated, Any

import structlog
from pydantic import BaseModel, Field

from core.errors import ModelFailed
from nodes.common.fields import clipped
from nodes.common.structured import ask_for
from nodes.meta_workflow.prompting import about_narrative
from nodes.meta_workflow.state import MetaState, Narrative

log = structlog.get_logger(__name__)


class Told(BaseModel):
    """The model's answer."""

    thinking_narrative: Annotated[str, clipped(1500)] = Field(min_length=1)
    suggestion: Annotated[str, clipped(600)] = ""


async def narrative(state: MetaState) -> dict[str, Any]:
    """Ask for the narrative; where there is none, also after a repair, its section stays empty (G43)."""
    try:
        told = (await ask_for("narrative", about_narrative(state), Told)).value
    except ModelFailed:
        log.warning("narrative_missing")
        return {"narrative": None}
    return {"narrative": Narrative(thinking_narrative=told.thinking_narrative, suggestion=told.suggestion)}

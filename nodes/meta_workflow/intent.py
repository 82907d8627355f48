"""Step 2: what kind of message it is, one of a closed set (G35)."""

import re
from typing import Annotated, Any, Final

import structlog
from langgraph.types import StreamWriter
from pydantic import BaseModel

from core.errors import ModelFailed
from nodes.common.fields import clipped, one_of
from nodes.common.structured import ask_for
from nodes.meta_workflow.events import tell_phase
from nodes.meta_workflow.prompting import about_intent
from nodes.meta_workflow.state import INTENTS, Intent, MetaState, Phase

log = structlog.get_logger(__name__)

# A word after a slash and nothing else, or one of ours with more behind it; a path in a sentence is no command.
_COMMAND: Final = re.compile(r"/(?:[a-z][a-z_-]{0,30}|new_chat\s.*)", re.IGNORECASE | re.DOTALL)
_SHORT: Final[tuple[Intent, ...]] = ("casual_chat", "command")


class Recognised(BaseModel):
    """The model's answer."""

    intent: Annotated[Intent, one_of(INTENTS, default="free_discussion")]
    understanding: Annotated[str, clipped(120)] = ""


async def intent(state: MetaState, *, writer: StreamWriter) -> dict[str, Any]:
    """Recognise the intent. A command needs no model; where the model fails, it is a free discussion."""
    found = await _recognised(state)
    if found.intent == "document_query" and not state["outline"]:
        found.intent = "free_discussion"
    if found.understanding:
        tell_phase(writer, Phase(phase="planning", content=f"识别用户需求：{found.understanding}"), 0)
    return {"intent": found.intent}


def after_intent(state: MetaState) -> str:
    """Choose the short way for what needs no plan."""
    return "reply" if state["intent"] in _SHORT else "planning"


async def _recognised(state: MetaState) -> Recognised:
    message = state["turn"]["message"]
    if _COMMAND.fullmatch(message):
        return Recognised(intent="command", understanding=f"命令 {message[:40]}")
    try:
        found = (await ask_for("intent", about_intent(state), Recognised)).value
    except ModelFailed:
        log.warning("intent_unknown")
        return Recognised(intent="free_discussion")
    # Only the rule above knows commands: a model may not turn a request into one.
    return found.model_copy(update={"intent": "free_discussion"}) if found.intent == "command" else found

"""Step 10, after a yes: the whole text anew, with the evaluation's points (G34)."""

from typing import Any, Final

from langgraph.types import StreamWriter

from nodes.meta_workflow.events import Telling, tell_phase
from nodes.meta_workflow.facts import length_of
from nodes.meta_workflow.prompting import about_revision
from nodes.meta_workflow.state import LONGEST_OUTPUT, SHORTEST_OUTPUT, MetaState, Phase
from nodes.meta_workflow.writing import Demand, write

_WHOLE: Final = "1"


async def revision(state: MetaState, *, writer: StreamWriter) -> dict[str, Any]:
    """Write the text again, as one section that replaces all others.

    Raises:
        ModelFailed: the model wrote nothing.
    """
    index, number = len(state["thinking_process"]), state["revisions"] + 1
    tell_phase(writer, Phase(phase="content_generation", content=f"正在按评估意见修订（第 {number} 次）……"), index)
    demand = Demand(SHORTEST_OUTPUT, LONGEST_OUTPUT, state["passages"], must_cite=True)
    telling = Telling(writer, _WHOLE, drop=sorted(state["drafts"]))
    text = await write(about_revision(state), demand, telling)
    item = Phase(
        phase="content_generation", content=f"按评估意见修订（第 {number} 次），正文共 {length_of(text)} 个字符"
    )
    return {
        "output": text,
        "drafts": {_WHOLE: text},
        "revisions": number,
        "decision": "",
        "status": "running",
        "thinking_process": tell_phase(writer, item, index),
    }


def after_revision(_state: MetaState) -> list[str]:
    """Judge the new text, and tell the turn's story anew beside it."""
    return ["evaluation", "narrative"]

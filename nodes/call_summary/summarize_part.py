"""Step 2, for a long call: notes about each part, side by side."""

from typing import Any, Literal

from langgraph.runtime import Runtime
from langgraph.types import Send

from core.errors import ModelFailed
from nodes.call_summary.events import part_done
from nodes.call_summary.prompting import about_part
from nodes.call_summary.state import Note, PartTask, SummaryState
from nodes.common.attempts import ask


def to_parts(state: SummaryState) -> list[Send] | Literal["summarize"]:
    """Send each part of a long call to a task of its own; a short call is summarised as it is."""
    parts = state["parts"]
    if len(parts) == 1:
        return "summarize"
    return [
        Send("summarize_part", PartTask(index=index, text=text, parts=len(parts), steps=state["steps"]))
        for index, text in enumerate(parts)
    ]


async def summarize_part(state: PartTask, *, runtime: Runtime[None]) -> dict[str, Any]:
    """Take notes about one part; finished notes are kept when another part fails (X021).

    Raises:
        ModelFailed: the model gave no notes. A summary without this part would hide what it does not know.
    """
    answer = await ask("summary", about_part(state["text"], state["index"] + 1, state["parts"]))
    if not answer.text.strip():
        raise ModelFailed("模型没有给出可用的摘要，请稍后再试")
    part_done(runtime, state)
    # Keys of a JSON object are strings.
    return {"notes": {str(state["index"]): Note(text=answer.text, total_tokens=answer.total_tokens)}}

"""Step 2, for a long call: notes on each part, side by side."""

from typing import Any

from langgraph.types import Send

from core.errors import ModelFailed
from nodes.call_summary.prompting import part_messages
from nodes.call_summary.state import Part, State
from nodes.call_summary.telling import progress, steps_of
from nodes.common.attempts import ask


def to_parts(state: State) -> list[Send] | str:
    """Send each part of a long call to a task of its own; a short one goes straight to its summary."""
    count = len(state["parts"])
    if count == 1:
        return "summarize"
    total = steps_of(state["parts"])
    return [
        Send("summarize_part", Part(number=number, count=count, text=text, total=total))
        for number, text in enumerate(state["parts"], 1)
    ]


async def summarize_part(state: Part) -> dict[str, Any]:
    """Take notes on one part.

    Raises:
        ModelFailed: the model gave none.
    """
    answer = await ask("summary", part_messages(state))
    if not answer.text.strip():
        raise ModelFailed("模型没有给出内容")
    progress("summarize_part", state["total"])
    number = str(state["number"])
    return {"notes": {number: answer.text}, "tokens": {f"part {number}": answer.total_tokens}}

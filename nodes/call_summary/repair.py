"""Step 4b: one more attempt at a draft that the rules do not accept."""

from typing import Any

from langgraph.types import StreamWriter

from core.errors import ModelFailed
from nodes.call_summary.events import progress
from nodes.call_summary.prompting import about_answer
from nodes.call_summary.prose import render
from nodes.call_summary.rules import covered, usable
from nodes.call_summary.state import SummaryState
from nodes.call_summary.summarize import asked, steps_until_summary
from nodes.common.attempts import ask
from nodes.common.telling import Telling


async def repair(state: SummaryState, *, writer: StreamWriter) -> dict[str, Any]:
    """Show the model its answer and what is wrong with it; the better one of both answers stays.

    Raises:
        ModelFailed: neither answer can stand. It is raised here, where a resumed run asks the model again, and not in
            the check, which would find the same draft for ever.
    """
    progress(writer, "repair", steps_until_summary(state), state["steps"])
    telling = Telling(writer, render, told=render(state["draft"], complete=True))
    telling.begin_again()
    question = about_answer(asked(state), state["draft"], state["missing"])
    answer = await ask("summary", question, on_text=telling.hear, on_restart=telling.begin_again)
    # The later one is first: of two that are as good it stays.
    better = max(answer.text, state["draft"], key=_worth)
    if not usable(better):
        raise ModelFailed("模型没有给出可用的摘要，请稍后再试")
    telling.end(better)
    return {"draft": better, "repaired": True, "total_tokens": state["total_tokens"] + answer.total_tokens}


def _worth(draft: str) -> int:
    return sum(covered(draft).values()) if usable(draft) else -1

"""Step 3: the summary, from the transcript or from the notes about its parts, told while it is written."""

from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.types import StreamWriter

from nodes.call_summary.events import progress
from nodes.call_summary.prompting import about_notes, about_transcript
from nodes.call_summary.prose import render
from nodes.call_summary.state import SummaryState
from nodes.common.attempts import ask
from nodes.common.telling import Telling


def asked(state: SummaryState) -> list[BaseMessage]:
    """Return the question for the summary."""
    return about_notes(state["notes"]) if state["notes"] else about_transcript(state["parts"][0])


async def summarize(state: SummaryState, *, writer: StreamWriter) -> dict[str, Any]:
    """Ask for the three points.

    Raises:
        ModelFailed: the model gave no answer.
    """
    telling = Telling(writer, render)
    answer = await ask("summary", asked(state), on_text=telling.hear, on_restart=telling.begin_again)
    telling.end(answer.text)
    progress(writer, "summarize", steps_until_summary(state), state["steps"])
    spent = sum(note["total_tokens"] for note in state["notes"].values())
    return {"draft": answer.text, "total_tokens": spent + answer.total_tokens}


def steps_until_summary(state: SummaryState) -> int:
    """Return how many steps are done when there is a draft."""
    return state["steps"] - bool(state["record"])

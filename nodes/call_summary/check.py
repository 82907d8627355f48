"""Step 4: rules look at the draft; what passes them, or has been repaired, becomes the summary."""

from typing import Any

from langgraph.graph import END

from nodes.call_summary.prose import render
from nodes.call_summary.rules import covered, problems
from nodes.call_summary.state import SummaryState


def check(state: SummaryState) -> dict[str, Any]:
    """Note what is wrong with the draft, and accept it if that is nothing or nothing more can be done."""
    wrong = problems(state["draft"])
    if wrong and not state["repaired"]:
        return {"missing": wrong}
    return {
        "missing": wrong,
        "covered": covered(state["draft"]),
        "summary": render(state["draft"], complete=True),
    }


def after_check(state: SummaryState) -> str:
    """Choose the next step: one repair, then to store the summary where there is a record for it."""
    if not state["summary"]:
        return "repair"
    return "persist" if state["record"] else END

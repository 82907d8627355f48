"""Step 8: the answer as it is by now. Judged below 7 it is a draft, and its suggestion a question (G34)."""

from typing import Any

from nodes.meta_workflow.answer import answer, question, undecided
from nodes.meta_workflow.saving import save
from nodes.meta_workflow.state import MetaState


async def draft(state: MetaState) -> dict[str, Any]:
    """Put the draft where clients read the answer, and store it: who leaves now finds it when they come back."""
    if not undecided(state):
        return {}
    update = {**answer(state, question(state)), "status": "awaiting_decision"}
    await save({**state, **update})  # type: ignore[typeddict-item]
    return update


def after_draft(state: MetaState) -> str:
    """Ask about a draft; anything else is finished."""
    return "decide" if state["status"] == "awaiting_decision" else "compilation"

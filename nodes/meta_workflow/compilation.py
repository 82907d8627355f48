"""The last step: the answer is joined, the session's memory goes on (G33, G36)."""

from typing import Any

from langgraph.types import StreamWriter

from nodes.meta_workflow.answer import answer
from nodes.meta_workflow.begin import remembered
from nodes.meta_workflow.events import tell_phase
from nodes.meta_workflow.saving import save
from nodes.meta_workflow.state import Memory, MetaState, Phase


async def compilation(state: MetaState, *, writer: StreamWriter) -> dict[str, Any]:
    """Join the sections and store the turn with the new memory; a short reply changes no memory."""
    story, planned = state["narrative"], bool(state["plan"]["sections"])
    suggestion = story["suggestion"] if story else ""
    phases = [Phase(phase="compilation", content=_told(state))] if planned else []
    update = {
        **answer(state, suggestion),
        "memory": _remembered(state, suggestion) if planned else state["memory"],
        "status": "done",
    }
    whole = {**state, **update, "thinking_process": [*state["thinking_process"], *phases]}
    await save(whole)  # type: ignore[arg-type]
    for phase in phases:
        tell_phase(writer, phase, len(state["thinking_process"]))
    return {**update, "thinking_process": phases}


def _remembered(state: MetaState, suggestion: str) -> Memory:
    held, plan = state["memory"], state["plan"]
    return remembered(
        {
            "brand": plan["brand"] or held["brand"],
            "product": plan["product"] or held["product"],
            "content": state["output"],
            "suggestions": [*held["suggestions"], suggestion],
        }
    )


def _told(state: MetaState) -> str:
    revised = f"，经过 {state['revisions']} 次修订" if state["revisions"] else ""
    parts = {"思维叙述": state["narrative"], "正文": state["output"], "评估": state["evaluation"]}
    return f"汇总{'、'.join(name for name, part in parts.items() if part)}{revised}，并更新会话记忆"

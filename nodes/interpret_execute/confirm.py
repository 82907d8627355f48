"""Step 3: the person confirms the offer, changes its arguments, drops it, or says something about it (B039, G16)."""

from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.types import interrupt

from nodes.common.resources import resources
from nodes.interpret_execute.answers import Decision, DecisionKind, decision_of
from nodes.interpret_execute.editing import EditRefused, edited
from nodes.interpret_execute.interrupts import request
from nodes.interpret_execute.noting import note
from nodes.interpret_execute.state import PLAN, InterpretState
from tools.mcp.model import UnknownTool

_ALLOWED: tuple[DecisionKind, ...] = ("approve", "edit", "reject", "respond")
_NO_ANSWER = "请回答：执行、修改参数、取消，或说出要补充的内容"


async def confirm(state: InterpretState, config: RunnableConfig) -> dict[str, Any]:
    """Wait for the person's decision. An answer that cannot be taken is asked for again; nothing is done meanwhile."""
    offer = state["offer"]
    schema = None if offer["action"] == PLAN else await _schema_of(offer["action"])
    answer = interrupt(request("offer", offer, _ALLOWED, args_schema=schema, problem=state["problem"]))
    decision = decision_of(answer)
    if decision is None:
        return {"problem": _NO_ANSWER}
    update = await _decided(state, decision)
    if update.get("status") in ("executing", "rejected"):
        executing = update["status"] == "executing"
        await note(
            state["turn"],
            f"confirm:{len(state['words'])}",
            config,
            status="executing" if executing else "done",
            step="confirm",
            message="已确认" if executing else "已取消",
        )
    return update


def after_confirm(state: InterpretState) -> str:
    """Go where the decision leads."""
    if state["problem"]:
        return "confirm"
    return {"executing": "advance", "rejected": "report", "interpreting": "interpret"}[state["status"]]


async def _schema_of(action: str | None) -> dict[str, Any] | None:
    # What the person sees; what is sent is checked again, against the schema of that moment.
    for tool in await resources().tools.tools():
        if tool.name == action:
            return dict(tool.input_schema)
    return None


async def _decided(state: InterpretState, decision: Decision) -> dict[str, Any]:
    match decision.kind:
        case "approve":
            return {"problem": None, "status": "executing"}
        case "reject":
            return {"problem": None, "status": "rejected"}
        case "respond":
            return {"problem": None, "status": "interpreting", "words": [*state["words"], decision.message]}
    try:
        steps, offer = await edited(state["steps"], state["offer"], decision)
    except (EditRefused, UnknownTool) as error:
        return {"problem": str(error)}
    return {"problem": None, "status": "executing", "steps": steps, "offer": offer}

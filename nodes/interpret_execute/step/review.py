"""A person looks at one step: it may destroy something, or its tool has changed since it was offered."""

from typing import Any, Final

from langgraph.types import interrupt

from nodes.common.resources import resources
from nodes.interpret_execute.answers import DecisionKind, decision_of
from nodes.interpret_execute.interrupts import request
from nodes.interpret_execute.state import Offer, Step, StepResult, StepState
from nodes.interpret_execute.step.check import ended
from tools.mcp.arguments import digest, problems
from tools.mcp.model import ToolUnreachable, UnknownTool

_ALLOWED: Final[tuple[DecisionKind, ...]] = ("approve", "edit", "reject")
_TEXTS: Final = {
    "step": "这一步可能删除或覆盖内容，请确认：{action}",
    "changed": "工具 {action} 在提议之后发生了变化，请重新确认是否用这些参数执行",
}
_NO_ANSWER: Final = "请回答：执行、修改参数，或取消"


async def review(state: StepState) -> dict[str, Any]:
    """Wait for the person's decision about this step."""
    step, reason = state["step"], state.get("reason", "step")
    text = _TEXTS[reason].format(action=step["action"])
    offer = Offer(type="confirm", action=step["action"], params=step["params"], confirmText=text)
    decision = decision_of(interrupt(request(reason, offer, _ALLOWED, step=step["id"], problem=state.get("problem"))))
    if decision is None or decision.kind not in _ALLOWED:
        return {"stage": "review", "problem": _NO_ANSWER}
    if decision.kind == "reject":
        return ended(state, StepResult(action=step["action"], status="rejected", data=None, error=None))
    params = step["params"]
    if decision.kind == "edit":
        if decision.action != step["action"]:
            return {"stage": "review", "problem": "只能修改参数，不能换成别的操作"}
        params = decision.params or {}
    return await _confirmed(state, params)


async def _confirmed(state: StepState, params: dict[str, Any]) -> dict[str, Any]:
    try:
        tool = await resources().tools.find(state["step"]["action"])
    except (UnknownTool, ToolUnreachable) as error:
        return {"stage": "review", "problem": error.message}
    now = digest(tool.input_schema)
    if now != state["digest"]:
        return {"stage": "review", "reason": "changed", "digest": now, "problem": None}
    if problems(tool.input_schema, params):
        return {"stage": "review", "problem": "参数不符合工具的要求"}
    return {"stage": "call", "step": Step(**{**state["step"], "params": params}), "problem": None}

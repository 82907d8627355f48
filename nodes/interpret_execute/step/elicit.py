"""A tool asks for more input (elicitation): the person gives it, or declines."""

from collections.abc import Mapping
from typing import Any, Final

from langgraph.types import interrupt

from nodes.interpret_execute.answers import Decision, DecisionKind, decision_of
from nodes.interpret_execute.interrupts import request
from nodes.interpret_execute.plan import failed
from nodes.interpret_execute.state import Offer, StepState
from nodes.interpret_execute.step.check import ended
from tools.mcp.arguments import problems

_ALLOWED: Final[tuple[DecisionKind, ...]] = ("edit", "reject")
_ELICITATION: Final = "elicitation/create"
_LONGEST_QUESTION: Final = 500
_NO_ANSWER: Final = "请填写工具需要的内容，或拒绝"


def elicit(state: StepState) -> dict[str, Any]:
    """Show what the tool asks for, and wait; the answer goes back with the same call."""
    step, asked = state["step"], state.get("asked") or {}
    requests: dict[str, Any] = asked.get("requests", {})
    if any(one.get("method") != _ELICITATION for one in requests.values()):
        # Sampling and roots would let a server use our model, or see our files.
        return ended(state, failed(step["action"], "工具要求的输入方式不受支持", 502))
    schema = _schema(requests)
    offer = Offer(type="confirm", action=step["action"], params={}, confirmText=_question(step["action"], requests))
    answer = interrupt(
        request("input", offer, _ALLOWED, step=step["id"], args_schema=schema, problem=state.get("problem"))
    )
    decision = decision_of(answer)
    if decision is None or decision.kind not in _ALLOWED:
        return {"stage": "elicit", "problem": _NO_ANSWER}
    if decision.kind == "edit" and problems(schema, decision.params or {}):
        return {"stage": "elicit", "problem": "填写的内容不符合工具的要求"}
    responses = {key: _response(key, requests, decision) for key in requests}
    return {"stage": "call", "answers": {"responses": responses, "state": asked.get("state")}, "asked": None}


def _schema(requests: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of the arguments: the one request's own, or of several an object with a field for each."""
    schemas = {key: dict(one.get("params", {}).get("requestedSchema") or {}) for key, one in requests.items()}
    if len(schemas) == 1:
        return next(iter(schemas.values()))
    return {"type": "object", "properties": schemas, "required": list(schemas)}


def _question(action: str, requests: Mapping[str, Any]) -> str:
    messages = " ".join(str(one.get("params", {}).get("message", "")) for one in requests.values())
    return f"工具 {action} 需要补充信息：{messages[:_LONGEST_QUESTION]}"


def _response(key: str, requests: Mapping[str, Any], decision: Decision) -> dict[str, Any]:
    if decision.kind == "reject":
        return {"action": "decline"}
    given = decision.params or {}
    return {"action": "accept", "content": given if len(requests) == 1 else given.get(key, {})}

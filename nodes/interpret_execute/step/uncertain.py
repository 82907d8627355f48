"""After a crash: nobody knows whether the tool did its work, and a person decides (exactly once, G21)."""

from typing import Any, Final

from langgraph.types import interrupt

from nodes.interpret_execute.answers import DecisionKind, decision_of
from nodes.interpret_execute.interrupts import request
from nodes.interpret_execute.plan import failed
from nodes.interpret_execute.state import Offer, StepState
from nodes.interpret_execute.step.check import ended

_ALLOWED: Final[tuple[DecisionKind, ...]] = ("approve", "reject")
_TEXT: Final = "{action} 的上一次调用在发出之后中断，结果未知：它可能已经执行。要重新执行一次吗？"
_LEFT: Final = "上次调用结果未知，没有重新执行"
_NO_ANSWER: Final = "请回答：重新执行，或不再执行"
_CONFLICT: Final = 409


def uncertain(state: StepState) -> dict[str, Any]:
    """Wait for the person: send it again, or leave it."""
    step = state["step"]
    text = _TEXT.format(action=step["action"])
    offer = Offer(type="confirm", action=step["action"], params=step["params"], confirmText=text)
    answer = interrupt(request("uncertain", offer, _ALLOWED, step=step["id"], problem=state.get("problem")))
    decision = decision_of(answer)
    if decision is None or decision.kind not in _ALLOWED:
        return {"stage": "uncertain", "problem": _NO_ANSWER}
    if decision.kind == "reject":
        return ended(state, failed(step["action"], _LEFT, _CONFLICT, unknown=True))
    return {"stage": "call", "attempt": state.get("attempt", 0) + 1, "problem": None}

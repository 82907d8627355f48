"""Step 1: a turn begins; what the last one left is put away (X020)."""

from typing import Any, Final

from core.errors import Conflict, InvalidInput
from nodes.common.resources import resources
from nodes.interpret_execute.plan import misfit
from nodes.interpret_execute.state import DirectCall, Exchange, InterpretState, Offer, Step
from tools.mcp.arguments import digest
from tools.mcp.model import EXEC_FAIL, InvalidArguments

LONGEST_TEXT: Final = 8000
_MOST_EXCHANGES: Final = 10
_ONLY: Final = "s1"


async def receive(state: InterpretState) -> dict[str, Any]:
    """Take the person's words, or a direct call where the operator allows it (G17).

    Raises:
        InvalidInput: there are neither words nor a call, or the call does not fit its tool.
        Conflict: calls need a confirmed offer.
    """
    begun = {"turn": str(resources().ids.uuid()), "history": _history(state), "problem": None, **_NOTHING}
    direct = state.get("direct")
    if direct is not None:
        return {**begun, **await _direct(direct)}
    text = str(state.get("text") or "").strip()
    if not text or len(text) > LONGEST_TEXT:
        raise InvalidInput("请说出要做的事")
    return {**begun, "words": [text], "status": "interpreting"}


def after_receive(state: InterpretState) -> str:
    """Interpret words; make a direct call."""
    return "advance" if state["status"] == "executing" else "interpret"


_NOTHING: Final[dict[str, Any]] = {
    "words": [],
    "offer": Offer(type="clarify", action=None, params={}, confirmText=""),
    "steps": [],
    "digests": {},
    "results": None,
    "data": None,
    "report": "",
}


def _history(state: InterpretState) -> list[Exchange]:
    words = state.get("words")
    if not words:
        return state.get("history", [])
    last = Exchange(
        words=words, action=state["offer"]["action"], status=state["status"], report=state["report"][:LONGEST_TEXT]
    )
    return [*state.get("history", []), last][-_MOST_EXCHANGES:]


async def _direct(call: DirectCall) -> dict[str, Any]:
    if resources().tool_policy.requires_confirm:
        raise Conflict("没有待确认的操作", code=EXEC_FAIL)
    tool = await resources().tools.find(str(call.get("action")))
    step = Step(id=_ONLY, action=tool.name, params=dict(call.get("params") or {}), after=[])
    if found := misfit(tool, step["params"]):
        raise InvalidArguments(found)
    return {
        "offer": Offer(type="confirm", action=tool.name, params=step["params"], confirmText=""),
        "steps": [step],
        "digests": {tool.name: digest(tool.input_schema)},
        "status": "executing",
    }

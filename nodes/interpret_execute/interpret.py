"""Step 2: words become an offer, or a question (B025, B026, G15)."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from pydantic import BaseModel, Field, StringConstraints

from core.clock import BEIJING
from core.errors import ModelFailed
from nodes.common.attempts import ask
from nodes.common.resources import resources
from nodes.common.structured import Unusable, read
from nodes.interpret_execute.noting import note
from nodes.interpret_execute.plan import flaws, in_order, offered
from nodes.interpret_execute.prompting import about_flaws, about_words
from nodes.interpret_execute.records import SessionStatus
from nodes.interpret_execute.shortlist import shortlist
from nodes.interpret_execute.state import InterpretState, Offer, Step
from tools.mcp.arguments import digest
from tools.mcp.model import Tool

_LONGEST_SENTENCE: Final = 500
_UNCLEAR: Final = "没有完全听懂，请换一种说法，说清要做什么、对什么做。"
_CONFIRM: Final = "请确认是否执行以上操作。"

Text = Annotated[str, StringConstraints(strip_whitespace=True)]


class _PlannedStep(BaseModel):
    id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")
    tool: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    after: list[str] = Field(default_factory=list)


class _Understood(BaseModel):
    """What the model answers; prompts/system.md says the same."""

    kind: Literal["act", "clarify"]
    steps: list[_PlannedStep] = Field(default_factory=list)
    text: Text = ""

    def as_steps(self) -> list[Step]:
        return [Step(id=one.id, action=one.tool, params=one.arguments, after=one.after) for one in self.steps]


async def interpret(state: InterpretState, config: RunnableConfig) -> dict[str, Any]:
    """Ask the model what to do, and offer it where it can be done.

    Raises:
        ModelFailed: the model gave no answer, or none that can be read.
    """
    tools = await resources().tools.tools()
    shown = shortlist(state["words"], tools)
    now = resources().clock.now().astimezone(BEIJING)
    asked = about_words(state["words"], state["history"], shown, now)
    key = f"interpret:{len(state['words'])}"
    try:
        understood = await _understand(asked, {tool.name: tool for tool in shown})
    except ModelFailed:
        await note(state["turn"], key, config, status="failed", step="interpret", message="MODEL_FAIL", failed=True)
        raise
    update = _clarified(understood.text) if understood.kind == "clarify" else _offered(understood, tools)
    waiting = update["status"] != "clarify"
    # A question leaves nothing pending (G15): what was said is still being interpreted.
    status: SessionStatus = "awaiting_confirm" if waiting else "interpreting"
    await note(state["turn"], key, config, status=status, step="interpret", message=update["offer"]["confirmText"])
    return {**update, "problem": None}


def after_interpret(state: InterpretState) -> str:
    """End with a question; make at once what needs nobody; let the rest be confirmed."""
    return {"clarify": "__end__", "executing": "advance"}.get(state["status"], "confirm")


async def _understand(asked: Sequence[BaseMessage], tools: dict[str, Tool]) -> _Understood:
    """Ask; where the answer cannot be carried out, show the model why and ask once more."""
    first = (await ask("interpret", asked)).text
    understood, found = _read(first, tools)
    if found:
        second = (await ask("interpret", about_flaws(asked, first, found))).text
        understood, found = _read(second, tools)
    if understood is None:
        raise ModelFailed("模型的回答无法理解，请稍后再试")
    return _Understood(kind="clarify", text=_UNCLEAR) if found else understood


def _read(answer: str, tools: dict[str, Tool]) -> tuple[_Understood | None, tuple[str, ...]]:
    """Return what an answer says, where it can be read, and what is wrong with it."""
    try:
        understood = read(answer, _Understood)
    except Unusable as error:
        return None, (str(error),)
    return understood, flaws(understood.as_steps(), tools) if understood.kind == "act" else ()


def _clarified(text: str) -> dict[str, Any]:
    question = text[:_LONGEST_SENTENCE] or _UNCLEAR
    offer = Offer(type="clarify", action=None, params={}, confirmText=question)
    return {"offer": offer, "steps": [], "digests": {}, "status": "clarify", "report": question}


def _offered(understood: _Understood, tools: Sequence[Tool]) -> dict[str, Any]:
    steps = in_order(understood.as_steps())
    action, params = offered(steps)
    used = [tool for tool in tools if tool.name in {step["action"] for step in steps}]
    text = understood.text[:_LONGEST_SENTENCE] or _CONFIRM
    at_once = resources().tool_policy.needs_nobody(used)
    return {
        "offer": Offer(type="confirm", action=action, params=params, confirmText=text),
        "steps": steps,
        "digests": {tool.name: digest(tool.input_schema) for tool in used},
        "status": "executing" if at_once else "awaiting_confirm",
    }

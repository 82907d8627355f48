"""Before a step: does its tool still exist, is it still the offered one, do the arguments fit (B026, G16)?"""

from typing import Any

from nodes.common.resources import resources
from nodes.interpret_execute.plan import failed
from nodes.interpret_execute.state import StepState
from tools.mcp.arguments import digest, problems
from tools.mcp.model import ToolUnreachable, UnknownTool


async def check(state: StepState) -> dict[str, Any]:
    """Look at the tool as it is now; arguments that came from an earlier step are seen whole for the first time."""
    step = state["step"]
    try:
        tool = await resources().tools.find(step["action"])
    except (UnknownTool, ToolUnreachable) as error:
        return ended(state, failed(step["action"], error.message, error.status))
    if digest(tool.input_schema) != state["digest"]:
        return {"stage": "review", "reason": "changed", "digest": digest(tool.input_schema), "problem": None}
    if problems(tool.input_schema, step["params"]):
        return ended(state, failed(step["action"], "参数不符合工具的要求"))
    if tool.destructive and not tool.read_only and not state["alone"]:
        return {"stage": "review", "reason": "step", "problem": None}
    return {"stage": "call"}


def ended(state: StepState, result: Any) -> dict[str, Any]:
    """Return the end of a step with its result."""
    return {"stage": "end", "results": {state["step"]["id"]: result}}


def after(state: StepState) -> str:
    """Go to the stage that the last one named."""
    stage = state.get("stage", "call")
    return "__end__" if stage == "end" else stage

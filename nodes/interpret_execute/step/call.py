"""One tool call, exactly once: journaled before it is sent, its outcome after (B030, G18, G21)."""

from typing import Any, Final
from uuid import UUID, uuid5

import orjson
from langchain_core.runnables import RunnableConfig

from nodes.common.resources import resources
from nodes.interpret_execute.noting import note, thread_of
from nodes.interpret_execute.plan import failed
from nodes.interpret_execute.records import InMemoryToolJournal, PlannedCall, ToolJournal
from nodes.interpret_execute.state import StepResult, StepState
from nodes.interpret_execute.step.check import ended
from tools.mcp.model import (
    Answers,
    InputNeeded,
    InvalidArguments,
    Tool,
    ToolResult,
    ToolTimedOut,
    ToolUnreachable,
    UnknownTool,
)

_CALLS: Final = UUID("6f0f8c0e-5f0a-4f0b-9a52-2a9b1f0f6d11")
_TOOL_FAILED: Final = "调用失败"
_SUCCEEDED: Final = 200


async def call(state: StepState, config: RunnableConfig) -> dict[str, Any]:
    """Send the call, unless the journal knows it.

    A call that was journaled and has no outcome (the process died between) is sent again only where the tool says that
    this does no harm; otherwise a person decides.
    """
    step = state["step"]
    try:
        tool = await resources().tools.find(step["action"])
    except (UnknownTool, ToolUnreachable) as error:
        return ended(state, failed(step["action"], error.message, error.status))
    planned = _planned(state, tool, config)
    journal = resources().repository(ToolJournal, InMemoryToolJournal)
    entry = await journal.begin(planned)
    if entry.state == "sent" and not tool.repeatable:
        return {"stage": "uncertain", "problem": None}
    outcome = entry.outcome
    if outcome is None:
        outcome = await _sent(state, planned)
        await journal.finish(planned.call_id, outcome)
    if outcome["kind"] == "input":
        return {"stage": "elicit", "asked": outcome["asked"], "problem": None}
    result: StepResult = outcome["result"]
    await note(
        state["turn"],
        f"execute:{step['id']}:{state.get('attempt', 0)}",
        config,
        status="executing",
        step="execute",
        message=f"{step['action']}: {result['status']}",
        failed=result["status"] != "success",
    )
    return ended(state, result)


def _planned(state: StepState, tool: Tool, config: RunnableConfig) -> PlannedCall:
    step = state["step"]
    # The same step made again is the same call; other arguments, another answer or another attempt is another one.
    told = [state["turn"], step["id"], state.get("attempt", 0), step["action"], step["params"], state.get("answers")]
    return PlannedCall(
        call_id=str(uuid5(_CALLS, orjson.dumps(told, option=orjson.OPT_SORT_KEYS).decode())),
        thread_id=thread_of(config),
        step=step["id"],
        tool=step["action"],
        server=tool.server,
        arguments=step["params"],
    )


async def _sent(state: StepState, planned: PlannedCall) -> dict[str, Any]:
    """Send a call and return its outcome, as the journal keeps it."""
    given = state.get("answers")
    answers = Answers(responses=given["responses"], state=given["state"]) if given else None
    try:
        answer = await resources().tools.call(planned.tool, planned.arguments, call_id=planned.call_id, answers=answers)
    except (ToolUnreachable, ToolTimedOut) as error:
        # Where the request had gone out, the tool may have done its work.
        unknown = isinstance(error, ToolTimedOut) or error.sent
        return _outcome(failed(planned.tool, error.message, error.status, unknown=unknown))
    except (UnknownTool, InvalidArguments) as error:
        return _outcome(failed(planned.tool, error.message, error.status))
    if isinstance(answer, InputNeeded):
        requests = {key: dict(request) for key, request in answer.requests.items()}
        return {"kind": "input", "asked": {"requests": requests, "state": answer.state}}
    return _outcome(_result(planned.tool, answer))


def _outcome(result: StepResult) -> dict[str, Any]:
    return {"kind": "result", "result": dict(result)}


def _result(action: str, answer: ToolResult) -> StepResult:
    data: Any = answer.structured
    if data is None or answer.truncated:
        data = {"content": [dict(block) for block in answer.content], "text": answer.text}
        if answer.truncated:
            data["truncated"] = True
    if not answer.is_error:
        return StepResult(action=action, status="success", data=data, error=None)
    # The tool ran, and says that it failed: its words are the person's to read, in `data` (G18).
    return StepResult(**{**failed(action, _TOOL_FAILED, _SUCCEEDED), "data": data})

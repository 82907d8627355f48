"""Step 4, as often as it takes: which steps of a confirmed plan can be made now, and side by side (B040)."""

from typing import Any

from langgraph.types import Send

from nodes.interpret_execute.plan import ready
from nodes.interpret_execute.state import InterpretState, StepTask


def advance(state: InterpretState) -> dict[str, Any]:
    """Settle the steps that will never be made: what they need has failed."""
    return {"results": ready(state["steps"], state["results"])[1]}


def after_advance(state: InterpretState) -> list[Send] | str:
    """Make all steps that wait for nothing, in parallel; report when there are none."""
    now, _settled = ready(state["steps"], state["results"])
    alone = len(state["steps"]) == 1
    tasks = [
        StepTask(turn=state["turn"], step=step, digest=state["digests"].get(step["action"], ""), alone=alone)
        for step in now
    ]
    return [Send("run_step", task) for task in tasks] or "report"

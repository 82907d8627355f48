"""Plans of tool calls: what makes one valid, and which of its steps can be made now (B026, B040)."""

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

from nodes.interpret_execute.references import NoSuchResult, references, resolve
from nodes.interpret_execute.state import PLAN, Step, StepResult
from tools.mcp.arguments import problems
from tools.mcp.model import EXEC_FAIL, Tool

MOST_STEPS: Final = 10

Tools = Mapping[str, Tool]


def flaws(steps: Sequence[Step], tools: Tools) -> tuple[str, ...]:
    """Return what is wrong with a plan, in sentences for the model that made it; () where nothing is."""
    ids = [step["id"] for step in steps]
    if not steps:
        return ("there is no step",)
    if len(steps) > MOST_STEPS:
        return (f"there are more than {MOST_STEPS} steps",)
    if len(set(ids)) < len(ids):
        return ("two steps have the same id",)
    unknown = [
        f"step {step['id']}: there is no step {other}" for step in steps for other in needs(step) if other not in ids
    ]
    return tuple(unknown) or _no_order(steps) or tuple(flaw for step in steps for flaw in _wrong(step, tools))


def needs(step: Step) -> tuple[str, ...]:
    """Return the steps that have to be done before this one: those it names, and those whose results it uses."""
    used = [source for _place, source in references(step["params"])]
    return tuple(dict.fromkeys([*step["after"], *used]))


def in_order(steps: Sequence[Step]) -> list[Step]:
    """Return the steps in an order in which they can be made, each with all that it needs in `after`."""
    by_id = {step["id"]: Step(**{**step, "after": list(needs(step))}) for step in steps}
    return [
        by_id[name] for name in TopologicalSorter({name: step["after"] for name, step in by_id.items()}).static_order()
    ]


def misfit(tool: Tool, params: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is wrong with a step's arguments as far as they are known: a reference fits anywhere."""
    places = [place for place, _source in references(params)]
    if not places:
        return problems(tool.input_schema, params)
    # What comes from an earlier step is checked when it is there.
    known = {name: value for name, value in params.items() if not any(place[0] == name for place in places)}
    schema = dict(tool.input_schema)
    schema["required"] = [name for name in schema.get("required", ()) if name not in params]
    return problems(schema, known)


def ready(steps: Sequence[Step], results: Mapping[str, StepResult]) -> tuple[list[Step], dict[str, StepResult]]:
    """Return the steps that can be made now, with their arguments resolved, and the results of those that never will.

    A step whose predecessor gave no result is skipped; one whose reference leads nowhere is an error.
    """
    settled: dict[str, StepResult] = {}
    now: list[Step] = []
    data = {name: result["data"] for name, result in results.items() if result["status"] == "success"}
    for step in steps:
        before = {**results, **settled}
        if step["id"] in results or any(name not in before for name in step["after"]):
            continue
        if any(before[name]["status"] != "success" for name in step["after"]):
            settled[step["id"]] = StepResult(action=step["action"], status="skipped", data=None, error=None)
            continue
        try:
            now.append(Step(**{**step, "params": resolve(step["params"], data)}))
        except NoSuchResult:
            settled[step["id"]] = failed(step["action"], "前一步的结果里没有这一步需要的内容")
    return now, settled


def failed(action: str, message: str, status: int = 400, *, unknown: bool = False) -> StepResult:
    """Return the result of a step that gave none; `message` is shown."""
    return StepResult(
        action=action,
        status="unknown" if unknown else "error",
        data=None,
        error={"code": EXEC_FAIL, "message": message, "status": status},
    )


def offered(steps: Sequence[Step]) -> tuple[str, dict[str, Any]]:
    """Return what an offer of these steps shows: the one tool and its arguments, or a plan."""
    if len(steps) == 1:
        return steps[0]["action"], steps[0]["params"]
    return PLAN, {"steps": list(steps)}


def _no_order(steps: Sequence[Step]) -> tuple[str, ...]:
    sorter = TopologicalSorter({step["id"]: needs(step) for step in steps})
    try:
        sorter.prepare()
    except CycleError:
        return ("the steps wait for each other in a circle",)
    return ()


def _wrong(step: Step, tools: Tools) -> list[str]:
    tool = tools.get(step["action"])
    if tool is None:
        return [f"step {step['id']}: there is no tool of that name"]
    return [f"step {step['id']}: {problem}" for problem in misfit(tool, step["params"])]

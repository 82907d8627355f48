"""Arguments that a person changed before confirming: the tools stay the offered ones (G16)."""

from collections.abc import Mapping, Sequence
from typing import Any

from nodes.common.resources import resources
from nodes.interpret_execute.answers import Decision
from nodes.interpret_execute.plan import misfit
from nodes.interpret_execute.references import references
from nodes.interpret_execute.state import PLAN, Offer, Step


class EditRefused(ValueError):
    """The change cannot be taken; its text is for the person."""


async def edited(steps: Sequence[Step], offer: Offer, decision: Decision) -> tuple[list[Step], Offer]:
    """Return the steps and the offer with the person's arguments.

    Raises:
        EditRefused: another tool, other steps, or arguments that do not fit.
        UnknownTool: a tool is not there any more.
    """
    if decision.action != offer["action"]:
        raise EditRefused("只能修改参数，不能换成别的操作")
    params = decision.params or {}
    changed = _of_plan(steps, params) if offer["action"] == PLAN else [Step(**{**steps[0], "params": params})]
    for before, after in zip(steps, changed, strict=True):
        await _check(before, after)
    return changed, Offer(**{**offer, "params": params})


async def _check(before: Step, after: Step) -> None:
    if after["params"] == before["params"]:
        return
    known = set(references(before["params"]))
    if any(found not in known for found in references(after["params"])):
        raise EditRefused("参数里的步骤引用不能修改")
    tool = await resources().tools.find(after["action"])
    if misfit(tool, after["params"]):
        raise EditRefused("参数不符合工具的要求")


def _of_plan(steps: Sequence[Step], params: Mapping[str, Any]) -> list[Step]:
    given = params.get("steps")
    if not isinstance(given, list) or not all(isinstance(step, Mapping) for step in given):
        raise EditRefused("计划的步骤不能增减，只能修改参数")
    if [_frame(step) for step in given] != [_frame(step) for step in steps]:
        raise EditRefused("计划的步骤不能增减，只能修改参数")
    return [Step(**{**step, "params": dict(new["params"])}) for step, new in zip(steps, given, strict=True)]


def _frame(step: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what of a step cannot be changed."""
    return step.get("id"), step.get("action"), step.get("after"), isinstance(step.get("params"), Mapping)

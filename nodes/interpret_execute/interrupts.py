"""What a person is shown at an interrupt: the batched shape that chat UIs know, with a schema of the answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from nodes.interpret_execute.answers import DecisionKind
from nodes.interpret_execute.state import Kind, Offer


def request(
    kind: Kind,
    offer: Offer,
    allowed: Sequence[DecisionKind],
    *,
    step: str | None = None,
    args_schema: Mapping[str, Any] | None = None,
    problem: str | None = None,
) -> dict[str, Any]:
    """Return an interrupt's value.

    Args:
        kind: what is asked: an offer, a step of a plan, a changed tool, an uncertain call, or input for a tool.
        offer: what would be done.
        allowed: the decisions that are taken.
        step: the step's id, where it is about one.
        args_schema: what edited arguments have to fit.
        problem: why the last answer was not taken.
    """
    name = offer["action"] or ""
    review: dict[str, Any] = {"action_name": name, "allowed_decisions": list(allowed)}
    if args_schema is not None:
        review["args_schema"] = dict(args_schema)
    return {
        "kind": kind,
        "step": step,
        "offer": offer,
        "action_requests": [{"name": name, "args": offer["params"], "description": offer["confirmText"]}],
        "review_configs": [review],
        "response_schema": _response_schema(name, allowed, args_schema),
        "problem": problem,
    }


def _response_schema(
    name: str, allowed: Sequence[DecisionKind], args_schema: Mapping[str, Any] | None
) -> dict[str, Any]:
    decisions: dict[DecisionKind, dict[str, Any]] = {
        "approve": _decision("approve"),
        "edit": _decision(
            "edit",
            edited_action={
                "type": "object",
                "properties": {"name": {"const": name}, "args": dict(args_schema or {"type": "object"})},
                "required": ["name", "args"],
            },
        ),
        "reject": _decision("reject"),
        "respond": _decision("respond", message={"type": "string", "minLength": 1}),
    }
    return {
        "type": "object",
        "properties": {
            "decisions": {
                "type": "array",
                "minItems": 1,
                "maxItems": 1,
                "items": {"oneOf": [decisions[kind] for kind in allowed]},
            }
        },
        "required": ["decisions"],
    }


def _decision(kind: DecisionKind, **fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"type": {"const": kind}, **fields},
        "required": ["type", *fields],
    }

"""What came of an execution, as execute and confirm answer it (B028, B029, G18)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from core.errors import ColloquyError
from nodes.interpret_execute.state import PLAN
from server.error_bodies import NestedBody
from server.interpret.pending import Pending
from server.interpret.schemas import Answer
from tools.mcp.model import EXEC_FAIL

_OK: Final = 200
_BAD_REQUEST: Final = 400
_CONFLICT: Final = 409
_FAILED: Final = "调用失败"
WARNINGS: Final = {
    "changed": "工具已变化，请重新确认",
    "uncertain": "上次调用结果未知，请确认是否重新执行",
}


@dataclass(frozen=True)
class Outcome:
    """A body with its status; a failed execution has the seed's body whatever the endpoint's own errors look like."""

    status: int
    body: Answer[Any] | NestedBody


def outcome_of(output: Mapping[str, Any], waiting: Sequence[Pending]) -> Outcome:
    """Return what a finished run came to.

    Args:
        output: the workflow's output.
        waiting: what it stopped at; nothing counts where the output is final.
    """
    match output.get("status"):
        case "done":
            return Outcome(_OK, Answer(data=output["data"]))
        case "failed":
            return _failed(output)
        case "rejected":
            return Outcome(_OK, Answer(data=None))
    for one in waiting:
        if one.kind in WARNINGS:
            return _failure(_CONFLICT, WARNINGS[one.kind])
        if one.problem:
            return _failure(_BAD_REQUEST, one.problem)
    steps = output.get("results", {})
    shown = waiting[0].shown() if waiting else None
    return Outcome(_OK, Answer(data={"steps": steps, "pending": shown}))


def refused(error: ColloquyError) -> Outcome:
    """Return what is answered where the run itself failed, or is late."""
    return _failure(error.status, error.message, error.code)


def _failed(output: Mapping[str, Any]) -> Outcome:
    errors: list[dict[str, Any]] = [result["error"] for result in output["results"].values() if result["error"]]
    first: dict[str, Any] = errors[0] if errors else {"status": _OK, "message": _FAILED}
    # Of a plan's steps some may have succeeded: the sentence for people says which.
    message = output["report"] if output["offer"]["action"] == PLAN else first["message"]
    return _failure(first["status"], message)


def _failure(status: int, message: str, code: str = EXEC_FAIL) -> Outcome:
    return Outcome(status, NestedBody.model_validate({"error": {"code": code, "message": message}}))

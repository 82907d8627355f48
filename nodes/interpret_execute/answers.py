"""What a person answers at an interrupt, in each of the three shapes that clients send."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

DecisionKind = Literal["approve", "edit", "reject", "respond"]

_LEGACY: Final[dict[str, DecisionKind]] = {
    "accept": "approve",
    "edit": "edit",
    "ignore": "reject",
    "response": "respond",
}
_LONGEST_MESSAGE: Final = 8000


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A person's decision; `action` and `params` are an edit's, `message` is what was said with it."""

    kind: DecisionKind
    action: str | None = None
    params: dict[str, Any] | None = None
    message: str = ""


def decision_of(answer: object) -> Decision | None:
    """Read an answer: batched `{"decisions": [{"type"}]}`, legacy `[{"type", "args"}]`, or one `{"type"}` by itself.

    Returns:
        The decision; None where the answer is none, or more than one.
    """
    match answer:
        case {"decisions": [Mapping() as only]}:
            return _new_form(only)
        case [Mapping() as only]:
            return _either_form(only)
        case Mapping() as only:
            return _either_form(only)
    return None


def _either_form(answer: Mapping[str, Any]) -> Decision | None:
    return _legacy_form(answer) if "args" in answer or answer.get("type") in ("accept", "ignore") else _new_form(answer)


def _new_form(answer: Mapping[str, Any]) -> Decision | None:
    match answer:
        case {"type": "approve"}:
            return Decision(kind="approve")
        case {"type": "reject"}:
            return Decision(kind="reject", message=_text(answer.get("message")))
        case {"type": "respond", "message": str() as message} if message.strip():
            return Decision(kind="respond", message=_text(message))
        case {"type": "edit", "edited_action": {"name": str() as name, "args": Mapping() as params}}:
            return Decision(kind="edit", action=name, params=dict(params))
    return None


def _legacy_form(answer: Mapping[str, Any]) -> Decision | None:
    kind = _LEGACY.get(str(answer.get("type")))
    match kind, answer.get("args"):
        case (("approve" | "reject"), _):
            return Decision(kind=kind)
        case "respond", str() as message if message.strip():
            return Decision(kind="respond", message=_text(message))
        case "edit", {"action": str() as name, "args": Mapping() as params}:
            return Decision(kind="edit", action=name, params=dict(params))
    return None


def _text(value: object) -> str:
    return value.strip()[:_LONGEST_MESSAGE] if isinstance(value, str) else ""
